package approval

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/pquerna/otp/totp"
)

const factor = "JBSWY3DPEHPK3PXPJBSWY3DP"

func TestParseFactors(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"two", "U012:" + factor + "\n u034:" + factor, ""},
		{"none", "", ""},
		{"no secret", "U012", "second factor of U012: want at least 16"},
		{"not base32", "U012:1111111111111111", "second factor of U012"},
		{"short", "U012:JBSWY3DP", "second factor of U012"},
		{"no person", ":" + factor, "second factor 1: user"},
		{"twice", "U012:" + factor + ",u012:" + factor, "stands there twice"},
	} {
		_, err := ParseFactors(row.text)
		if (err == nil) != (row.want == "") || err != nil && !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.want)
		}
		if err != nil && strings.Contains(err.Error(), factor) {
			t.Errorf("%s: the error tells the secret", row.name)
		}
	}
}

// A code is good once, in its time, for its owner; guesses run out.
func TestCodes(t *testing.T) {
	client, m := mini(t)
	c := newClock()
	secrets, err := ParseFactors("U1:" + factor + " U2:" + strings.Repeat("K", 24))
	if err != nil {
		t.Fatal(err)
	}
	codes := NewCodes(client, c.now, secrets)
	at := func(d time.Duration) string {
		code, err := totp.GenerateCode(factor, c.at.Add(d))
		if err != nil {
			t.Fatal(err)
		}
		return code
	}
	steps := []struct {
		name, user, code string
		want             error
	}{
		{"none", "U1", " ", ErrCodeNeeded},
		{"nobody's", "U9", at(0), ErrNoFactor},
		{"another person's", "U2", at(0), ErrCode},
		{"a minute old", "U1", at(-60 * time.Second), ErrCode},
		{"now, with a blank", "u1", at(0)[:3] + " " + at(0)[3:], nil},
		{"the same again", "U1", at(0), ErrCode},
		{"the one before", "U1", at(-30 * time.Second), nil},
		{"no digits", "U1", "abcdef", ErrCode},
		{"guess", "U1", "000000", ErrCode},
		{"guess", "U1", "000001", ErrCode},
		{"guess", "U1", "000002", ErrCode},
		{"the right one after too many guesses", "U1", at(30 * time.Second), ErrTooMany},
	}
	for _, s := range steps {
		if err := codes.Verify(t.Context(), s.user, s.code); !errors.Is(err, s.want) || s.want == nil && err != nil {
			t.Errorf("%s: got %v, want %v", s.name, err, s.want)
		}
	}
	m.FastForward(wrongWithin)
	if err := codes.Verify(t.Context(), "U1", at(30*time.Second)); err != nil {
		t.Errorf("after a while: %v", err)
	}
	m.Close()
	if err := codes.Verify(t.Context(), "U1", at(0)); !errors.Is(err, ErrUnavailable) {
		t.Errorf("without redis: %v", err)
	}
}

// A request that needs a proof takes no approval without one, and none counts that got past that.
func TestStepUp(t *testing.T) {
	client, _ := mini(t)
	s := newStore(client, newClock())
	ask := request("U1", 1)
	ask.StepUp = true
	asked := must[Request](t)(s.Ask(t.Context(), ask))
	if _, err := s.answer(t.Context(), "REQ-1", "U2", Approve, digest); !errors.Is(err, ErrCodeNeeded) {
		t.Errorf("without a proof: %v, want ErrCodeNeeded", err)
	}
	asked.Decisions = []Decision{{User: "U2", Verdict: Approve, Digest: digest, At: asked.CreatedAt}}
	if asked.agreed() {
		t.Error("an approval without a proof counts")
	}
	must[Request](t)(s.Decide(t.Context(), "REQ-1", Decision{User: "U2", Verdict: Approve, Digest: digest, Proof: "totp"}))
	must[Grant](t)(s.Claim(t.Context(), "REQ-1", digest, "RUN-1"))
	ask.Incident = "INC-2"
	must[Request](t)(s.Ask(t.Context(), ask))
	must[Request](t)(s.answer(t.Context(), "REQ-2", "U2", Reject, digest)) // to say no needs no proof
}
