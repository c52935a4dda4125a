package e2e

import (
	"bytes"
	"context"
	"net/url"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/app"
	"cdcbot/internal/config"
	"cdcbot/internal/lab"
	"cdcbot/internal/slacksim"
	"cdcbot/internal/timeline"
)

// onLab runs the app as cmd/bot would, with the lab's services and a simulated workspace; file is a
// configuration file or "", more are settings as the environment gives them.
func onLab(t *testing.T, services lab.Services, file string, more ...string) *world {
	t.Helper()
	hook, err := url.Parse(services.BotURL)
	if err != nil {
		t.Fatal(err)
	}
	w := &world{slack: slacksim.New(slacksim.Options{})}
	if _, err := w.slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	environ := []string{}
	for k, v := range map[string]string{
		"LISTEN": hook.Host, "ALERTS_TOKEN": services.WebhookToken, "REDIS_URL": lab.Redis(t).URL, "SEAL_KEYS": sealKeys, "WATCH_ENABLED": "false",
		"SLACK_API_URL": w.slack.APIURL(), "SLACK_BOT_TOKEN": w.slack.BotToken(), "SLACK_APP_TOKEN": w.slack.AppToken(), "SLACK_CHANNEL": channel,
		"EXECUTION_SETTLE": "2s", "EXECUTION_VERIFY_TIMEOUT": "1m", "PIPELINES_WAREHOUSE_CONNECT_URL": services.Connect, "PIPELINES_WAREHOUSE_CONNECTORS": lab.SourceConnector + "," + lab.SinkConnector,
		"PIPELINES_WAREHOUSE_POSTGRES_URL": services.Postgres, "PIPELINES_WAREHOUSE_POSTGRES_PROGRESS_TABLES": lab.Table,
	} {
		environ = append(environ, config.EnvPrefix+k+"="+v)
	}
	for _, pair := range more {
		environ = append(environ, config.EnvPrefix+pair)
	}
	cfg, err := config.Load(file, environ)
	if err != nil {
		t.Fatal(err)
	}
	if w.app, err = app.New(t.Context(), app.Options{Config: cfg, Log: w.log.logger(), Version: "lab"}); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := w.serve(ctx)
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the bot ended with %v", err)
		}
		_ = w.slack.Close() // the test ends
	})
	return w
}

func deadline(t *testing.T, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

// says waits until the newest thread says text.
func (w *world) says(t *testing.T, text string, d time.Duration) {
	t.Helper()
	if err := w.slack.Wait(deadline(t, d), text, func() bool { return strings.Contains(w.words(), text) }); err != nil {
		t.Fatalf("%v; the thread says:\n%s\nthe bot logged:\n%s", err, w.words(), w.log.tail())
	}
}

// proveTimeline exports the record as a person would and checks that it tells the story in order and proves itself.
func proveTimeline(t *testing.T, w *world) {
	t.Helper()
	if err := w.slack.As("oncall").Command(deadline(t, 10*time.Second), channel, "/cdc incident export INC-1 json"); err != nil {
		t.Fatal(err)
	}
	name := "INC-1-timeline.json"
	if err := w.slack.Wait(deadline(t, 20*time.Second), name, func() bool { return w.slack.File(name) != nil }); err != nil {
		t.Fatal(err)
	}
	doc, err := timeline.ParseJSON(bytes.NewReader(w.slack.File(name)))
	if err != nil {
		t.Fatal(err)
	}
	if err := doc.Verify(); err != nil {
		t.Fatal(err)
	}
	story := []timeline.Type{timeline.AlertReceived, timeline.IncidentOpened, timeline.DiagnosisMade, timeline.PlanProposed, timeline.PlanApproved, timeline.RunStarted, timeline.StepStarted, timeline.StepSucceeded, timeline.VerificationPassed, timeline.RunFinished}
	for _, e := range doc.Events {
		if len(story) > 0 && e.Type == story[0] {
			story = story[1:]
		}
	}
	if len(story) > 0 {
		t.Errorf("the timeline lacks %v after what comes before it; it holds:", story)
		for _, e := range doc.Events {
			t.Logf("%d %s %s", e.Seq, e.Type, e.Text)
		}
	}
	altered := bytes.Replace(w.slack.File(name), []byte("approver"), []byte("attacker"), 1)
	if doc, err := timeline.ParseJSON(bytes.NewReader(altered)); err == nil && doc.Verify() == nil {
		t.Error("an altered export verifies")
	}
}
