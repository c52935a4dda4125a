package app

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"

	"cdcbot/internal/config"
)

// errNotDurable: approvals and timelines must survive a restart of Redis.
var errNotDurable = errors.New("redis does not keep what it acknowledges")

func openRedis(c config.Redis) (redis.UniversalClient, error) {
	options, err := redis.ParseURL(c.URL)
	if err != nil {
		return nil, fmt.Errorf("redis.url: %w", err)
	}
	if c.Password != "" {
		options.Password = c.Password
	}
	options.MaintNotificationsConfig = &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}
	return redis.NewClient(options), nil
}

// durable refuses a Redis that may lose what it acknowledged: without an append-only file, or one that may evict keys.
// INFO is asked, not CONFIG, because managed services forbid the latter.
func durable(ctx context.Context, rdb redis.UniversalClient) error {
	info, err := rdb.Info(ctx, "persistence", "memory").Result()
	if err != nil {
		return fmt.Errorf("asking redis how it persists: %w", err)
	}
	facts := parseInfo(info)
	if facts["aof_enabled"] != "1" {
		return fmt.Errorf("%w: append-only file is off; set appendonly yes", errNotDurable)
	}
	if policy := facts["maxmemory_policy"]; policy != "" && policy != "noeviction" {
		return fmt.Errorf("%w: maxmemory-policy is %s; set noeviction", errNotDurable, policy)
	}
	return nil
}

func parseInfo(text string) map[string]string {
	facts := map[string]string{}
	for line := range strings.Lines(text) {
		if key, value, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			facts[key] = value
		}
	}
	return facts
}

func ping(ctx context.Context, rdb redis.UniversalClient) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
	defer cancel()
	if err := rdb.Ping(ctx).Err(); err != nil {
		return fmt.Errorf("redis does not answer: %w", err)
	}
	return nil
}
