package seal

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

var (
	one = strings.Repeat("0a", 32)
	two = strings.Repeat("f1", 48)
)

func ring(t testing.TB, text string) *Ring {
	t.Helper()
	r, err := Parse(text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func TestParse(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"one", "k1:" + one, ""},
		{"lines", "k2:" + two + "\r\nk1:" + one + "\n", ""},
		{"commas", "k2:" + two + ", k1:" + one, ""},
		{"nothing", " \n", "no key"},
		{"no id", one, "key 1: want <id>:<secret>"},
		{"empty id", "k1:" + one + " :" + one, "key 2: want <id>:<secret>"},
		{"short", "k1:abcd", `key "k1": want at least 64 hexadecimal digits after the colon (openssl rand -hex 32), got 4 characters`},
		{"not hex", "k1:" + strings.Repeat("zz", 32), `key "k1": want at least 64 hexadecimal digits`},
		{"twice", "k1:" + one + " k1:" + two, `key "k1" stands there twice`},
	} {
		_, err := Parse(row.text)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
		if err != nil && (strings.Contains(err.Error(), one) || strings.Contains(err.Error(), "zz")) {
			t.Errorf("%s: the error tells the secret: %v", row.name, err)
		}
	}
}

func TestCheck(t *testing.T) {
	old, both, other := ring(t, "k1:"+one), ring(t, "k2:"+two+" k1:"+one), ring(t, "k1:"+two)
	sealed := old.Sum("request", []byte("REQ-1"))
	for _, row := range []struct {
		name                   string
		ring                   *Ring
		domain, record, sealed string
		want                   error
	}{
		{"own", old, "request", "REQ-1", sealed, nil},
		{"after rotation", both, "request", "REQ-1", sealed, nil},
		{"the new key seals", both, "request", "REQ-1", both.Sum("request", []byte("REQ-1")), nil},
		{"the old ring does not know the new key", old, "request", "REQ-1", both.Sum("request", []byte("REQ-1")), ErrUnknownKey},
		{"another secret", other, "request", "REQ-1", sealed, ErrForged},
		{"another record", old, "request", "REQ-2", sealed, ErrForged},
		{"another kind", old, "decision", "REQ-1", sealed, ErrForged},
		{"moved border", old, "requestR", "EQ-1", sealed, ErrForged},
		{"none", old, "request", "REQ-1", "", ErrUnsealed},
		{"cut", old, "request", "REQ-1", sealed[:len(sealed)-4], ErrForged},
		{"no code", old, "request", "REQ-1", "k1", ErrForged},
		{"not base64", old, "request", "REQ-1", "k1:%%%", ErrForged},
		{"plain hash", old, "request", "REQ-1", plain("REQ-1"), ErrForged},
	} {
		if err := row.ring.Check(row.domain, []byte(row.record), row.sealed); !errors.Is(err, row.want) {
			t.Errorf("%s: got %v, want %v", row.name, err, row.want)
		}
	}
	if !strings.HasPrefix(both.Sum("", nil), "k2:") || !strings.HasPrefix(sealed, "k1:") {
		t.Errorf("seals do not name their key: %s, %s", both.Sum("", nil), sealed)
	}
}

// plain is what somebody without the key could make: the HMAC under an empty one.
func plain(record string) string {
	h := hmac.New(sha256.New, nil)
	_, _ = h.Write([]byte(record))
	return "k1:" + base64.RawURLEncoding.EncodeToString(h.Sum(nil))
}

// Any two records that differ in kind or content have different seals, and each fits its own.
func TestSealsDiffer(t *testing.T) {
	r := ring(t, "k1:"+one)
	rapid.Check(t, func(rt *rapid.T) {
		a, b := rapid.String().Draw(rt, "domain"), rapid.String().Draw(rt, "other domain")
		x, y := rapid.SliceOf(rapid.Byte()).Draw(rt, "record"), rapid.SliceOf(rapid.Byte()).Draw(rt, "other record")
		if err := r.Check(a, x, r.Sum(a, x)); err != nil {
			rt.Fatal(err)
		}
		if same := a == b && string(x) == string(y); !same && r.Check(b, y, r.Sum(a, x)) == nil {
			rt.Fatalf("the seal of %q %q is good for %q %q", a, x, b, y)
		}
	})
}

func TestCloseAndOpen(t *testing.T) {
	r := ring(t, "k1:"+one)
	closed := r.Close("run", []byte(`{"id": "RUN-1"}`))
	if got, err := r.Open("run", closed); err != nil || string(got) != `{"id": "RUN-1"}` {
		t.Errorf("got %q, %v", got, err)
	}
	for name, bad := range map[string]struct {
		text string
		want error
	}{
		"changed": {strings.Replace(string(closed), "RUN-1", "RUN-2", 1), ErrForged}, "plain": {`{"id": "RUN-1"}`, ErrUnknownKey}, "one word": {"x", ErrUnsealed}, "empty": {"", ErrUnsealed}, "no seal": {" {}", ErrUnsealed},
	} {
		if _, err := r.Open("run", []byte(bad.text)); !errors.Is(err, bad.want) {
			t.Errorf("%s: got %v, want %v", name, err, bad.want)
		}
	}
	var none *Ring
	if got, err := none.Open("run", none.Close("run", []byte("x"))); err != nil || string(got) != "x" || none.Sum("run", nil) != "" || none.Check("run", nil, "k1:forged") != nil {
		t.Errorf("without keys: got %q, %v", got, err)
	}
}
