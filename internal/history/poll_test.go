package history

import (
	"context"
	"fmt"
	"maps"
	"net"
	"sync/atomic"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/lab"
)

// trips counts what a client asks: round trips, and commands that write. The greeting of a connection is neither.
type trips struct{ asked, wrote atomic.Int64 }

func (c *trips) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *trips) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		if cmd.Name() != "hello" {
			c.asked.Add(1)
		}
		return next(ctx, cmd)
	}
}

func (c *trips) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, list []redis.Cmder) error {
		if list[0].Name() == "eval" {
			c.asked.Add(1)
			c.wrote.Add(int64(len(list)))
		}
		return next(ctx, list)
	}
}

func (c *trips) take() (asked, wrote int64) { return c.asked.Swap(0), c.wrote.Swap(0) }

// many is a poll of a large cluster; options are as many as a real sink has.
func many(n int, total int64) []Sighting {
	list := make([]Sighting, n)
	for i := range list {
		config := map[string]string{"connection.password": planted, "topics": fmt.Sprint("topic-", i)}
		for k := range 30 {
			config[fmt.Sprintf("some.option.of.a.connector.%d", k)] = fmt.Sprintf("value %d of connector %d", k, i)
		}
		list[i] = Sighting{Connector: fmt.Sprintf("sink-%d", i), State: "RUNNING", Healthy: true, Config: config, Progress: &total}
	}
	return list
}

// A poll of 1,000 connectors costs one round trip, and a second one when there is something to write.
func TestTrips(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		var count trips
		s.Redis.(*redis.Client).AddHook(&count)
		list := many(1000, 1)
		for _, step := range []struct {
			name         string
			after        time.Duration
			change       func()
			asked, wrote int64
		}{
			{"first", 0, func() {}, 2, 2000},
			{"proved healthy", 10 * time.Second, func() {}, 2, 1000},
			{"nothing", 10 * time.Second, func() {}, 1, 0},
			{"next minute", 40 * time.Second, func() {}, 2, 1000},
			{"one changed", 10 * time.Second, func() {
				list[7].Config = maps.Clone(list[7].Config)
				list[7].Config["topics"] = "others"
			}, 2, 1},
			{"one failed", 0, func() { list[8].State, list[8].Healthy, list[8].Trace = "FAILED", false, "root" }, 2, 1},
			{"still failed", 0, func() { list[8].Trace = "later" }, 1, 0},
		} {
			c.add(step.after)
			step.change()
			saw(t, s, list...)
			if asked, wrote := count.take(); asked != step.asked || wrote != step.wrote {
				t.Errorf("%s: got %d round trips and %d writes, want %d and %d", step.name, asked, wrote, step.asked, step.wrote)
			}
		}
	})
}

// What is told one connector at a time asks Redis only now and then.
func TestSawAloneIsQuiet(t *testing.T) {
	onEach(t, func(t *testing.T, s *Store, c *clock) {
		var count trips
		s.Redis.(*redis.Client).AddHook(&count)
		for range 30 * 6 { // half an hour
			if err := s.Saw(t.Context(), "warehouse", "sink", map[string]string{"a": "b"}); err != nil {
				t.Fatal(err)
			}
			c.add(10 * time.Second)
		}
		if asked, _ := count.take(); asked > 9 {
			t.Errorf("got %d round trips in half an hour, want at most 9", asked)
		}
	})
}

func BenchmarkPoll(b *testing.B) {
	for _, row := range []struct {
		name string
		step time.Duration
		edit bool
	}{{"nothing changed", 0, false}, {"a new minute", time.Minute, false}, {"all changed", time.Minute, true}} {
		b.Run(row.name, func(b *testing.B) {
			c := newClock()
			var count trips
			client := dial(b, lab.Redis(b).Addr)
			client.AddHook(&count)
			s := &Store{Redis: client, Now: c.Now, Mask: mask, Key: []byte("key")}
			list := many(1000, 1)
			for range 2 { // the second proves the first healthy
				if err := s.SawAll(b.Context(), "warehouse", list); err != nil {
					b.Fatal(err)
				}
				c.add(10 * time.Second)
			}
			count.take()
			n := 0
			for b.Loop() {
				n++
				c.add(row.step)
				for i := range list {
					if row.edit {
						list[i].Config["topics"] = fmt.Sprint(n)
					}
				}
				if err := s.SawAll(b.Context(), "warehouse", list); err != nil {
					b.Fatal(err)
				}
			}
			asked, wrote := count.take()
			b.ReportMetric(float64(asked)/float64(n), "trips/poll")
			b.ReportMetric(float64(wrote)/float64(n), "writes/poll")
		})
	}
}
