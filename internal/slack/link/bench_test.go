package link_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	slackapi "github.com/slack-go/slack"
	"github.com/slack-go/slack/socketmode"

	"cdcbot/internal/slack/link"
	"cdcbot/internal/slacksim"
)

// BenchmarkAck compares the way from an envelope that the simulated workspace writes to the acknowledgement that it reads:
// our links and slack-go's client, two connections each, nothing behind them.
func BenchmarkAck(b *testing.B) {
	clients := []struct {
		name  string
		start func(ctx context.Context, api *slackapi.Client)
	}{{"cdcbot", ours}, {"slack-go", theirs}}
	for _, people := range []int{1, 50} {
		for _, c := range clients {
			b.Run(fmt.Sprintf("people=%d/%s", people, c.name), func(b *testing.B) { benchmarkAck(b, people, c.start) })
		}
	}
}

func ours(ctx context.Context, api *slackapi.Client) {
	p := link.New(link.Options{
		Open: func(ctx context.Context) (string, error) {
			_, url, err := api.StartSocketModeContext(ctx)
			return url, err
		},
		Take: func(e link.Envelope) { _ = e.Ack(nil) },
	})
	go func() { _ = p.Run(ctx) }()
}

func theirs(ctx context.Context, api *slackapi.Client) {
	for range 2 {
		c := socketmode.New(api)
		go func() { _ = c.RunContext(ctx) }()
		go func() {
			for {
				select {
				case <-ctx.Done():
					return
				case e := <-c.Events:
					if e.Type == socketmode.EventTypeSlashCommand {
						_ = c.AckCtx(ctx, e.Request.EnvelopeID, nil)
					}
				}
			}
		}()
	}
}

func benchmarkAck(b *testing.B, people int, start func(context.Context, *slackapi.Client)) {
	sim := slacksim.New(slacksim.Options{Unlimited: true})
	if _, err := sim.Start("127.0.0.1:0"); err != nil {
		b.Fatal(err)
	}
	defer sim.Close()
	ctx, cancel := context.WithCancel(b.Context())
	defer cancel()
	start(ctx, slackapi.New(sim.BotToken(), slackapi.OptionAppLevelToken(sim.AppToken()), slackapi.OptionAPIURL(sim.APIURL())))
	for sim.Connected() < 2 {
		time.Sleep(time.Millisecond)
	}
	var mu sync.Mutex
	var took []time.Duration
	todo := make(chan bool, people)
	var wg sync.WaitGroup
	for range people {
		wg.Go(func() {
			for range todo {
				began := time.Now()
				if err := sim.As("oncall").Command(ctx, "cdc-incidents", "/cdc status"); err != nil {
					b.Error(err)
				}
				mu.Lock()
				took = append(took, time.Since(began))
				mu.Unlock()
			}
		})
	}
	for b.Loop() {
		todo <- true
	}
	close(todo)
	wg.Wait()
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds()), "p50-µs")
	b.ReportMetric(float64(took[len(took)*99/100].Microseconds()), "p99-µs")
}
