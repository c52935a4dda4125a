package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log"
	"slices"
	"sync"
	"time"

	"github.com/twmb/franz-go/pkg/kadm"
	"github.com/twmb/franz-go/pkg/kerr"
	"github.com/twmb/franz-go/pkg/kgo"
)

// queue is what has been read of both topics. It holds all letters in memory: a lab has few.
type queue struct {
	client      *kgo.Client
	admin       *kadm.Client
	letters     string // topics
	resolutions string
	replaying   sync.Mutex // one replay at a time: a letter is replayed once

	mutex     sync.Mutex    // of what follows
	moved     chan struct{} // closed and made anew when the position moves
	byID      map[string]*letter
	order     []*letter
	early     map[string]resolution // of letters that are not read yet
	position  map[string]map[int32]int64
	complaint string // the last that was logged
}

var (
	errBehind = errors.New("the topics have not been read to their end yet")
	errTaken  = errors.New("another replay was faster")
)

func openQueue(brokers []string, letters, resolutions string) (*queue, error) {
	client, err := kgo.NewClient(
		kgo.SeedBrokers(brokers...), kgo.ClientID("cdcapi"), kgo.ConsumeTopics(letters, resolutions),
		kgo.ConsumeResetOffset(kgo.NewOffset().AtStart()), kgo.KeepControlRecords(), kgo.FetchMaxWait(500*time.Millisecond),
		kgo.MetadataMinAge(250*time.Millisecond), kgo.RecordDeliveryTimeout(10*time.Second), kgo.UnknownTopicRetries(1), kgo.DisableClientMetrics(),
	)
	if err != nil {
		return nil, fmt.Errorf("kafka client: %w", err)
	}
	return &queue{
		client: client, admin: kadm.NewClient(client), letters: letters, resolutions: resolutions, moved: make(chan struct{}),
		byID: map[string]*letter{}, early: map[string]resolution{}, position: map[string]map[int32]int64{},
	}, nil
}

func (q *queue) close() { q.client.Close() }

// follow makes the topics as soon as Kafka answers, and reads them until ctx ends.
func (q *queue) follow(ctx context.Context) {
	for ctx.Err() == nil {
		if err := q.create(ctx); err != nil {
			q.complain(err)
			pause(ctx, 250*time.Millisecond)
			continue
		}
		break
	}
	for ctx.Err() == nil {
		fetches := q.client.PollFetches(ctx)
		var err error
		fetches.EachError(func(topic string, p int32, e error) { err = fmt.Errorf("reading %s-%d: %w", topic, p, e) })
		q.complain(err)
		q.take(fetches)
	}
}

func pause(ctx context.Context, d time.Duration) {
	ctx, cancel := context.WithTimeout(ctx, d)
	defer cancel()
	<-ctx.Done()
}

func (q *queue) create(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	compact := "compact"
	for topic, config := range map[string]map[string]*string{q.letters: nil, q.resolutions: {"cleanup.policy": &compact}} {
		if _, err := q.admin.CreateTopic(ctx, 1, 1, config, topic); err != nil && !errors.Is(err, kerr.TopicAlreadyExists) {
			return fmt.Errorf("creating %s: %w", topic, err)
		}
	}
	return nil
}

// complain logs what is wrong when it is new.
func (q *queue) complain(err error) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	if err != nil && err.Error() != q.complaint {
		log.Print(err)
		q.complaint = err.Error()
	}
}

func (q *queue) take(fetches kgo.Fetches) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	fetches.EachRecord(func(r *kgo.Record) {
		if q.position[r.Topic] == nil {
			q.position[r.Topic] = map[int32]int64{}
		}
		q.position[r.Topic][r.Partition] = r.Offset + 1
		switch {
		case r.Attrs.IsControl():
		case r.Topic == q.letters:
			q.add(newLetter(r))
		default:
			q.resolve(string(r.Key), r.Value)
		}
	})
	close(q.moved)
	q.moved = make(chan struct{})
}

func (q *queue) add(l *letter) {
	if q.byID[l.ID] != nil {
		return
	}
	if res, ok := q.early[l.ID]; ok {
		l.resolution = res
		delete(q.early, l.ID)
	}
	q.byID[l.ID], q.order = l, append(q.order, l)
}

func (q *queue) resolve(id string, value []byte) {
	var res resolution
	if err := json.Unmarshal(value, &res); err != nil {
		log.Printf("resolution of %s: %v", id, err)
		return
	}
	if l := q.byID[id]; l != nil {
		l.resolution = res
		return
	}
	q.early[id] = res
}

// current waits until everything that was in Kafka at the time of the call has been read.
func (q *queue) current(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	ends, err := q.admin.ListEndOffsets(ctx, q.letters, q.resolutions)
	if err == nil {
		err = ends.Error()
	}
	if err != nil {
		return fmt.Errorf("asking Kafka for the end of %s: %w", q.letters, err)
	}
	starts, err := q.admin.ListStartOffsets(ctx, q.letters, q.resolutions)
	if err != nil {
		return fmt.Errorf("asking Kafka for the start of %s: %w", q.letters, err)
	}
	for {
		behind, moved := q.behind(starts, ends)
		if !behind {
			return nil
		}
		select {
		case <-moved:
		case <-ctx.Done():
			return errBehind
		}
	}
}

func (q *queue) behind(starts, ends kadm.ListedOffsets) (bool, chan struct{}) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	behind := false
	ends.Each(func(end kadm.ListedOffset) {
		start, _ := starts.Lookup(end.Topic, end.Partition)
		behind = behind || end.Offset > start.Offset && q.position[end.Topic][end.Partition] < end.Offset
	})
	return behind, q.moved
}

// list copies the letters that fit, in the order in which they died.
func (q *queue) list(fits func(*letter) bool) []letter {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	list := []letter{}
	for _, l := range q.order {
		if fits(l) {
			list = append(list, *l)
		}
	}
	return list
}

// check says which IDs are unknown and which are resolved already.
func (q *queue) check(ids []string) (unknown, resolved []string) {
	q.mutex.Lock()
	defer q.mutex.Unlock()
	for _, id := range ids {
		switch l := q.byID[id]; {
		case l == nil:
			unknown = append(unknown, id)
		case l.Status != "PENDING":
			resolved = append(resolved, id)
		}
	}
	return unknown, resolved
}

// replay produces the records of letters to the topics they came from, one after the other, and keeps what became of each.
func (q *queue) replay(ctx context.Context, ids []string, notes string, done func(id string, err error)) {
	q.replaying.Lock()
	defer q.replaying.Unlock()
	for _, l := range q.list(func(l *letter) bool { return slices.Contains(ids, l.ID) }) {
		if l.Status != "PENDING" {
			done(l.ID, errTaken)
			continue
		}
		record, err := l.original()
		if err == nil {
			err = q.client.ProduceSync(ctx, record).FirstErr()
		}
		now := stamp(time.Now())
		l.Retries, l.LastRetryAt = l.Retries+1, now
		if err == nil {
			l.Status, l.Notes, l.ResolvedAt = "MANUAL_RESOLVED", notes, now
		}
		if keeping := q.keep(ctx, l.ID, l.resolution); keeping != nil {
			log.Print(keeping)
		}
		done(l.ID, err)
	}
}

func (q *queue) keep(ctx context.Context, id string, res resolution) error {
	value, err := json.Marshal(res)
	if err == nil {
		err = q.client.ProduceSync(ctx, &kgo.Record{Topic: q.resolutions, Key: []byte(id), Value: value}).FirstErr()
	}
	if err != nil {
		return fmt.Errorf("keeping the resolution of %s: %w", id, err)
	}
	q.mutex.Lock()
	defer q.mutex.Unlock()
	q.byID[id].resolution = res
	return nil
}
