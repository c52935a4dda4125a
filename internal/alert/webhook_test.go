package alert

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
)

// shelf is a Sink that keeps what it takes, or refuses.
type shelf struct {
	mu     sync.Mutex
	alerts []Alert
	err    error
}

func (s *shelf) Receive(_ context.Context, alerts []Alert) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err != nil {
		return s.err
	}
	s.alerts = append(s.alerts, alerts...)
	return nil
}

func (s *shelf) refuse(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// take returns what has been taken since the last call, as "status name connector task".
func (s *shelf) take() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	var list []string
	for _, a := range s.alerts {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %s %s %s", a.Status, a.Name, a.Connector, a.Task)))
	}
	s.alerts = nil
	return list
}

var noon = time.Date(2026, 11, 23, 12, 0, 0, 0, time.UTC)

func handler(sink Sink) *Handler {
	return &Handler{Sink: sink, Token: "s3cret", Now: func() time.Time { return noon }, Labels: LabelNames{"connector", "task", "cluster", "pipeline"}}
}

func post(h http.Handler, body string, header ...string) *httptest.ResponseRecorder {
	r := httptest.NewRequest(http.MethodPost, "/alerts", strings.NewReader(body))
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Authorization", "Bearer s3cret")
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Del(header[i])
		if header[i+1] != "" {
			r.Header.Set(header[i], header[i+1])
		}
	}
	rec := httptest.NewRecorder()
	h.ServeHTTP(rec, r)
	return rec
}

// one is a payload with one alert; more are its further fields.
func one(more string) string {
	return `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"A"},"startsAt":"2026-11-23T11:00:00Z"` + more + `}]}`
}

func sample(t testing.TB, name string) string {
	t.Helper()
	b, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestRealPayloads(t *testing.T) {
	tests := []struct {
		name string
		want Alert
		n    int
	}{
		{"alertmanager-0.25-firing.json", Alert{
			Source: FromAlertmanager, Name: "KafkaConnectTaskFailure", Status: Firing, Connector: "jdbc-sink-connector", Task: "0",
			Labels:      map[string]string{"alertname": "KafkaConnectTaskFailure", "connector": "jdbc-sink-connector", "instance": "127.0.0.1:18090", "job": "kafka-connect", "severity": "critical", "status": "failed", "task": "0"},
			Annotations: map[string]string{"summary": "Task 0 of jdbc-sink-connector is FAILED on 127.0.0.1:18090"},
			StartsAt:    time.Date(2026, 11, 23, 1, 17, 4, 202e6, time.UTC), Fingerprint: "3c46b8aafc29c577",
			GroupKey:     `{}:{alertname="KafkaConnectTaskFailure", connector="jdbc-sink-connector"}`,
			GeneratorURL: "http://vm:18490/graph?g0.expr=kafka_connect_task_status%7Bstatus%3D%22failed%22%7D+%3D%3D+1&g0.tab=1", ExternalURL: "http://vm:18491", ReceivedAt: noon,
		}, 1},
		{"alertmanager-0.25-resolved.json", Alert{}, 1},
		{"alertmanager-0.34-firing.json", Alert{}, 2},
		{"alertmanager-0.34-resolved.json", Alert{}, 2},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &shelf{}
			rec := post(handler(s), sample(t, test.name))
			if rec.Code != 200 || len(s.alerts) != test.n || !strings.Contains(rec.Body.String(), fmt.Sprintf(`"accepted":%d`, test.n)) {
				t.Fatalf("got %d %s and %d alerts, want 200 and %d", rec.Code, rec.Body, len(s.alerts), test.n)
			}
			if test.want.Name != "" {
				if diff := cmp.Diff(test.want, s.alerts[0]); diff != "" {
					t.Errorf("alert (-want +got):\n%s", diff)
				}
			}
			for _, a := range s.alerts {
				if resolved := strings.Contains(test.name, "resolved"); (a.Status == Resolved) != resolved || a.EndsAt.IsZero() == resolved || a.Fingerprint == "" {
					t.Errorf("alert %+v of %s", a, test.name)
				}
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	deep := strings.Repeat("[", 20000) + strings.Repeat("]", 20000)
	tests := []struct {
		name, body string
		header     []string
		code       int
		want       []string
	}{
		{"no token", one(""), []string{"Authorization", ""}, 401, []string{`"field":"Authorization"`, "alerts.token"}},
		{"wrong token", one(""), []string{"Authorization", "Bearer s3cre"}, 401, []string{"missing or wrong"}},
		{"token in another scheme", one(""), []string{"Authorization", "Basic s3cret"}, 401, []string{"missing or wrong"}},
		{"text", one(""), []string{"Content-Type", "text/plain"}, 415, []string{`\"text/plain\"`, "application/json"}},
		{"odd content type", one(""), []string{"Content-Type", ";;" + strings.Repeat("x", 500)}, 415, []string{"…"}},
		{"empty", "", nil, 400, []string{"not JSON at byte 0"}},
		{"cut off", one("")[:40], nil, 400, []string{"not JSON at byte 40", "unexpected end"}},
		{"garbage after", one("") + "x", nil, 400, []string{"not JSON at byte 108"}},
		{"a list", "[]", nil, 400, []string{"a array stands where something else is expected"}},
		{"null", "null", nil, 400, []string{"version is missing"}},
		{"binary", "\x00\xff\xfe", nil, 400, []string{"not JSON at byte 1"}},
		{"deep", `{"version":"4","alerts":` + deep + `}`, nil, 400, []string{"not JSON"}},
		{"version 3", strings.Replace(one(""), `"4"`, `"3"`, 1), nil, 400, []string{`"error":"version is \"3\""`, `"field":"version"`, `"expected":"\"4\""`}},
		{"version as a number", strings.Replace(one(""), `"4"`, `4`, 1), nil, 400, []string{`"field":"version"`, "string"}},
		{"no alerts", `{"version":"4","alerts":[]}`, nil, 400, []string{`"field":"alerts"`}},
		{"alerts are no list", `{"version":"4","alerts":{}}`, nil, 400, []string{`"field":"alerts"`}},
		{"no name", strings.Replace(one(""), "alertname", "name", 1), nil, 400, []string{`"field":"alerts[0].labels.alertname"`, "is missing"}},
		{"null labels", `{"version":"4","alerts":[{"status":"firing","labels":null,"startsAt":"2026-11-23T11:00:00Z"}]}`, nil, 400, []string{"alerts[0].labels.alertname is missing"}},
		{"label is a number", strings.Replace(one(""), `"A"`, `7`, 1), nil, 400, []string{`"field":"alerts.labels`}},
		{"bad status", strings.Replace(one(""), "firing", "burning", 1), nil, 400, []string{`alerts[0].status is \"burning\"`, "firing"}},
		{"bad time", strings.Replace(one(""), "2026-11-23T11", "yesterday", 1), nil, 400, []string{`"field":"alerts[0].startsAt"`, "2026-01-02T15:04:05Z"}},
		{"no time", strings.Replace(one(""), "startsAt", "began", 1), nil, 400, []string{"alerts[0].startsAt is missing"}},
		{"zero time", strings.Replace(one(""), "2026-11-23T11:00:00Z", "0001-01-01T00:00:00Z", 1), nil, 400, []string{"alerts[0].startsAt"}},
		{"resolved without an end", strings.Replace(one(""), "firing", "resolved", 1), nil, 400, []string{"alerts[0].endsAt is missing"}},
		{"the second is bad", strings.Replace(one(""), "]}", `,{"status":"x"}]}`, 1), nil, 400, []string{"alerts[1].status"}},
		{"large", one(`,"x":"` + strings.Repeat("a", 1<<20) + `"`), nil, 413, []string{"larger than 1048576 bytes", "max_alerts"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			s := &shelf{}
			rec := post(handler(s), test.body, test.header...)
			var answer struct{ Error, Field, Expected string }
			if err := json.Unmarshal(rec.Body.Bytes(), &answer); err != nil || answer.Error == "" {
				t.Errorf("answer %s: %v", rec.Body, err)
			}
			if rec.Code != test.code || len(s.alerts) != 0 {
				t.Errorf("got %d %s and %d alerts, want %d and none", rec.Code, rec.Body, len(s.alerts), test.code)
			}
			for _, part := range test.want {
				if !strings.Contains(rec.Body.String(), part) {
					t.Errorf("answer %s does not say %s", rec.Body, part)
				}
			}
			if strings.Contains(rec.Body.String(), "s3cret") || rec.Body.Len() > 1000 {
				t.Errorf("answer %s", rec.Body)
			}
		})
	}
}

func TestMethods(t *testing.T) {
	for _, method := range []string{"GET", "PUT", "DELETE", "HEAD", "ODD"} {
		rec := httptest.NewRecorder()
		handler(&shelf{}).ServeHTTP(rec, httptest.NewRequest(method, "/alerts", nil))
		if rec.Code != 405 || rec.Header().Get("Allow") != "POST" {
			t.Errorf("%s: got %d, Allow %q", method, rec.Code, rec.Header().Get("Allow"))
		}
	}
}

func TestCredentials(t *testing.T) {
	tests := []struct {
		name                      string
		token, username, password string
		header                    string
		code                      int
		challenges                int
	}{
		{"open", "", "", "", "", 200, 0},
		{"bearer", "t", "", "", "Bearer t", 200, 0},
		{"bearer in small letters", "t", "", "", "bearer t", 200, 0},
		{"basic", "", "u", "p", "Basic dTpw", 200, 0},
		{"basic wrong", "", "u", "x", "Basic dTpw", 401, 1},
		{"either", "t", "u", "p", "Basic dTpw", 200, 0},
		{"neither", "t", "u", "p", "", 401, 2},
		{"empty token is none", "", "u", "p", "Bearer ", 401, 1},
	}
	for _, test := range tests {
		h := handler(&shelf{})
		h.Token, h.Username, h.Password = test.token, test.username, test.password
		rec := post(h, one(""), "Authorization", test.header)
		if rec.Code != test.code || len(rec.Header().Values("WWW-Authenticate")) != test.challenges {
			t.Errorf("%s: got %d with challenges %q, want %d with %d", test.name, rec.Code, rec.Header().Values("WWW-Authenticate"), test.code, test.challenges)
		}
	}
}

func TestUnavailable(t *testing.T) {
	s := &shelf{err: errors.New("redis://:pw@db: connection refused")}
	registry := prometheus.NewPedanticRegistry()
	h := handler(s)
	h.Metrics = NewMetrics(registry)
	rec := post(h, one(""))
	if rec.Code != 503 || rec.Header().Get("Retry-After") == "" || strings.Contains(rec.Body.String(), "redis") {
		t.Errorf("got %d %s, Retry-After %q; want 503 without details", rec.Code, rec.Body, rec.Header().Get("Retry-After"))
	}
	s.refuse(nil)
	if rec := post(h, one("")); rec.Code != 200 {
		t.Errorf("the same alert afterwards: %d", rec.Code)
	}
	families, err := registry.Gather()
	if err != nil || len(families) != 2 {
		t.Fatalf("metrics %v, %v", families, err)
	}
	for _, f := range families {
		for _, m := range f.GetMetric() {
			if m.GetCounter().GetValue() != 1 {
				t.Errorf("%s: %v, want one refusal, one answer and one alert", f.GetName(), m)
			}
		}
	}
}

// hanging is a Sink that answers when its caller has had enough.
type hanging struct{}

func (hanging) Receive(ctx context.Context, _ []Alert) error { <-ctx.Done(); return ctx.Err() }

func TestSlowSink(t *testing.T) {
	h := handler(hanging{})
	h.Timeout = 10 * time.Millisecond
	if rec := post(h, one("")); rec.Code != 503 {
		t.Errorf("got %d, want 503 when storing takes too long", rec.Code)
	}
}

func TestStorm(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"version":"4","truncatedAlerts":7,"alerts":[`)
	for i := range 10000 {
		if i > 0 {
			b.WriteByte(',')
		}
		fmt.Fprintf(&b, `{"status":"firing","labels":{"alertname":"A","connector":"c%d %s/\u0000"},"startsAt":"2026-11-23T11:00:00+01:00"}`, i/2, "\xff")
	}
	b.WriteString("]}")
	s, h := &shelf{}, handler(nil)
	h.Sink, h.MaxBody = s, 4<<20
	rec := post(h, b.String())
	if rec.Code != 200 || !strings.Contains(rec.Body.String(), `{"accepted":10000,"truncated":7}`) {
		t.Fatalf("got %d %s", rec.Code, rec.Body)
	}
	if a, b, c := s.alerts[0], s.alerts[1], s.alerts[2]; a.Fingerprint != b.Fingerprint || a.Fingerprint == c.Fingerprint || a.Connector != "c0 \uFFFD/\x00" {
		t.Errorf("fingerprints %s %s %s of %q: equal labels must have equal ones", a.Fingerprint, b.Fingerprint, c.Fingerprint, a.Connector)
	}
	if got := s.alerts[0].StartsAt; !got.Equal(noon.Add(-2*time.Hour)) || got.Location() != time.UTC {
		t.Errorf("time %v, want 10:00 UTC", got)
	}
}

func FuzzHandler(f *testing.F) {
	for _, name := range []string{"alertmanager-0.25-firing.json", "alertmanager-0.25-resolved.json", "alertmanager-0.34-firing.json", "alertmanager-0.34-resolved.json"} {
		f.Add(sample(f, name))
	}
	for _, seed := range []string{"", "null", "[]", one(""), one(`,"endsAt":"x"`), one(`,"fingerprint":"` + strings.Repeat("f", 100) + `"`), `{"version":"4","alerts":[null]}`, "{\"version\":\"4\",\"alerts\":[{\"status\":\"\xff\"}]}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, body string) {
		s := &shelf{}
		rec := post(handler(s), body)
		if rec.Code != 200 && rec.Code != 400 || !json.Valid(rec.Body.Bytes()) {
			t.Errorf("%q: %d %s", body, rec.Code, rec.Body)
		}
		for _, a := range s.alerts {
			if a.Name == "" || a.StartsAt.IsZero() || a.Fingerprint == "" || len(a.Fingerprint) > maxFingerprint || a.Status != Firing && a.Status != Resolved {
				t.Errorf("%q: took %+v", body, a)
			}
		}
	})
}
