package kafka

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"io"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kfake"
	"github.com/twmb/franz-go/pkg/kgo"
	"github.com/twmb/franz-go/pkg/kmsg"
	"go.uber.org/goleak"
)

const planted = "Zq7kPlantedSecret"

func open(t *testing.T, o Options) *Client {
	t.Helper()
	c, err := New(o)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func fake(t *testing.T, o ...kfake.Opt) *kfake.Cluster {
	t.Helper()
	cluster, err := kfake.NewCluster(o...)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cluster.Close)
	return cluster
}

func TestNew(t *testing.T) {
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for _, row := range []struct {
		name string
		o    Options
		want string
	}{
		{"no brokers", Options{}, "kafka brokers: none"},
		{"empty broker", Options{Brokers: []string{"a:1", ""}}, `kafka brokers[1] "": expected host:port`},
		{"url", Options{Brokers: []string{"http://a:1"}}, `kafka brokers[0]`},
		{"no port", Options{Brokers: []string{"a:x"}}, `kafka brokers[0] "a:x"`},
		{"port out of range", Options{Brokers: []string{"a:70000"}}, `kafka brokers[0]`},
		{"mechanism", Options{Brokers: []string{"a"}, Mechanism: "gssapi", Username: "u"}, `kafka sasl_mechanism "gssapi": expected plain, scram-sha-256 or scram-sha-512`},
		{"nobody", Options{Brokers: []string{"a"}, Mechanism: "plain"}, "expected both or neither"},
		{"no mechanism", Options{Brokers: []string{"a"}, Username: "u", Password: planted}, "expected both or neither"},
		{"no CA", Options{Brokers: []string{"a"}, CAFile: "/nowhere"}, "kafka ca_file"},
		{"empty CA", Options{Brokers: []string{"a"}, CAFile: empty}, "no certificate in it"},
	} {
		if _, err := New(row.o); err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), planted) {
			t.Errorf("%s: New() = %v; want %q", row.name, err, row.want)
		}
	}
	c := open(t, Options{Brokers: []string{"kafka", "b:1", "::1", "[::1]:9"}})
	if want := "kafka:9092,b:1,[::1]:9092,[::1]:9"; c.Address() != want {
		t.Errorf("Address() = %s, want %s", c.Address(), want)
	}
}

func TestProbeCountsBrokers(t *testing.T) {
	cluster := fake(t, kfake.NumBrokers(3))
	c := open(t, Options{Brokers: cluster.ListenAddrs()[:1]})
	text, err := c.Probe(t.Context())
	if err != nil || !strings.HasPrefix(text, "Kafka at "+c.Address()+" answers: 3 brokers, controller ") {
		t.Errorf("Probe() = %q, %v", text, err)
	}
}

// silent listens, takes what it is told and never answers.
func silent(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() { _, _ = io.Copy(io.Discard, conn); _ = conn.Close() }()
		}
	}()
	return l.Addr().String()
}

func deadPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

func TestUnreachable(t *testing.T) {
	ignore := goleak.IgnoreCurrent()
	t.Cleanup(func() { goleak.VerifyNone(t, ignore) }) // runs last
	plain := fake(t, kfake.NumBrokers(1)).ListenAddrs()[0]
	rows := []struct {
		name         string
		o            Options
		reason, want string
	}{
		{"dead port", Options{Brokers: []string{deadPort(t)}}, Refused, "refused the connection"},
		{"two dead ports", Options{Brokers: []string{deadPort(t), deadPort(t)}}, Refused, "refused the connection"},
		{"silent", Options{Brokers: []string{silent(t)}}, Timeout, "did not answer in time"},
		{"unknown host", Options{Brokers: []string{"nothing.invalid:9092"}}, Missing, "has no address"},
		{"TLS where there is none", Options{Brokers: []string{plain}, TLS: true}, "", ""},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.o.Timeout = 400 * time.Millisecond
			c := open(t, row.o)
			for name, look := range map[string]func(context.Context) error{
				"probe":   func(ctx context.Context) error { _, err := c.Probe(ctx); return err },
				"brokers": func(ctx context.Context) error { _, _, err := c.Brokers(ctx); return err },
				"topics":  func(ctx context.Context) error { _, _, err := c.Topics(ctx, ""); return err },
				"topic":   func(ctx context.Context) error { _, _, err := c.Topics(ctx, "x"); return err },
				"lag":     func(ctx context.Context) error { _, _, err := c.Lag(ctx, "x"); return err },
				"offsets": func(ctx context.Context) error { _, _, err := c.Offsets(ctx, "x", true); return err },
				"records": func(ctx context.Context) error { _, _, err := c.Records(ctx, "x", 1, true); return err },
			} {
				begun := time.Now()
				err := look(t.Context())
				var told *Error
				if !errors.As(err, &told) || row.reason != "" && told.Reason() != row.reason || !strings.Contains(err.Error(), row.want) {
					t.Errorf("%s: %v; want %s: %q", name, err, row.reason, row.want)
				}
				if took := time.Since(begun); took > 3*time.Second {
					t.Errorf("%s took %s with a timeout of 0.4 s", name, took)
				}
			}
		})
	}
	t.Run("cancelled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		time.AfterFunc(100*time.Millisecond, cancel)
		_, err := open(t, Options{Brokers: []string{silent(t)}}).Probe(ctx)
		if !errors.Is(err, context.Canceled) {
			t.Errorf("Probe() = %v", err)
		}
	})
}

// TestAdvertised is the usual mistake: the first broker answers, and sends its clients to a name that means nothing here.
func TestAdvertised(t *testing.T) {
	for _, row := range []struct{ name, host, want string }{
		{"unknown name", "kafka.invalid", "names a broker kafka.invalid (advertised.listeners), which has no address"},
		{"dead port", "127.0.0.2", "names a broker 127.0.0.2:1 (advertised.listeners), which refused the connection"},
	} {
		t.Run(row.name, func(t *testing.T) {
			cluster := fake(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "orders"))
			cluster.ControlKey(int16(kmsg.Metadata), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				answer := req.ResponseKind().(*kmsg.MetadataResponse)
				answer.Brokers = []kmsg.MetadataResponseBroker{{NodeID: 0, Host: row.host, Port: 1}}
				topic, name := kmsg.NewMetadataResponseTopic(), "orders"
				topic.Topic = &name
				topic.Partitions = []kmsg.MetadataResponseTopicPartition{{Replicas: []int32{0}, ISR: []int32{0}}}
				answer.Topics = append(answer.Topics, topic)
				return answer, nil, true
			})
			_, _, err := open(t, Options{Brokers: cluster.ListenAddrs(), Timeout: 2 * time.Second}).Offsets(t.Context(), "orders", false)
			if err == nil || !strings.Contains(err.Error(), row.want) {
				t.Errorf("Offsets() = %v; want %q", err, row.want)
			}
		})
	}
}

func TestLogin(t *testing.T) {
	cluster := fake(t, kfake.NumBrokers(1), kfake.EnableSASL(), kfake.Superuser("PLAIN", "bot", "right"), kfake.Superuser("SCRAM-SHA-256", "bot", "right"), kfake.Superuser("SCRAM-SHA-512", "bot", "right"))
	file := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(file, []byte("right\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, mechanism := range []string{"plain", "SCRAM-SHA-256", "scram-sha-512"} {
		o := Options{Brokers: cluster.ListenAddrs(), Mechanism: mechanism, Username: "bot", Password: "right", Timeout: 5 * time.Second}
		if _, err := open(t, o).Probe(t.Context()); err != nil {
			t.Errorf("%s: %v", mechanism, err)
		}
		o.PasswordFile, o.Password = file, "wrong"
		if _, err := open(t, o).Probe(t.Context()); err != nil {
			t.Errorf("%s with a file: %v", mechanism, err)
		}
		o.PasswordFile, o.Password = "", planted
		_, err := open(t, o).Probe(t.Context())
		if err == nil || !strings.Contains(err.Error(), "refused the login") || strings.Contains(err.Error(), planted) {
			t.Errorf("%s with a wrong password: %v", mechanism, err)
		}
	}
	// The fake hangs up on a wrong password; brokers answer so (KIP-152).
	cluster.ControlKey(int16(kmsg.SASLAuthenticate), func(req kmsg.Request) (kmsg.Response, error, bool) {
		answer := req.ResponseKind().(*kmsg.SASLAuthenticateResponse)
		answer.ErrorCode = kerr.SaslAuthenticationFailed.Code
		return answer, nil, true
	})
	_, err := open(t, Options{Brokers: cluster.ListenAddrs(), Mechanism: "plain", Username: "bot", Password: planted}).Probe(t.Context())
	var told *Error
	if !errors.As(err, &told) || told.Reason() != Denied || told.Code != "SASL_AUTHENTICATION_FAILED" || !strings.Contains(err.Error(), "refused the login") {
		t.Errorf("a wrong password, answered: %v", err)
	}
	o := Options{Brokers: cluster.ListenAddrs(), Mechanism: "plain", Username: "bot", PasswordFile: file + ".gone"}
	if _, err := open(t, o).Probe(t.Context()); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a password file that is not there: %v", err)
	}
	o = Options{Brokers: cluster.ListenAddrs(), Timeout: 2 * time.Second}
	if _, err := open(t, o).Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "it may want TLS or a login") {
		t.Errorf("without a login: %v", err)
	}
}

func TestAuthority(t *testing.T) {
	certificate, authority := certified(t)
	cluster := fake(t, kfake.NumBrokers(1), kfake.TLS(&tls.Config{Certificates: []tls.Certificate{certificate}, MinVersion: tls.VersionTLS12}))
	if _, err := open(t, Options{Brokers: cluster.ListenAddrs(), CAFile: authority}).Probe(t.Context()); err != nil {
		t.Errorf("with the authority: %v", err)
	}
	_, err := open(t, Options{Brokers: cluster.ListenAddrs(), TLS: true, Timeout: 2 * time.Second}).Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "offers no TLS that this client accepts") {
		t.Errorf("without the authority: %v", err)
	}
	_, err = open(t, Options{Brokers: cluster.ListenAddrs(), Timeout: 2 * time.Second}).Probe(t.Context())
	if err == nil || !strings.Contains(err.Error(), "it may want TLS or a login") {
		t.Errorf("without TLS: %v", err)
	}
}

// certified makes a certificate for 127.0.0.1 that is its own authority.
func certified(t *testing.T) (tls.Certificate, string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign | x509.KeyUsageDigitalSignature,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
	return tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}, file
}

// TestRefusals are answers that a broker gives to those who may not look.
func TestRefusals(t *testing.T) {
	for _, row := range []struct {
		name, want, reason string
		key                kmsg.Key
		code               *kerr.Error
		ask                func(context.Context, *Client) error
	}{
		{"groups denied", "denies the permission for the cluster", Denied, kmsg.ListGroups, kerr.ClusterAuthorizationFailed, func(ctx context.Context, c *Client) error { _, _, err := c.Lag(ctx, ""); return err }},
		{"coordinator away", "is loading the group", Busy, kmsg.ListGroups, kerr.CoordinatorLoadInProgress, func(ctx context.Context, c *Client) error { _, _, err := c.Lag(ctx, ""); return err }},
		{"unknown code", "answered ", Broken, kmsg.ListGroups, kerr.PolicyViolation, func(ctx context.Context, c *Client) error { _, _, err := c.Lag(ctx, ""); return err }},
	} {
		t.Run(row.name, func(t *testing.T) {
			cluster := fake(t, kfake.NumBrokers(1))
			cluster.ControlKey(int16(row.key), func(req kmsg.Request) (kmsg.Response, error, bool) {
				cluster.KeepControl()
				answer := req.ResponseKind().(*kmsg.ListGroupsResponse)
				answer.ErrorCode = row.code.Code
				return answer, nil, true
			})
			err := row.ask(t.Context(), open(t, Options{Brokers: cluster.ListenAddrs(), Timeout: 2 * time.Second}))
			var told *Error
			if !errors.As(err, &told) || told.Reason() != row.reason || !strings.Contains(err.Error(), row.want) || told.Code != row.code.Message {
				t.Errorf("got %v (%+v); want %s: %q", err, told, row.reason, row.want)
			}
		})
	}
}

// TestLargeRecords reads no more than it may, and shows little of much.
func TestLargeRecords(t *testing.T) {
	cluster := fake(t, kfake.NumBrokers(1), kfake.SeedTopics(1, "large"), kfake.BrokerConfigs(map[string]string{"message.max.bytes": "16777216"}))
	writer, err := kgo.NewClient(kgo.SeedBrokers(cluster.ListenAddrs()...), kgo.ProducerBatchMaxBytes(12<<20), kgo.ProducerBatchCompression(kgo.NoCompression()))
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	for range 8 {
		if err := writer.ProduceSync(t.Context(), &kgo.Record{Topic: "large", Value: bytes.Repeat([]byte("x"), 9<<20)}).FirstErr(); err != nil {
			t.Fatal(err)
		}
	}
	c := open(t, Options{Brokers: cluster.ListenAddrs()})
	_, rows, err := c.Records(t.Context(), "large", 2, false)
	if err != nil || len(rows) != 2 || len(rows[1][4]) > 3000 || !strings.HasSuffix(rows[1][4], "… (9437184 bytes)") {
		t.Errorf("Records(2) = %d rows, %v", len(rows), err)
	}
	if _, _, err := c.Records(t.Context(), "large", 8, false); err == nil || !strings.Contains(err.Error(), "more than 64 MiB had to be read: ask for fewer") {
		t.Errorf("Records(8) = %v", err)
	}
}

var texts = []struct {
	name string
	in   []byte
	want string
}{
	{"null", nil, "NULL"},
	{"empty", []byte{}, ""},
	{"text", []byte("größe 1"), "größe 1"},
	{"lines", []byte("a\r\nb\tc\nd"), `a\nb c\nd`},
	{"control", []byte("a\x1b[31m"), "0x611b5b33316d (6 bytes)"},
	{"not UTF-8", []byte{0xff, 0xfe}, "0xfffe (2 bytes)"},
	{"registry", []byte{0, 0, 0, 1, 2, 0xff}, "0x0000000102ff (6 bytes, schema 258)"},
	{"long bytes", bytes.Repeat([]byte{1}, 30), "0x" + strings.Repeat("01", 24) + "… (30 bytes)"},
	{"long text", bytes.Repeat([]byte("é"), 3000), strings.Repeat("é", 1999) + "… (6000 bytes)"},
}

func TestShown(t *testing.T) {
	for _, row := range texts {
		if got := shown(row.in); got != row.want {
			t.Errorf("%s: shown(%q) = %q, want %q", row.name, row.in, got, row.want)
		}
	}
}

func FuzzShown(f *testing.F) {
	for _, row := range texts {
		f.Add(row.in)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		got := shown(b)
		if !utf8.ValidString(got) || utf8.RuneCountInString(got) > mostValue+30 || strings.ContainsFunc(got, func(r rune) bool { return r < ' ' || r == 0x7f }) {
			t.Errorf("shown(%q) = %q", b, got)
		}
		_ = letter(&kgo.Record{Headers: []kgo.RecordHeader{{Key: errorHeaders + "topic", Value: b}, {Key: errorHeaders + string(b)}}})
	})
}
