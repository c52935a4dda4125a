package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"cdcbot/internal/config"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/lab"
	"cdcbot/internal/seal"
	"cdcbot/internal/slacksim"
	"cdcbot/internal/timeline"
)

// buildBot compiles cmd/bot once for a test.
func buildBot(t *testing.T) string {
	t.Helper()
	bin := filepath.Join(t.TempDir(), "bot")
	build := exec.Command("go", "build", "-o", bin, "cdcbot/cmd/bot")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return bin
}

// ordeal is one incident whose bots are real processes on a real Redis, with what can go wrong between them.
type ordeal struct {
	t        *testing.T
	bin      string
	room     string // the bots' folder, with their logs
	redis    *lab.RedisServer
	toRedis  *cut
	toSlack  *cut
	toWorker *cut
	slack    *slacksim.Server
	worker   *connecttest.Worker
	restarts atomic.Int64  // that the worker really received
	refuse   atomic.Int64  // how many of the next calls the worker answers with 500
	trouble  func(*ordeal) // what goes wrong once people are asked

	mu     sync.Mutex
	bots   []*botProcess
	starts int
}

// botProcess is one running bot.
type botProcess struct {
	cmd   *exec.Cmd
	web   string // host:port
	ended chan struct{}
}

// newOrdeal makes the world of an incident around an empty Redis; no bot runs yet.
func newOrdeal(t *testing.T, bin string, server *lab.RedisServer) *ordeal {
	t.Helper()
	o := &ordeal{t: t, bin: bin, room: t.TempDir(), redis: server, worker: connecttest.New(connecttest.Options{Speed: 10}), slack: slacksim.New(slacksim.Options{})}
	o.toRedis = newCut(t, server.Addr)
	connect := httptest.NewServer(http.HandlerFunc(o.connect))
	t.Cleanup(func() { connect.CloseClientConnections(); connect.Close() })
	o.toWorker = newCut(t, strings.TrimPrefix(connect.URL, "http://"))
	if err := o.worker.AddConnector("postgres-sink-connector", map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "tasks.max": "3", "topics": "cdc-events-orders", "connection.url": "jdbc:postgresql://127.0.0.1/warehouse"}); err != nil {
		t.Fatal(err)
	}
	if _, err := o.slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = o.slack.Close() })
	o.toSlack = newCut(t, strings.TrimPrefix(o.slack.URL(), "http://"))
	o.slack.Advertise("http://" + o.toSlack.addr()) // sockets and uploads go through the network that fails, too
	t.Cleanup(o.kill)
	return o
}

// connect counts the restarts that reach the worker, whoever asks for them.
func (o *ordeal) connect(w http.ResponseWriter, r *http.Request) {
	if o.refuse.Load() <= 0 && r.Method == http.MethodPost && strings.HasSuffix(r.URL.Path, "/restart") {
		o.restarts.Add(1)
	}
	if o.refuse.Add(-1) >= 0 {
		http.Error(w, `{"error_code":500,"message":"Request timed out"}`, http.StatusInternalServerError)
		return
	}
	o.worker.ServeHTTP(w, r)
}

// start begins a bot as cmd/bot runs it; more are settings as the environment gives them.
func (o *ordeal) start(more ...string) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.starts++
	log, err := os.Create(filepath.Join(o.room, fmt.Sprintf("bot-%d.log", o.starts)))
	if err != nil {
		return err
	}
	defer func() { _ = log.Close() }()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	web := l.Addr().String()
	_ = l.Close() // the bot takes it
	cmd := exec.Command(o.bin, "serve")
	cmd.Env, cmd.Stdout, cmd.Stderr = o.settings(web, o.toRedis.addr(), more...), log, log
	cmd.SysProcAttr = lab.EndWithParent()
	if err := cmd.Start(); err != nil {
		return err
	}
	p := &botProcess{cmd: cmd, web: web, ended: make(chan struct{})}
	go func() {
		_ = cmd.Wait()
		close(p.ended)
		if said, err := os.ReadFile(log.Name()); err == nil && strings.Contains(string(said), "address already in use") {
			_ = o.start(more...) // something else took the port in between; it is tried with another
		}
	}()
	o.bots = append(o.bots, p)
	return nil
}

// settings are a bot's, as the environment gives them.
func (o *ordeal) settings(web, redis string, more ...string) []string {
	all := append([]string{"LISTEN=" + web, "REDIS_URL=redis://" + redis + "/0", "SLACK_API_URL=http://" + o.toSlack.addr() + "/api/", "SLACK_BOT_TOKEN=" + o.slack.BotToken(), "SLACK_APP_TOKEN=" + o.slack.AppToken(),
		"SLACK_CHANNEL=" + channel, "SEAL_KEYS=" + sealKeys, "ALERTS_TOKEN=" + token, "WATCH_ENABLED=false", "EXECUTION_SETTLE=1s", "EXECUTION_VERIFY_TIMEOUT=60s",
		"PIPELINES_WAREHOUSE_CONNECT_URL=http://" + o.toWorker.addr()}, more...)
	for i, pair := range all {
		all[i] = config.EnvPrefix + pair
	}
	return all
}

// kill ends every bot with kill -9.
func (o *ordeal) kill() {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, p := range o.bots {
		_ = p.cmd.Process.Kill()
		<-p.ended
	}
	o.bots = nil
}

// alert posts Alertmanager's webhook; true is acknowledged.
func (o *ordeal) alert(body string) bool {
	o.mu.Lock()
	bots := slices.Clone(o.bots)
	o.mu.Unlock()
	for _, p := range bots {
		req, err := http.NewRequestWithContext(within(5*time.Second), http.MethodPost, "http://"+p.web+"/alerts", strings.NewReader(body))
		if err != nil {
			return false
		}
		req.Header.Set("Authorization", "Bearer "+token)
		req.Header.Set("Content-Type", "application/json")
		answer, err := http.DefaultClient.Do(req)
		if err != nil {
			continue
		}
		_ = answer.Body.Close()
		if answer.StatusCode == http.StatusOK {
			return true
		}
	}
	return false
}

// thread is the newest incident's, newest message last.
func (o *ordeal) thread() []slacksim.Said { return (&world{slack: o.slack}).thread() }

func (o *ordeal) words() string { return (&world{slack: o.slack}).words() }

// told reports whether a person alone was told text.
func (o *ordeal) told(who, text string) bool {
	return strings.Contains(strings.Join(o.slack.As(who).Ephemerals(), "\n"), text)
}

// press lets a person press a button where there is one. What goes wrong they see, and press again later.
func (o *ordeal) press(who, button string) {
	if m, ok := (&world{slack: o.slack}).holder(button); ok {
		_ = o.slack.As(who).Press(within(4*time.Second), channel, m.TS, button)
	}
}

// insist does something every few seconds, as people do, until a condition holds.
func (o *ordeal) insist(ctx context.Context, what string, holds func() bool, do func()) error {
	var last time.Time
	err := o.slack.Wait(ctx, what, func() bool {
		if holds() {
			return true
		}
		if time.Since(last) > 4*time.Second {
			do()
			last = time.Now()
		}
		return holds()
	})
	if err != nil {
		return fmt.Errorf("%w; the thread says:\n%s\nthe bots say:\n%s", err, o.words(), o.logs())
	}
	return nil
}

// heal is the whole story: an alert, a request by one person, an approval by another, records that prove the success. What
// is between two of its sentences may go wrong in any way.
func (o *ordeal) heal(ctx context.Context) error {
	if err := o.worker.Break("a1-postgres-down", ""); err != nil {
		return err
	}
	o.worker.Mend()
	o.worker.Flow(20)
	body, heard := alertBody("postgres-sink-connector", 1), false
	if err := o.insist(ctx, "the alert to be acknowledged", func() bool { return heard }, func() { heard = o.alert(body) }); err != nil {
		return err
	}
	if err := o.insist(ctx, "a request", func() bool { return o.told("oncall", "REQ-1") }, func() { o.press("oncall", "Restart failed tasks") }); err != nil {
		return err
	}
	fixed := func() bool { return strings.Contains(o.words(), "fixed") }
	if o.trouble != nil {
		o.trouble(o)
	}
	approved := func() bool { return o.told("approver", "REQ-1") || fixed() }
	if err := o.insist(ctx, "an approval", approved, func() { o.press("approver", "Approve") }); err != nil {
		return err
	}
	return o.insist(ctx, "the proof", fixed, func() {})
}

// export is the timeline as `bot export` writes it, past the faults; its chain and its seals hold.
func (o *ordeal) export(ctx context.Context) (timeline.Document, error) {
	cmd := exec.CommandContext(ctx, o.bin, "export", "--format", "json", "INC-1")
	cmd.Env = o.settings("127.0.0.1:0", o.redis.Addr) // nothing of the test's own
	out, err := cmd.Output()
	if err != nil {
		return timeline.Document{}, fmt.Errorf("exporting: %w", err)
	}
	doc, err := timeline.ParseJSON(bytes.NewReader(out))
	if err != nil {
		return doc, fmt.Errorf("reading the export: %w", err)
	}
	ring, err := seal.Parse(sealKeys)
	return doc, errors.Join(err, doc.Verify(), doc.VerifySeals(ring))
}

// verdict judges what happened: the promises that hold whatever goes wrong.
func (o *ordeal) verdict(doc timeline.Document) (problems []string) {
	n := map[timeline.Type]int{}
	people := map[string]bool{}
	for _, e := range doc.Events {
		n[e.Type]++
		if e.Type == timeline.PlanProposed || e.Type == timeline.PlanApproved {
			people[e.Actor.ID] = true
		}
	}
	expect := func(ok bool, text string, args ...any) {
		if !ok {
			problems = append(problems, fmt.Sprintf(text, args...))
		}
	}
	for _, once := range []timeline.Type{timeline.IncidentOpened, timeline.AlertReceived, timeline.PlanProposed, timeline.PlanApproved, timeline.RunStarted, timeline.RunFinished, timeline.StepSucceeded, timeline.VerificationPassed} {
		expect(n[once] == 1, "%s is recorded %d times, want 1", once, n[once])
	}
	expect(len(people) == 2, "%d people asked and approved, want 2", len(people))
	restarts := int(o.restarts.Load())
	expect(restarts >= 1 && restarts <= n[timeline.StepStarted], "the worker was asked for %d restarts, %d starts are recorded", restarts, n[timeline.StepStarted])
	expect(strings.Contains(o.words(), "fixed"), "the thread does not say that it is fixed:\n%s", o.words())
	return problems
}

// logs are the last lines of every bot.
func (o *ordeal) logs() string {
	var b strings.Builder
	for n := 1; n <= o.starts; n++ {
		text, _ := os.ReadFile(filepath.Join(o.room, fmt.Sprintf("bot-%d.log", n))) // a bot that said nothing
		fmt.Fprintf(&b, "bot %d: …%s\n", n, text[max(0, len(text)-1500):])
	}
	return b.String()
}

// story is a timeline in one line an event, for a failure's message.
func story(doc timeline.Document) string {
	var b strings.Builder
	for _, e := range doc.Events {
		data, _ := json.Marshal(e.Data)
		fmt.Fprintf(&b, "%d %s %s %.80s\n", e.Seq, e.Type, e.Text, data)
	}
	return b.String()
}
