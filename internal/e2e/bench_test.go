package e2e

import (
	"bufio"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"testing"
	"time"

	"cdcbot/internal/lab"
	"cdcbot/internal/slacksim"
)

// alertBody is an Alertmanager webhook about one connector.
func alertBody(name string, n int) string {
	return fmt.Sprintf(`{"version":"4","status":"firing","alerts":[{"status":"firing","labels":{"alertname":"Bench%d","connector":%q},"startsAt":%q,"fingerprint":"f%d"}]}`, n, name, time.Now().UTC().Format(time.RFC3339Nano), n)
}

// BenchmarkWebhookToThread is the time from Alertmanager's POST to the incident's message in the channel. Each sample has
// a world of its own: the bot posts at most one message a second into a channel, which is Slack's limit and not measured.
func BenchmarkWebhookToThread(b *testing.B) {
	var all []time.Duration
	for b.Loop() {
		w, err := newWorld("WATCH_ENABLED=false")
		if err != nil {
			b.Fatal(err)
		}
		began := time.Now()
		if status, body, err := w.webhook(alertBody("postgres-sink-connector", 1), token); err != nil || status != 200 {
			b.Fatal(status, body, err)
		}
		if err := w.slack.Wait(within(patient), "a thread", func() bool { return w.root().TS != "" }); err != nil {
			b.Fatal(err)
		}
		all = append(all, time.Since(began))
		w.stop()
	}
	report(b, all)
}

// BenchmarkClickToUpdate is the time from pressing a fix to the request's card in the thread.
func BenchmarkClickToUpdate(b *testing.B) {
	var all []time.Duration
	for b.Loop() {
		w, err := newWorld()
		if err != nil {
			b.Fatal(err)
		}
		all = append(all, clickToUpdate(b, w))
		w.stop()
	}
	report(b, all)
}

func clickToUpdate(b *testing.B, w *world) time.Duration {
	b.Helper()
	if err := w.worker.Break("a1-postgres-down", ""); err != nil {
		b.Fatal(err)
	}
	w.worker.Mend()
	var root slacksim.Said
	fix := func() bool { var ok bool; root, ok = w.holder("Restart failed tasks"); return ok }
	if err := w.slack.Wait(within(patient), "the fix", fix); err != nil {
		b.Fatal(err)
	}
	before, began := len(w.thread()), time.Now()
	if err := w.slack.As("oncall").Press(within(patient), channel, root.TS, "Restart failed tasks"); err != nil {
		b.Fatal(err)
	}
	asked := func() bool { _, ok := w.holder("Approve"); return ok && len(w.thread()) > before }
	if err := w.slack.Wait(within(patient), "the request", asked); err != nil {
		b.Fatal(err)
	}
	return time.Since(began)
}

// BenchmarkResidentMemory starts the real binary with Redis and a workspace and reads how soon it is connected, and its resident memory when idle.
func BenchmarkResidentMemory(b *testing.B) {
	bin := compile(b, b.TempDir(), "cdcbot/cmd/bot", "-ldflags=-s -w")
	slack := slacksim.New(slacksim.Options{})
	if _, err := slack.Start("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = slack.Close() }()
	bot := exec.Command(bin, "serve")
	bot.Env = append(os.Environ(), "CDCBOT_LISTEN=127.0.0.1:0", "CDCBOT_REDIS_URL="+lab.Redis(b).URL, "CDCBOT_SLACK_API_URL="+slack.APIURL(), "CDCBOT_SLACK_BOT_TOKEN="+slack.BotToken(), "CDCBOT_SLACK_APP_TOKEN="+slack.AppToken(),
		"CDCBOT_SLACK_CHANNEL="+channel, "CDCBOT_SEAL_KEYS="+sealKeys, "CDCBOT_PIPELINES_WAREHOUSE_CONNECT_URL=http://127.0.0.1:1")
	began := time.Now()
	if err := bot.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = bot.Process.Kill(); _ = bot.Wait() }()
	if err := slack.Wait(within(patient), "socket mode", func() bool { return slack.Connected() > 0 }); err != nil {
		b.Fatal(err)
	}
	connected := time.Since(began)
	if err := slack.Wait(within(patient), "the second connection", func() bool { return slack.Connected() > 1 }); err != nil {
		b.Fatal(err)
	}
	time.Sleep(peerRest)
	for b.Loop() {
	}
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(connected.Milliseconds()), "ms-to-connected")
	b.ReportMetric(resident(b, bot.Process.Pid), "MiB-resident")
	if info, err := os.Stat(bin); err == nil {
		b.ReportMetric(float64(info.Size())/(1<<20), "MiB-binary")
	}
}

// resident reads VmRSS in MiB.
func resident(b *testing.B, pid int) float64 {
	f, err := os.Open(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		b.Skip("left out: resident memory is read from /proc")
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kib float64
		if _, err := fmt.Sscanf(lines.Text(), "VmRSS: %f kB", &kib); err == nil {
			return kib / 1024
		}
	}
	return 0
}

// report prints median and 99th percentile instead of the mean.
func report(b *testing.B, all []time.Duration) {
	b.Helper()
	if len(all) == 0 {
		b.Fatal("nothing was measured")
	}
	slices.Sort(all)
	b.ReportMetric(0, "ns/op")
	b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, "ms-p50")
	b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, "ms-p99")
	b.ReportMetric(float64(len(all)), "samples")
}
