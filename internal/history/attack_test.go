package history

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"strings"
	"testing"
	"time"
)

// Secrets are planted everywhere a configuration has room for them, and nothing of them is in Redis: not the text, and
// with a key no digest that a list of guesses could be tried on.
func TestSecretsStayOut(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		for i := range 30 {
			secret := fmt.Sprintf("%s-%d", planted, i/3)
			seen := Sighting{Connector: "sink", State: "RUNNING", Healthy: true, Config: map[string]string{
				"connection.password": secret, "connection.url": "jdbc:postgresql://app:" + secret + "@db/x?password=" + secret, "password": secret + "\x00\n\"", "n": fmt.Sprint(i / 5),
			}}
			saw(t, s, seen)
			if err := s.Saw(t.Context(), "warehouse", "alone", seen.Config); err != nil {
				t.Fatal(err)
			}
			c.add(10 * time.Second)
		}
		secretsStayOut(t, s, planted)
		for k, text := range texts(t, s) {
			for i := range 10 {
				secret := fmt.Sprintf("%s-%d", planted, i)
				for _, guess := range []string{secret, "connection.password\x00" + secret} {
					sum := sha256.Sum256([]byte(guess))
					if strings.Contains(text, `"`+hex.EncodeToString(sum[:16])) || strings.Contains(text, `"`+hex.EncodeToString(sum[:2])+`"`) {
						t.Errorf("%s holds a digest of a secret without the key: %s", k, text)
					}
				}
			}
		}
	})
}

// What a mark tells of a secret.
func TestMarks(t *testing.T) {
	keyed, other, short := &Store{Key: []byte("one")}, &Store{Key: []byte("other")}, &Store{}
	base := keyed.mark("p", "sink", "password", planted)
	for name, mark := range map[string]string{
		"another key":       other.mark("p", "sink", "password", planted),
		"another cluster":   keyed.mark("q", "sink", "password", planted),
		"another connector": keyed.mark("p", "source", "password", planted),
		"another option":    keyed.mark("p", "sink", "other.password", planted),
		"another secret":    keyed.mark("p", "sink", "password", planted+"2"),
		"shifted borders":   keyed.mark("p", "sin", "kpassword", planted),
	} {
		if mark == base {
			t.Errorf("%s has the same mark", name)
		}
	}
	if keyed.mark("p", "sink", "password", planted) != base {
		t.Error("the same secret has another mark")
	}
	if keyed.kind() == other.kind() || keyed.kind() == short.kind() {
		t.Error("marks of different keys are of one kind")
	}
	if short.mark("p", "sink", "password", planted) != short.mark("q", "source", "x", planted) {
		t.Error("without a key, a secret gives away 8 bits more wherever it is used")
	}
	fits := 0
	for i := range 10_000 {
		if short.mark("", "", "", fmt.Sprint("guess", i)) == short.mark("", "", "", planted) {
			fits++
		}
	}
	if fits < 20 || fits > 60 {
		t.Errorf("%d of 10,000 guesses fit a mark of 8 bits, want about 40", fits)
	}
}
