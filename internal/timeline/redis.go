package timeline

import (
	"context"
	_ "embed"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/seal"
)

// Log keeps timelines, one Redis stream for each incident. Redact takes secrets out of whatever is written; nil writes
// everything as it is, which only tests should do.
type Log struct {
	Redis  redis.UniversalClient
	Now    func() time.Time
	Redact func(string) string
	// Seal proves that events were written by this bot: whoever can write to Redis can make a chain that fits, and no seal.
	// A nil one seals nothing.
	Seal *seal.Ring
}

//go:embed append.lua
var appendSource string

var appendScript = redis.NewScript(appendSource)

func streamKey(incident string) string { return "cdcbot:{" + incident + "}:timeline" }
func seenKey(incident string) string   { return "cdcbot:{" + incident + "}:timeline:keys" }

// attempts bounds how often an append that another writer overtook is tried again. One writer always gets through.
const attempts = 10_000

// Append adds an event and returns it with Seq, Time, Prev and Hash filled; it is durable then. An event whose Key was
// written before is not written again: the first one is returned. Errors: ErrUnavailable, after which the event may or
// may not be there, so that only an event with a Key is safe to append again.
func (l *Log) Append(ctx context.Context, e Event) (Event, error) {
	e, err := l.clean(e)
	if err != nil {
		return e, fmt.Errorf("appending %s to the timeline of %q: %w", e.Type, e.Incident, err)
	}
	for range attempts {
		stored, done, err := l.try(ctx, e)
		if err != nil || done {
			return stored, err
		}
	}
	return e, fmt.Errorf("appending to the timeline of %s: overtaken %d times: %w", e.Incident, attempts, ErrUnavailable)
}

// try appends behind the head that it reads; done is false when another writer was faster.
func (l *Log) try(ctx context.Context, e Event) (Event, bool, error) {
	seq, prev, err := l.Head(ctx, e.Incident)
	if err != nil {
		return e, false, err
	}
	e.Seq, e.Prev, e.Time = seq+1, prev, l.Now().UTC().Truncate(time.Millisecond)
	if e.Hash, err = sum(e); err != nil {
		return e, false, err
	}
	e.Seal = l.Seal.Sum(sealed(e.Incident), []byte(e.Hash))
	body, err := encode(e)
	if err != nil {
		return e, false, fmt.Errorf("encoding event %d of %s: %w", e.Seq, e.Incident, err)
	}
	keys := []string{streamKey(e.Incident), seenKey(e.Incident)}
	answer, err := appendScript.Run(ctx, l.Redis, keys, e.Prev, e.Seq, e.Hash, body, e.Key).Text()
	if err != nil {
		return e, false, away("appending to the timeline of "+e.Incident, err)
	}
	switch answer {
	case "ok":
		return e, true, nil
	case "behind":
		return e, false, nil
	}
	first, err := l.at(ctx, e.Incident, answer)
	return first, err == nil, err
}

func (l *Log) at(ctx context.Context, incident, seq string) (Event, error) {
	rows, err := l.Redis.XRange(ctx, streamKey(incident), seq+"-0", seq+"-0").Result()
	if err != nil {
		return Event{}, away("reading the timeline of "+incident, err)
	}
	if len(rows) == 0 {
		return Event{}, fmt.Errorf("event %s of %s is gone: %w", seq, incident, ErrBroken)
	}
	return l.decode(incident, rows[0])
}

// Head is the number and hash of the last event; 0 and "" when there is none. Write it where the bot cannot change it:
// it witnesses that nothing was cut off at the end.
func (l *Log) Head(ctx context.Context, incident string) (int64, string, error) {
	rows, err := l.Redis.XRevRangeN(ctx, streamKey(incident), "+", "-", 1).Result()
	if err != nil {
		return 0, "", away("reading the timeline of "+incident, err)
	}
	if len(rows) == 0 {
		return 0, "", nil
	}
	number, _, _ := strings.Cut(rows[0].ID, "-")
	seq, err := strconv.ParseInt(number, 10, 64)
	hash, ok := rows[0].Values["hash"].(string)
	if err != nil || !ok {
		return 0, "", fmt.Errorf("entry %s of %s is not an event: %w", rows[0].ID, incident, ErrBroken)
	}
	return seq, hash, nil
}

// page is how many events are read at once.
const page = 500

// Events reads a whole timeline in order; ErrNotFound when there is none.
func (l *Log) Events(ctx context.Context, incident string) ([]Event, error) {
	var events []Event
	for e, err := range l.Read(ctx, incident)() {
		if err != nil {
			return nil, err
		}
		events = append(events, e)
	}
	if len(events) == 0 {
		return nil, fmt.Errorf("%q: %w", incident, ErrNotFound)
	}
	return events, nil
}

// sealed is the domain of the seals of an incident's events.
func sealed(incident string) string { return "event of " + incident }

// decode reads an event and proves that this bot wrote it, for this incident, as it is.
func (l *Log) decode(incident string, row redis.XMessage) (Event, error) {
	e, err := decode(row)
	if err != nil || l.Seal == nil {
		return e, err
	}
	return e, e.proven(l.Seal, incident)
}

// proven is nil when the event's seal fits its hash, and its hash fits what it says.
func (e Event) proven(ring *seal.Ring, incident string) error {
	if err := ring.Check(sealed(incident), []byte(e.Hash), e.Seal); err != nil {
		return fmt.Errorf("%w: event %d of %s: %w", ErrBroken, e.Seq, incident, err)
	}
	if hash, err := sum(e); err != nil || hash != e.Hash {
		return fmt.Errorf("%w: event %d of %s was altered", ErrBroken, e.Seq, incident)
	}
	return nil
}

func decode(row redis.XMessage) (Event, error) {
	text, _ := row.Values["event"].(string)
	var e Event
	if err := json.Unmarshal([]byte(text), &e); err != nil {
		return e, fmt.Errorf("%w: entry %s is not an event: %w", ErrBroken, row.ID, err)
	}
	return e, nil
}

func away(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
