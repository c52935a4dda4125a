package history

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// flowFor is how long points of a flow are kept.
const flowFor = 24 * time.Hour

// Point is one minute of a flow.
type Point struct {
	At        time.Time // its beginning
	PerMinute float64
	Known     bool // false: nobody looked, or the total went back because it began anew
}

// point adds to a pipeline the total of a connector, the first in every minute, and returns the minute whose total is
// kept then. The first replica in a minute is the one.
func (s *Store) point(ctx context.Context, p redis.Pipeliner, cluster string, l look, now time.Time) int64 {
	minute := now.Unix() / 60
	if l.Progress == nil || l.minute == minute {
		return l.minute
	}
	oldest := now.Add(-flowFor).Truncate(time.Minute)
	p.Eval(ctx, pointSource, []string{flowKey(cluster, l.Connector)}, minute*60_000, now.UnixMilli(), *l.Progress, oldest.UnixMilli(), flowFor.Milliseconds())
	return minute
}

// sample is the first total that was seen in a minute.
type sample struct {
	minute time.Time
	at     time.Time
	total  int64
}

// Flow is how fast data of a connector flowed in each minute since a moment, or since it was first looked at within a
// day; the minute that is not over is not in it. A total that went back and has overtaken itself within a minute is not
// seen to have done so. Errors: ErrUnavailable.
func (s *Store) Flow(ctx context.Context, cluster, connector string, since time.Time) ([]Point, error) {
	oldest := s.now().Add(-flowFor)
	if since.Before(oldest) {
		since = oldest
	}
	from := strconv.FormatInt(since.Truncate(time.Minute).UnixMilli(), 10)
	entries, err := s.Redis.XRange(ctx, flowKey(cluster, connector), from, "+").Result()
	if err != nil {
		return nil, away("reading the flow of "+connector, err)
	}
	samples := make([]sample, len(entries))
	for i, e := range entries {
		if samples[i], err = readSample(e); err != nil {
			return nil, fmt.Errorf("decoding the flow of %s: %w", connector, err)
		}
	}
	return points(samples), nil
}

func readSample(e redis.XMessage) (sample, error) {
	id, _, _ := strings.Cut(e.ID, "-")
	var numbers [3]int64
	for i, field := range []any{id, e.Values["at"], e.Values["total"]} {
		text, _ := field.(string)
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil {
			return sample{}, fmt.Errorf("entry %s: %w", e.ID, err)
		}
		numbers[i] = n
	}
	return sample{time.UnixMilli(numbers[0]).UTC(), time.UnixMilli(numbers[1]).UTC(), numbers[2]}, nil
}

// points are the minutes between samples. A minute is known when it and the next begin with one.
func points(samples []sample) []Point {
	var list []Point
	for i := 1; i < len(samples); i++ {
		a, b := samples[i-1], samples[i]
		first := Point{At: a.minute}
		if took := b.at.Sub(a.at); b.minute.Sub(a.minute) == time.Minute && took > 0 && b.total >= a.total {
			first.PerMinute, first.Known = float64(b.total-a.total)/took.Minutes(), true
		}
		list = append(list, first)
		for at := a.minute.Add(time.Minute); at.Before(b.minute); at = at.Add(time.Minute) {
			list = append(list, Point{At: at})
		}
	}
	return list
}
