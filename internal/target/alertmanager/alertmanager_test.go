package alertmanager

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/lab"
	"cdcbot/internal/target/web"
)

// TestSilenceOnTheLab makes a real silence and reads it back as Alertmanager keeps it.
func TestSilenceOnTheLab(t *testing.T) {
	services := lab.Require(t, lab.Alertmanager)
	c, err := New(Options{Web: web.Options{URL: services.Alertmanager}})
	if err != nil {
		t.Fatal(err)
	}
	from := time.Now()
	until := from.Add(time.Hour).Truncate(time.Millisecond)
	alert := "SilencedInATest" + strings.ReplaceAll(from.Format("150405.000000"), ".", "")
	id, err := c.Silence(t.Context(), alert, []string{"orders.sink", "users+sink"}, from, until, "oncall", "the database team is on it")
	if err != nil {
		t.Fatal(err)
	}
	got := read(t, services.Alertmanager, id)
	if got.Status.State != "active" || got.CreatedBy != "oncall" || got.Comment != "the database team is on it" || !got.EndsAt.Equal(until) {
		t.Errorf("got %+v", got)
	}
	if m := got.Matchers; len(m) != 2 || m[0].Value != alert || !m[1].IsRegex || m[1].Value != `orders\.sink|users\+sink` || m[1].Name != "connector" {
		t.Errorf("matchers %+v", m)
	}
	for range 2 { // the second time it has expired already
		if err := c.Expire(t.Context(), id); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, services.Alertmanager, id); got.Status.State != "expired" {
		t.Errorf("still %s", got.Status.State)
	}
	if err := c.Expire(t.Context(), "00000000-0000-0000-0000-000000000000"); err != nil {
		t.Errorf("a silence that nobody knows: %v", err)
	}
	if _, err := c.Silence(t.Context(), alert, nil, from, from.Add(-time.Hour), "oncall", "ends before it starts"); err == nil || !strings.Contains(err.Error(), "HTTP 400") {
		t.Errorf("got %v, want the refusal in Alertmanager's words", err)
	}
	if line, err := c.Probe(t.Context()); err != nil || !strings.Contains(line, "Alertmanager") {
		t.Errorf("probe says %q, %v", line, err)
	}
}

type kept struct {
	silence
	Status struct {
		State string `json:"state"`
	} `json:"status"`
}

func read(t *testing.T, base, id string) (k kept) {
	t.Helper()
	answer, err := http.Get(base + "/api/v2/silence/" + id)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if err := json.NewDecoder(answer.Body).Decode(&k); err != nil {
		t.Fatal(err)
	}
	return k
}

func TestWhatIsNoAlertmanager(t *testing.T) {
	for _, row := range []struct {
		name, body, want string
		status           int
	}{
		{"another server", "<html>", "names no silence", http.StatusOK},
		{"one that refuses", `"bad matcher format"`, "bad matcher format", http.StatusBadRequest},
		{"a proxy without words", "", "Bad Gateway", http.StatusBadGateway},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.WriteHeader(row.status)
				_, _ = io.WriteString(w, row.body)
			}))
			defer s.Close()
			c, err := New(Options{Web: web.Options{URL: s.URL, Token: "planted-token"}})
			if err != nil {
				t.Fatal(err)
			}
			_, err = c.Silence(t.Context(), "A", nil, time.Now(), time.Now().Add(time.Hour), "oncall", "why")
			if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), "planted-token") {
				t.Errorf("got %v, want it to say %q", err, row.want)
			}
		})
	}
}
