package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/debug"
	"slices"
	"sync"
	"testing"
	"time"

	"cdcbot/internal/lab"
	"cdcbot/internal/slacksim"
)

// peer is a bot that is measured: how it is started against a workspace.
type peer struct {
	name  string
	start func(b *testing.B, slack *slacksim.Server) *exec.Cmd
	links int // connections that it opens

	alone, crowd []time.Duration // from the words to the acknowledgement
	rates        []float64       // commands a second
	memory       []float64       // MiB after the load
	starts       []time.Duration // until it is connected
	lost         int
}

const (
	peerWarmUp   = 300
	peerCommands = 2000
	peerCrowd    = 50
	peerAlone    = 300
	peerRest     = 2 * time.Second // after the warm-up: what only the start needed has been given back then
)

// BenchmarkPeers measures the whole bot, with its durable memory, beside the barest bots that there can be: an echo on
// slack-go and one on @slack/bolt. All speak with one simulated workspace in turns, each launch a process of its own.
func BenchmarkPeers(b *testing.B) {
	folder := b.TempDir()
	bot := compile(b, folder, "cdcbot/cmd/bot", "-ldflags=-s -w")
	echo := compile(b, folder, "cdcbot/lab/peers", "-ldflags=-s -w")
	redis := lab.Redis(b)
	peers := []*peer{
		{name: "cdcbot, whole", links: 2, start: func(b *testing.B, s *slacksim.Server) *exec.Cmd { return wholeBot(bot, redis.URL, s) }},
		{name: "slack-go, echo", links: 1, start: func(b *testing.B, s *slacksim.Server) *exec.Cmd { return sdkBot(s, exec.Command(echo)) }},
		{name: "@slack/bolt, echo", links: 1, start: boltBot},
	}
	defer debug.SetGCPercent(debug.SetGCPercent(1000)) // the workspace's own garbage is not what is measured
	for b.Loop() {
		for _, p := range peers {
			p.measure(b)
		}
	}
	b.ReportMetric(0, "ns/op")
	fmt.Printf("\n| %d launches each | ack p50, one at a time | p99 | ack p50, %d at once | p99 | commands/s | memory | start | lost |\n|---|---|---|---|---|---|---|---|---|\n", len(peers[0].starts), peerCrowd)
	for _, p := range peers {
		fmt.Println(p.row())
	}
}

func compile(b *testing.B, folder, pkg string, flags ...string) string {
	b.Helper()
	bin := filepath.Join(folder, filepath.Base(pkg))
	build := exec.Command("go", append(append([]string{"build", "-trimpath"}, flags...), "-o", bin, pkg)...)
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		b.Fatalf("%v\n%s", err, out)
	}
	return bin
}

func wholeBot(bin, redis string, s *slacksim.Server) *exec.Cmd {
	c := exec.Command(bin, "serve")
	c.Env = append(os.Environ(), "CDCBOT_LISTEN=127.0.0.1:0", "CDCBOT_LOG_LEVEL=error", "CDCBOT_REDIS_URL="+redis, "CDCBOT_SLACK_API_URL="+s.APIURL(), "CDCBOT_SLACK_BOT_TOKEN="+s.BotToken(), "CDCBOT_SLACK_APP_TOKEN="+s.AppToken(),
		"CDCBOT_SLACK_CHANNEL="+channel, "CDCBOT_SEAL_KEYS="+sealKeys, "CDCBOT_WATCH_ENABLED=false", "CDCBOT_PIPELINES_WAREHOUSE_CONNECT_URL=http://127.0.0.1:1")
	return c
}

func sdkBot(s *slacksim.Server, c *exec.Cmd) *exec.Cmd {
	c.Env = append(os.Environ(), append(c.Env, "SLACK_API_URL="+s.APIURL(), "SLACK_BOT_TOKEN="+s.BotToken(), "SLACK_APP_TOKEN="+s.AppToken())...)
	return c
}

// boltBot needs Slack's SDK for Node, which lab/install.sh brings.
func boltBot(b *testing.B, s *slacksim.Server) *exec.Cmd {
	home := os.Getenv("CDCBOT_LAB_HOME")
	if home == "" {
		home = filepath.Join("..", "..", ".lab")
	}
	modules, err := filepath.Abs(filepath.Join(home, "sdk", "node", "node_modules"))
	if err != nil {
		b.Fatal(err)
	}
	if _, err := os.Stat(modules); err != nil {
		b.Skip("left out: @slack/bolt is not installed (lab/install.sh)")
	}
	c := exec.Command("node", filepath.Join("..", "..", "lab", "peers", "echo.js"))
	c.Env = []string{"NODE_PATH=" + modules}
	return sdkBot(s, c)
}

// measure is one launch.
func (p *peer) measure(b *testing.B) {
	var people []slacksim.User
	for i := range peerCrowd {
		people = append(people, slacksim.User{ID: fmt.Sprintf("U%02d", i), Name: fmt.Sprint("oncall", i)})
	}
	slack := slacksim.New(slacksim.Options{Unlimited: true, Users: people, Channels: []slacksim.Channel{{ID: channel, Name: "cdc-incidents"}}})
	if _, err := slack.Start("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = slack.Close() }()
	c := p.start(b, slack)
	began := time.Now()
	if err := c.Start(); err != nil {
		b.Fatal(err)
	}
	defer func() { _ = c.Process.Kill(); _ = c.Wait() }()
	connected := func(n int) func() bool { return func() bool { return slack.Connected() >= n } }
	if err := slack.Wait(within(patient), p.name, connected(1)); err != nil {
		b.Fatal(err)
	}
	p.starts = append(p.starts, time.Since(began))
	if err := slack.Wait(within(patient), "all connections of "+p.name, connected(p.links)); err != nil {
		b.Fatal(err)
	}
	p.enter(slack, peerWarmUp, peerCrowd)
	time.Sleep(peerRest)
	p.alone = append(p.alone, p.enter(slack, peerAlone, 1)...)
	began = time.Now()
	p.crowd = append(p.crowd, p.enter(slack, peerCommands, peerCrowd)...)
	p.rates = append(p.rates, peerCommands/time.Since(began).Seconds())
	p.memory = append(p.memory, resident(b, c.Process.Pid))
}

// enter lets people type commands, so many at once, and returns how long each waited for the acknowledgement.
func (p *peer) enter(slack *slacksim.Server, commands, people int) []time.Duration {
	took := make([]time.Duration, commands)
	var mu sync.Mutex
	var group sync.WaitGroup
	for who := range people {
		group.Go(func() {
			for i := who; i < commands; i += people {
				began := time.Now()
				if err := slack.As(fmt.Sprint("oncall", who)).Command(within(patient), channel, "/cdc help restart"); err != nil {
					mu.Lock()
					p.lost++
					mu.Unlock()
				}
				took[i] = time.Since(began)
			}
		})
	}
	group.Wait()
	return took
}

func (p *peer) row() string {
	slices.Sort(p.alone)
	slices.Sort(p.crowd)
	at := func(list []time.Duration, share int) string {
		return fmt.Sprintf("%.2f ms", float64(list[len(list)*share/100].Microseconds())/1000)
	}
	slices.Sort(p.starts)
	return fmt.Sprintf("| %s | %s | %s | %s | %s | %.0f–%.0f | %.1f MiB | %d ms | %d |", p.name, at(p.alone, 50), at(p.alone, 99), at(p.crowd, 50), at(p.crowd, 99),
		slices.Min(p.rates), slices.Max(p.rates), slices.Max(p.memory), p.starts[len(p.starts)/2].Milliseconds(), p.lost)
}
