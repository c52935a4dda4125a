package history

import (
	"context"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"pgregory.net/rapid"

	"cdcbot/internal/lab"
)

const planted = "planted-password"

func mask(config map[string]string) map[string]string {
	out := map[string]string{}
	for k, v := range config {
		if strings.Contains(k, "password") {
			v = "(secret)"
		}
		out[k] = v
	}
	return out
}

func store(t *testing.T) (*Store, *time.Time) {
	t.Helper()
	options, err := redis.ParseURL(lab.Redis(t).URL)
	if err != nil {
		t.Fatal(err)
	}
	client := redis.NewClient(options)
	t.Cleanup(func() { _ = client.Close() }) // the test ends
	now := time.Date(2026, 11, 23, 2, 0, 0, 0, time.UTC)
	return &Store{Redis: client, Now: func() time.Time { return now }, Mask: mask}, &now
}

func TestChanges(t *testing.T) {
	s, now := store(t)
	began := *now
	sightings := []map[string]string{
		{"topics": "orders", "connection.password": planted},
		{"topics": "orders", "connection.password": planted},
		{"topics": "orders", "connection.password": planted + "2", "schema.evolution": "none"},
		{},
		{"topics": "orders,users", "connection.password": planted + "2"},
		{"topics": "orders,users"},
	}
	for _, config := range sightings {
		*now = now.Add(time.Minute)
		if err := s.Saw(t.Context(), "warehouse", "sink", config); err != nil {
			t.Fatal(err)
		}
	}
	want := []Change{
		{began.Add(6 * time.Minute), "connection.password", "", ""},
		{began.Add(5 * time.Minute), "schema.evolution", "none", ""},
		{began.Add(5 * time.Minute), "topics", "orders", "orders,users"},
		{began.Add(3 * time.Minute), "connection.password", "", ""},
		{began.Add(3 * time.Minute), "schema.evolution", "", "none"},
	}
	got, err := s.Changes(t.Context(), "warehouse", "sink", time.Time{})
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v, %v; want %+v", got, err, want)
	}
	if got, err := s.Changes(t.Context(), "warehouse", "sink", began.Add(5*time.Minute)); err != nil || len(got) != 3 {
		t.Errorf("since the fifth minute: got %+v, %v", got, err)
	}
	if got, err := s.Changes(t.Context(), "warehouse", "other", time.Time{}); err != nil || len(got) != 0 {
		t.Errorf("another connector: got %+v, %v", got, err)
	}
	secretsStayOut(t, s)
}

// secretsStayOut looks through everything that Redis holds.
func secretsStayOut(t *testing.T, s *Store) {
	t.Helper()
	keys, err := s.Redis.Keys(t.Context(), "*").Result()
	if err != nil || len(keys) == 0 {
		t.Fatalf("got %v, %v", keys, err)
	}
	for _, k := range keys {
		list, err := s.Redis.LRange(t.Context(), k, 0, -1).Result()
		if err != nil || strings.Contains(strings.Join(list, "\n"), planted) {
			t.Errorf("%s holds a secret (%v)", k, err)
		}
	}
}

// What changes, and what Redis keeps of it, is bounded; several replicas see the same.
func TestManyReplicas(t *testing.T) {
	s, _ := store(t)
	var all sync.WaitGroup
	for range 4 {
		replica := &Store{Redis: s.Redis, Now: s.Now, Mask: mask}
		all.Go(func() {
			for i := range 3 * mostVersions {
				if err := replica.Saw(t.Context(), "warehouse", "sink", map[string]string{"n": fmt.Sprint(i)}); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	if n, err := s.Redis.LLen(t.Context(), key("warehouse", "sink")).Result(); err != nil || n != mostVersions {
		t.Errorf("got %d versions, %v; want %d", n, err, mostVersions)
	}
	if ttl, err := s.Redis.TTL(t.Context(), key("warehouse", "sink")).Result(); err != nil || ttl <= 0 || ttl > keepFor {
		t.Errorf("got %s, %v; want at most %s", ttl, err, keepFor)
	}
}

// Any history of configurations is told as a plain comparison of neighbours would.
func TestHistoryIsTrue(t *testing.T) {
	s, now := store(t)
	n := 0
	rapid.Check(t, func(t *rapid.T) {
		n++
		connector := fmt.Sprintf("sink-%d", n)
		value := rapid.SampledFrom([]string{"a", "b", ""})
		before := map[string]string(nil)
		var want []string
		for range rapid.IntRange(1, 8).Draw(t, "sightings") {
			config := map[string]string{"always": "x"}
			for _, k := range []string{"one", "two", "password"} {
				if v := value.Draw(t, k); v != "" {
					config[k] = v
				}
			}
			*now = now.Add(time.Second)
			if err := s.Saw(context.Background(), "p", connector, config); err != nil {
				t.Fatal(err)
			}
			var step []string
			for _, k := range []string{"one", "password", "two"} {
				if before != nil && config[k] != before[k] {
					step = append(step, k)
				}
			}
			want, before = append(step, want...), config
		}
		changes, err := s.Changes(context.Background(), "p", connector, time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, c := range changes {
			got = append(got, c.Key)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("got %v, want %v", got, want)
		}
	})
}

func TestRedisAway(t *testing.T) {
	s, _ := store(t)
	if err := s.Redis.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Saw(t.Context(), "p", "sink", map[string]string{"a": "b"}); err == nil || !strings.Contains(err.Error(), "history of sink") {
		t.Errorf("Saw: got %v", err)
	}
	if _, err := s.Changes(t.Context(), "p", "sink", time.Time{}); err == nil {
		t.Error("Changes: got no error")
	}
}
