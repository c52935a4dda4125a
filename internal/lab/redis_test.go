package lab

import (
	"context"
	"net"
	"testing"

	"github.com/redis/go-redis/v9"
)

func TestRedisKeepsWhatWasWritten(t *testing.T) {
	cases := []struct {
		name string
		away func(*RedisServer)
	}{
		{"over a clean restart", func(*RedisServer) {}},
		{"over a kill", (*RedisServer).Kill9},
		{"over two kills in a row", func(s *RedisServer) { s.Kill9(); s.Kill9() }},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := Redis(t)
			client := redis.NewClient(&redis.Options{Addr: s.Addr})
			t.Cleanup(func() { _ = client.Close() })
			if err := client.XAdd(t.Context(), &redis.XAddArgs{Stream: "timeline", Values: []string{"event", "1"}}).Err(); err != nil {
				t.Fatal(err)
			}
			c.away(s)
			s.Restart()
			got, err := client.XLen(t.Context(), "timeline").Result()
			if err != nil || got != 1 {
				t.Fatalf("events after %s: got %d, %v; want 1", c.name, got, err)
			}
		})
	}
}

func TestRedisIsDurable(t *testing.T) {
	s := Redis(t)
	client := redis.NewClient(&redis.Options{Addr: s.Addr})
	t.Cleanup(func() { _ = client.Close() })
	for key, want := range map[string]string{"appendonly": "yes", "maxmemory-policy": "noeviction"} {
		got, err := client.ConfigGet(t.Context(), key).Result()
		if err != nil || got[key] != want {
			t.Errorf("config %s: got %q, %v; want %q", key, got[key], err, want)
		}
	}
}

func TestRedisEndsWithItsTest(t *testing.T) {
	var addr string
	t.Run("the test", func(t *testing.T) { addr = Redis(t).Addr })
	if t.Failed() || addr == "" {
		t.Skip("left out: no redis-server, said above")
	}
	if conn, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", addr); err == nil {
		_ = conn.Close()
		t.Errorf("redis still listens on %s after its test", addr)
	}
}
