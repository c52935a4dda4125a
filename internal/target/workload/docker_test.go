package workload

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/types/container"
)

// engine answers as a Docker Engine would, as far as a test says: "METHOD path" or "path", to a body, after a status
// where the body begins with one. What it does not know is a container that is not there.
func engine(t *testing.T, answers map[string]string) *Docker {
	t.Helper()
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		w.Header().Set("Api-Version", "1.41")
		path := strings.TrimPrefix(r.URL.Path, "/v1.41")
		body, ok := answers[r.Method+" "+path]
		if !ok {
			body, ok = answers[path]
		}
		switch {
		case path == "/_ping":
		case !ok:
			w.WriteHeader(http.StatusNotFound)
			_, _ = io.WriteString(w, `{"message":"No such container: x"}`)
		case body == "hang":
			<-r.Context().Done()
		case strings.HasPrefix(body, "403 "):
			w.WriteHeader(http.StatusForbidden)
			_, _ = io.WriteString(w, body[4:])
		case strings.HasPrefix(body, "409 "):
			w.WriteHeader(http.StatusConflict)
			_, _ = io.WriteString(w, body[4:])
		case strings.HasPrefix(body, "501 "):
			w.WriteHeader(http.StatusNotImplemented)
			_, _ = io.WriteString(w, body[4:])
		default:
			_, _ = io.WriteString(w, body)
		}
	}))
	t.Cleanup(s.Close)
	d, err := NewDocker("tcp://"+strings.TrimPrefix(s.URL, "http://"), nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = d.Close() })
	return d
}

const running = `"State":{"Status":"running","Running":true,"StartedAt":"2026-11-23T08:00:00Z"}`

func TestDockerErrors(t *testing.T) {
	d := engine(t, map[string]string{
		"/containers/json":             "[]",
		"/containers/bound/json":       `{"Id":"1","Name":"/bound","Config":{"Labels":{}},"HostConfig":{"PortBindings":{"5432/tcp":[{},{"HostPort":"5432"}]}},` + running + `}`,
		"/containers/addressed/json":   `{"Id":"2","Name":"/addressed","Config":{},"HostConfig":{},"NetworkSettings":{"Networks":{"cdc":{"IPAMConfig":{"IPv4Address":"10.0.0.7"}}}},` + running + `}`,
		"/containers/db/json":          `{"Id":"db00","Name":"/another","Config":{},"HostConfig":{},` + running + `}`,
		"/containers/locked/json":      `403 {"message":"authorization denied by plugin"}`,
		"/containers/slow/json":        "hang",
		"/containers/silent/json":      `{"Id":"3","Name":"/silent","Config":{},"HostConfig":{},` + running + `}`,
		"/containers/3/logs":           `501 {"message":"configured logging driver does not support reading"}`,
		"/containers/taken/json":       `{"Id":"taken","Name":"/taken","Config":{"Image":"x:1","Healthcheck":{}},"HostConfig":{},"State":{"Status":"running","Running":true,"Health":{"Status":"healthy"}}}`,
		"POST /containers/taken/start": "",
		"/containers/create":           `409 {"message":"the name is in use"}`,
	})
	twice := engine(t, map[string]string{
		"/containers/json":   `[{"Id":"1"},{"Id":"2"},{"Id":"3","Labels":{"com.docker.compose.oneoff":"True"}}]`,
		"/containers/1/json": `{"Id":"1","Name":"/a-db-1","Config":{"Labels":{"com.docker.compose.project":"a"}},` + running + `}`,
		"/containers/2/json": `{"Id":"2","Name":"/b-db-1","Config":{"Labels":{"com.docker.compose.project":"b"}},` + running + `}`,
	})
	dead, err := NewDocker("unix:///nowhere/docker.sock", nil)
	if err != nil {
		t.Fatal(err)
	}
	cases := []struct {
		name string
		do   func(context.Context) error
		kind error
		text string
	}{
		{"no such container", func(ctx context.Context) error { return d.Service("x").Restart(ctx) }, ErrNotFound, "no container of this name"},
		{"the beginning of another's ID", func(ctx context.Context) error { return d.Service("db").Restart(ctx) }, ErrNotFound, "no container of this name"},
		{"two projects", func(ctx context.Context) error { return twice.Service("db").Stop(ctx) }, ErrUnsupported, "compose projects a and b"},
		{"no engine", func(ctx context.Context) error { return dead.Service("x").Restart(ctx) }, ErrUnreachable, "/nowhere/docker.sock"},
		{"not allowed", func(ctx context.Context) error { return d.Service("locked").Restart(ctx) }, ErrDenied, "authorization denied by plugin"},
		{"no answer", func(ctx context.Context) error { return d.Service("slow").Restart(ctx) }, ErrUnreachable, "no answer in time"},
		{"no log", func(ctx context.Context) error { _, err := d.Service("silent").Logs(ctx, 1, 0); return err }, ErrUnsupported, "does not support reading"},
		{"a port of the host", func(ctx context.Context) error { return d.Service("bound").Scale(ctx, 2) }, ErrUnsupported, "port 5432 of the host for 5432/tcp"},
		{"an address of its own", func(ctx context.Context) error { return d.Service("addressed").Scale(ctx, 2) }, ErrUnsupported, "in the network cdc"},
		{"a name that is taken", func(ctx context.Context) error { return d.Service("taken").Scale(ctx, 2) }, ErrUnsupported, "taken-2"},
		{"too many", func(ctx context.Context) error { return d.Service("bound").Scale(ctx, 1000) }, ErrUnsupported, "1000"},
		{"fewer than none", func(ctx context.Context) error { return d.Service("bound").Scale(ctx, -1) }, ErrUnsupported, "-1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			ctx, cancel := context.WithTimeout(t.Context(), time.Second)
			defer cancel()
			if err := c.do(ctx); !errors.Is(err, c.kind) || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got %v, want %v with %q", err, c.kind, c.text)
			}
		})
	}
	canceled, cancel := context.WithCancel(t.Context())
	cancel()
	if err := d.Service("taken").Restart(canceled); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: got %v", err)
	}
	if _, err := NewDocker("nonsense", nil); err == nil {
		t.Error("a host that is none: got no error")
	}
}

// What one look at a container means, and how it is described.
func TestVerdict(t *testing.T) {
	d := engine(t, map[string]string{"/containers/1/logs": "2026-11-23T08:00:00Z FATAL no disk\r\n"})
	began := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return began.Add(89*time.Minute + 30*time.Second) }
	cases := []struct {
		name, state string
		restarts    int
		done        bool
		err, text   string
	}{
		{"being started", `{"Status":"created"}`, 0, false, "", "created"},
		{"just up", `{"Status":"running","Running":true,"StartedAt":"2026-11-23T08:00:00Z"}`, 0, false, "", "running, up 1 h"},
		{"paused", `{"Status":"paused","Running":true,"Paused":true}`, 0, false, "", "paused"},
		{"starting", `{"Status":"running","Running":true,"Health":{"Status":"starting"}}`, 0, false, "", "running (starting)"},
		{"healthy", `{"Status":"running","Running":true,"Health":{"Status":"healthy"}}`, 2, true, "", "running (healthy), restarted 2 times by the engine"},
		{"unhealthy", `{"Status":"running","Running":true,"Health":{"Status":"unhealthy","Log":[{"ExitCode":1,"Output":"old"},{"ExitCode":7,"Output":"no leader\n"}]}}`, 0, false, "its health check ended with exit code 7: no leader", "running (unhealthy): its health check ended with exit code 7: no leader"},
		{"ended", `{"Status":"exited","ExitCode":3,"FinishedAt":"2026-11-23T09:29:20Z"}`, 0, false, "it ended with exit code 3: FATAL no disk", "exited, exit code 3, 10 s ago"},
		{"no memory", `{"Status":"exited","ExitCode":137,"OOMKilled":true}`, 0, false, "it ended with exit code 137, out of memory: FATAL no disk", "exited, exit code 137"},
		{"the engine tries again", `{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":3}`, 1, false, "", "restarting, restarted once by the engine"},
		{"again and again", `{"Status":"restarting","Running":true,"Restarting":true,"ExitCode":3}`, 3, false, "it ended with exit code 3, and the engine has restarted it 3 times: FATAL no disk", "restarting, restarted 3 times by the engine"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			one := container.InspectResponse{ID: "1", RestartCount: c.restarts, Config: &container.Config{Tty: true}}
			if err := json.Unmarshal([]byte(c.state), &one.State); err != nil {
				t.Fatal(err)
			}
			done, err := d.Service("x").verdict(t.Context(), "restart", &wait{last: one})
			if done != c.done || (err == nil) != (c.err == "") || err != nil && !strings.HasSuffix(err.Error(), ": "+c.err) {
				t.Errorf("%s: got %t, %v; want %t, %q", c.state, done, err, c.done, c.err)
			}
			if err != nil && !errors.Is(err, ErrUnhealthy) {
				t.Errorf("%s: got %v, want ErrUnhealthy", c.state, err)
			}
			if got := d.describe(one); got != c.text {
				t.Errorf("%s: got %q, want %q", c.state, got, c.text)
			}
		})
	}
}

// A container without a health check counts as up when it has stayed up for a moment, whatever the engine's clock says.
func TestSettles(t *testing.T) {
	d := engine(t, nil)
	now := time.Date(2026, 11, 23, 8, 0, 0, 0, time.UTC)
	d.now = func() time.Time { return now }
	w := wait{}
	look := func(started string) bool {
		w.last = container.InspectResponse{State: &container.State{Status: "running", Running: true, StartedAt: started}}
		done, err := d.Service("x").verdict(t.Context(), "start", &w)
		if err != nil {
			t.Fatal(err)
		}
		return done
	}
	if look("2030-01-01T00:00:00Z") {
		t.Error("at once: got up")
	}
	now = now.Add(settleFor - time.Millisecond)
	if look("2030-01-01T00:00:01Z") {
		t.Error("started anew: got up")
	}
	now = now.Add(settleFor)
	if !look("2030-01-01T00:00:01Z") {
		t.Error("after a moment: got not up")
	}
}

// What copies share with the first container, and what they do not.
func TestCopy(t *testing.T) {
	first := container.InspectResponse{}
	if err := json.Unmarshal([]byte(`{"Id":"0123456789abcdef","Name":"/cdc-api-1",
		"Config":{"Hostname":"0123456789ab","Image":"api:1","Env":["A=b"],"Labels":{"com.docker.compose.service":"api","com.docker.compose.container-number":"1"}},
		"HostConfig":{"NetworkMode":"cdc_default","Binds":["/a:/b"]},
		"NetworkSettings":{"Networks":{"bridge":{},"cdc_default":{"Aliases":["cdc-api-1","api","0123456789ab"],"IPAddress":"10.0.0.7"},"other":null}}}`), &first); err != nil {
		t.Fatal(err)
	}
	config := configOfCopy(first, 2)
	if config.Hostname != "" || config.Image != "api:1" || config.Labels[composeNumber] != "2" || config.Labels[composeService] != "api" || config.Labels[copyOf] != "cdc-api-1" {
		t.Errorf("config: got %+v", config)
	}
	if first.Config.Labels[composeNumber] != "1" {
		t.Errorf("the first's own labels have changed: %v", first.Config.Labels)
	}
	attached := networks(first)
	if got := attached["cdc_default"]; len(attached) != 1 || got == nil || strings.Join(got.Aliases, ",") != "api" || got.IPAddress.IsValid() {
		t.Errorf("networks: got %+v", attached)
	}
	first.Config.Hostname = "chosen"
	if config := configOfCopy(first, 3); config.Hostname != "chosen" {
		t.Errorf("a host name that somebody chose: got %q", config.Hostname)
	}
}
