package cassandra

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"cdcbot/internal/lab"
)

// secret must never be in an error.
const secret = "hunter2-plain"

func TestNew(t *testing.T) {
	dir := t.TempDir()
	empty := filepath.Join(dir, "empty.pem")
	write(t, empty, "no certificate")
	tests := []struct {
		name    string
		o       Options
		address string
		text    string // of the error
	}{
		{"name", Options{Hosts: []string{"cdc-cassandra"}}, "cdc-cassandra:9042", ""},
		{"port", Options{Hosts: []string{"a:1", "b"}}, "a:1, b:9042", ""},
		{"IPv6", Options{Hosts: []string{"::1", "[::1]:9043", "[fe80::1]"}}, "[::1]:9042, [::1]:9043, [fe80::1]:9042", ""},
		{"no host", Options{}, "", "cassandra hosts: none given"},
		{"empty host", Options{Hosts: []string{""}}, "", `cassandra host "": expected host or host:port`},
		{"port is a word", Options{Hosts: []string{"h:port"}}, "", `cassandra host "h:port"`},
		{"port 0", Options{Hosts: []string{"h:0"}}, "", `"h:0"`},
		{"port too high", Options{Hosts: []string{"h:65536"}}, "", `"h:65536"`},
		{"two ports", Options{Hosts: []string{"h:1:2"}}, "", `"h:1:2"`},
		{"URL", Options{Hosts: []string{"http://h"}}, "", `"http://h"`},
		{"password without a user", Options{Hosts: []string{"h"}, Password: secret}, "", "cassandra username: empty"},
		{"no CA file", Options{Hosts: []string{"h"}, CAFile: filepath.Join(dir, "nothing")}, "", "cassandra CA file"},
		{"CA file is not PEM", Options{Hosts: []string{"h"}, CAFile: empty}, "", "no certificate in it, expected PEM"},
	}
	for _, tc := range tests {
		c, err := New(tc.o)
		if tc.text != "" {
			check(t, err, reason(err), tc.text)
			if err == nil {
				t.Errorf("%s: New(%+v) gave no error, want %q", tc.name, tc.o, tc.text)
			}
			continue
		}
		if err != nil || c.Address() != tc.address {
			t.Errorf("%s: got %v, %v; want %s", tc.name, c, err, tc.address)
		}
	}
}

// TestUnreachable asks what is no Cassandra; every look ends in time and says why in words.
func TestUnreachable(t *testing.T) {
	noLeftovers(t)
	const limit = time.Second
	tests := []struct {
		name         string
		serve        func(net.Conn) // nil: nothing listens
		reason, text string
	}{
		{"nothing listens", nil, Refused, "refused the connection"},
		{"never answers", func(c net.Conn) { _, _ = io.Copy(io.Discard, c) }, Timeout, "did not answer in time"},
		{"hangs up", func(net.Conn) {}, Refused, "hung up"},
		{"speaks HTTP", func(c net.Conn) {
			_, _ = c.Read(make([]byte, 100))
			_, _ = io.WriteString(c, "HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n")
			_, _ = io.Copy(io.Discard, c)
		}, Broken, "could not be asked"},
		{"answers drop by drop", func(c net.Conn) {
			for ; ; <-time.After(50 * time.Millisecond) {
				if _, err := c.Write([]byte{0x84}); err != nil {
					return
				}
			}
		}, "", ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			host := "127.0.0.1:1"
			if tc.serve != nil {
				host = listen(t, tc.serve)
			}
			c := mustNew(t, Options{Hosts: []string{host}, Username: "u", Password: secret, Timeout: limit})
			began := time.Now()
			_, err := c.Probe(t.Context())
			if took := time.Since(began); took > limit+limit/2 {
				t.Errorf("took %s, want at most %s: %v", took, limit, err)
			}
			if err == nil || tc.reason != "" && reason(err) != tc.reason || !strings.Contains(err.Error(), tc.text) || strings.Contains(err.Error(), secret) {
				t.Errorf("got %q, %v; want %q, %q", reason(err), err, tc.reason, tc.text)
			}
		})
	}
}

func TestUnknownName(t *testing.T) {
	_, err := mustNew(t, Options{Hosts: []string{"no-such-host.invalid"}, Timeout: 5 * time.Second}).Probe(t.Context())
	if r := reason(err); r != Missing && r != Timeout {
		t.Errorf("got %q: %v", r, err)
	}
}

// TestCancelled ends a look from outside.
func TestCancelled(t *testing.T) {
	noLeftovers(t)
	host := listen(t, func(c net.Conn) { _, _ = io.Copy(io.Discard, c) })
	ctx, cancel := context.WithCancel(t.Context())
	time.AfterFunc(50*time.Millisecond, cancel)
	began := time.Now()
	_, err := mustNew(t, Options{Hosts: []string{host}, Timeout: 30 * time.Second}).Probe(ctx)
	if took := time.Since(began); took > 5*time.Second || !errors.Is(err, context.Canceled) || !strings.Contains(err.Error(), "cancelled") {
		t.Errorf("after %s: %v", took, err)
	}
}

// TestHangsHalfWay puts a wire before the real server that goes dead after some bytes, wherever that is in the talk.
func TestHangsHalfWay(t *testing.T) {
	real := lab.Require(t, lab.Cassandra).Cassandra
	for _, bytes := range []int64{1, 100, 400, 1000} {
		t.Run(fmt.Sprint(bytes), func(t *testing.T) {
			noLeftovers(t)
			host := listen(t, func(c net.Conn) {
				proxy(c, real, func(to io.Writer, from io.Reader) {
					_, _ = io.CopyN(to, from, bytes)
					_, _ = io.Copy(io.Discard, from)
				})
			})
			const limit = time.Second
			began := time.Now()
			_, err := mustNew(t, Options{Hosts: []string{host}, Username: "cdcbot", Password: "cdcbot", Timeout: limit}).Probe(t.Context())
			if took := time.Since(began); took > limit+limit/2 {
				t.Errorf("took %s", took)
			}
			check(t, err, Timeout, "did not answer in time")
		})
	}
}

// TestTLS speaks to the real server through a proxy that adds TLS.
func TestTLS(t *testing.T) {
	real := lab.Require(t, lab.Cassandra).Cassandra
	certificate, ca := selfSigned(t, "localhost")
	_, stranger := selfSigned(t, "localhost")
	host := listen(t, func(c net.Conn) {
		secured := tls.Server(c, &tls.Config{Certificates: []tls.Certificate{certificate}})
		proxy(secured, real, func(to io.Writer, from io.Reader) { _, _ = io.Copy(to, from) })
	})
	named := strings.Replace(host, "127.0.0.1", "localhost", 1)
	tests := []struct{ name, host, ca, reason, text string }{
		{"trusted", named, ca, "", ""},
		{"another name", host, ca, Broken, "offers no TLS that this client accepts"},
		{"another authority", named, stranger, Broken, "offers no TLS that this client accepts"},
		{"server without TLS", strings.Replace(real, "127.0.0.1", "localhost", 1), ca, Broken, ""},
		{"client without TLS", named, "", Broken, ""},
	}
	for _, tc := range tests {
		t.Run(tc.name, func(t *testing.T) {
			_, err := mustNew(t, Options{Hosts: []string{tc.host}, Username: "cdcbot", Password: "cdcbot", CAFile: tc.ca, Timeout: 3 * time.Second}).Probe(t.Context())
			if tc.reason == Broken && err != nil {
				tc.reason = reason(err) // one side may time out first
			}
			check(t, err, tc.reason, tc.text)
			t.Log(err)
		})
	}
}

// noLeftovers fails the test when a goroutine outlives it; call it first.
func noLeftovers(t *testing.T) { t.Cleanup(func() { goleak.VerifyNone(t) }) }

// listen serves each connection until the test ends, and then closes them and waits.
func listen(t *testing.T, serve func(net.Conn)) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var busy sync.WaitGroup
	t.Cleanup(func() { cancel(); _ = l.Close(); busy.Wait() })
	busy.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			busy.Go(func() {
				defer c.Close()
				defer context.AfterFunc(ctx, func() { _ = c.Close() })()
				serve(c)
			})
		}
	})
	return l.Addr().String()
}

// proxy joins a connection to a server until either ends; back carries what the server says.
func proxy(c net.Conn, server string, back func(to io.Writer, from io.Reader)) {
	s, err := net.Dial("tcp", server)
	if err != nil {
		return
	}
	var there sync.WaitGroup
	there.Go(func() { _, _ = io.Copy(s, c); _ = s.Close() })
	back(c, s)
	_ = c.Close()
	there.Wait()
}

// selfSigned makes a certificate for a name, and the file that vouches for it.
func selfSigned(t *testing.T, name string) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(time.Now().UnixNano()), DNSNames: []string{name}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	write(t, file, string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})))
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

func check(t *testing.T, err error, want, text string) {
	t.Helper()
	if got := reason(err); got != want {
		t.Errorf("reason %q, want %q: %v", got, want, err)
	}
	if err != nil && (!strings.Contains(err.Error(), text) || strings.Contains(err.Error(), secret)) {
		t.Errorf("error %q, want %q in it and no secret", err, text)
	}
}

func reason(err error) string {
	var e *Error
	if errors.As(err, &e) {
		return e.Reason()
	}
	if err != nil {
		return err.Error()
	}
	return ""
}

func mustNew(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
