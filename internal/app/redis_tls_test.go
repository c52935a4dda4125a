package app

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/config"
)

// papers are an authority, and one certificate by it for servers and clients on loopback.
type papers struct{ ca, cert, key string }

func issue(t *testing.T) papers {
	t.Helper()
	dir := t.TempDir()
	p := papers{filepath.Join(dir, "ca.pem"), filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")}
	caKey, key := newKey(t), newKey(t)
	ca := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "test authority"}, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	leaf := &x509.Certificate{SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "redis"}, NotBefore: ca.NotBefore, NotAfter: ca.NotAfter, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth}}
	sign := func(path string, c *x509.Certificate, of *ecdsa.PrivateKey) {
		der, err := x509.CreateCertificate(rand.Reader, c, ca, &of.PublicKey, caKey)
		if err != nil {
			t.Fatal(err)
		}
		save(t, path, "CERTIFICATE", der)
	}
	sign(p.ca, ca, caKey)
	sign(p.cert, leaf, key)
	der, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	save(t, p.key, "PRIVATE KEY", der)
	return p
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func save(t *testing.T, path, kind string, der []byte) {
	t.Helper()
	if err := os.WriteFile(path, pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}), 0o600); err != nil {
		t.Fatal(err)
	}
}

// settings make a server speak TLS alone, and ask everybody for a certificate.
func (p papers) settings() []string {
	return []string{"--tls-cert-file", p.cert, "--tls-key-file", p.key, "--tls-ca-cert-file", p.ca, "--tls-auth-clients", "yes", "--tls-cluster", "yes", "--tls-replication", "yes"}
}

// client is the test's own way in.
func (p papers) client(t *testing.T, addr string) *redis.Client {
	t.Helper()
	secure, err := certificates(config.Redis{TLS: true, CAFile: p.ca, CertFile: p.cert, KeyFile: p.key})
	if err != nil {
		t.Fatal(err)
	}
	own := redis.NewClient(&redis.Options{Addr: addr, MaxRetries: -1, TLSConfig: secure})
	t.Cleanup(func() { _ = own.Close() })
	return own
}

func TestRedisOverTLS(t *testing.T) {
	p, other := issue(t), issue(t)
	s := &server{t: t, addr: free(t), dir: t.TempDir()}
	_, port, _ := net.SplitHostPort(s.addr)
	s.args = append(append([]string{"--tls-port", port, "--port", "0"}, p.settings()...), promised...)
	s.own = p.client(t, s.addr)
	t.Cleanup(s.kill)
	s.start()
	s.do("ACL", "SETUSER", aclUser, "on", ">"+aclPassword, "~*", "&*", "+@all")
	url := "rediss://" + s.addr
	for _, row := range []struct {
		name   string
		config config.Redis
		want   string // empty: it works
	}{
		{"authority, certificate and user", config.Redis{URL: url, Username: aclUser, Password: aclPassword, CAFile: p.ca, CertFile: p.cert, KeyFile: p.key}, ""},
		{"redis.tls instead of rediss", config.Redis{URL: "redis://" + s.addr, TLS: true, CAFile: p.ca, CertFile: p.cert, KeyFile: p.key}, ""},
		{"user and password of the URL", config.Redis{URL: "rediss://" + aclUser + ":" + aclPassword + "@" + s.addr, CAFile: p.ca, CertFile: p.cert, KeyFile: p.key}, ""},
		{"wrong password", config.Redis{URL: url, Username: aclUser, Password: "wrong", CAFile: p.ca, CertFile: p.cert, KeyFile: p.key}, "WRONGPASS"},
		{"another authority", config.Redis{URL: url, CAFile: other.ca, CertFile: p.cert, KeyFile: p.key}, "unknown authority"},
		{"no certificate of one's own", config.Redis{URL: url, CAFile: p.ca}, "certificate required"},
		{"in the clear", config.Redis{URL: "redis://" + s.addr}, "redis does not answer"},
	} {
		t.Run(row.name, func(t *testing.T) {
			err := ping(t.Context(), open(t, row.config))
			if row.want == "" && err != nil || row.want != "" && (err == nil || !strings.Contains(err.Error(), row.want)) {
				t.Errorf("got %v, want %q", err, row.want)
			}
		})
	}
}

func TestCertificatesThatCannotBeRead(t *testing.T) {
	p, other := issue(t), issue(t)
	for _, row := range []struct {
		name   string
		config config.Redis
		want   string
	}{
		{"no authority", config.Redis{TLS: true, CAFile: filepath.Join(t.TempDir(), "none")}, "redis.ca_file"},
		{"no certificate in it", config.Redis{TLS: true, CAFile: p.key}, "expected PEM"},
		{"another's key", config.Redis{TLS: true, CertFile: p.cert, KeyFile: other.key}, "redis.key_file"},
		{"no URL", config.Redis{URL: "http://x"}, "redis.url"},
	} {
		if _, err := openRedis(row.config); err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
	}
}

// The nodes of a Cluster that speaks TLS announce their TLS ports, and the bot's certificates serve for all of them.
func TestClusterOverTLS(t *testing.T) {
	p := issue(t)
	s := &server{t: t, addr: free(t), dir: t.TempDir()}
	_, port, _ := net.SplitHostPort(s.addr)
	s.args = append(append([]string{"--tls-port", port, "--port", "0", "--cluster-enabled", "yes", "--cluster-announce-ip", "127.0.0.1"}, p.settings()...), promised...)
	s.own = p.client(t, s.addr)
	t.Cleanup(s.kill)
	s.start()
	s.do("CLUSTER", "ADDSLOTSRANGE", 0, 16383)
	eventually(t, "the Cluster is whole", func() bool { return places(s) == 1 && s.own.Set(t.Context(), "x", "1", 0).Err() == nil })
	rdb := open(t, config.Redis{TLS: true, CAFile: p.ca, CertFile: p.cert, KeyFile: p.key, Accept: []string{config.RiskReplicas}, Cluster: config.Cluster{Addresses: []string{s.addr}}})
	if err := ping(t.Context(), rdb); err != nil {
		t.Error(err)
	}
	if got, err := rdb.Get(t.Context(), "x").Result(); err != nil || got != "1" {
		t.Errorf("got %q, %v", got, err)
	}
}
