package approval

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/seal"
)

// Members remembers since when people are in a user group, as far as the bot has seen: Slack tells who is in it, not since
// when. Whoever may edit the group could otherwise make somebody an approver a minute before it matters. What is stored is
// sealed; what does not fit its seal is as if it were not there, so that its person counts as new.
type Members struct {
	Redis redis.UniversalClient
	Now   func() time.Time
	Seal  *seal.Ring
}

func membersKey(group string) string { return "cdcbot:members:" + group }

// memberOf is the domain of a membership's seal: it is good for no other person and no other group.
func memberOf(group, id string) string { return "member " + group + " " + id }

// See takes who is in a group now and returns since when each of them has been seen in it. Who is not in it any more is
// forgotten, and counts as new on coming back.
func (m *Members) See(ctx context.Context, group string, ids []string) (map[string]time.Time, error) {
	known, err := m.Redis.HGetAll(ctx, membersKey(group)).Result()
	if err != nil {
		return nil, away("reading who was in the user group "+group, err)
	}
	now := m.Now().UTC().Truncate(time.Millisecond)
	since := make(map[string]time.Time, len(ids))
	var gone, fresh []string
	for _, id := range ids {
		at, err := m.read(group, id, known[id])
		if err != nil {
			at, fresh = now, append(fresh, id)
		}
		since[id] = at
	}
	for id := range known {
		if _, still := since[id]; !still || slices.Contains(fresh, id) { // what is forged makes room
			gone = append(gone, id)
		}
	}
	return since, m.write(ctx, group, gone, fresh, now)
}

// read is since when somebody is in a group; an error means that nobody knows.
func (m *Members) read(group, id, record string) (time.Time, error) {
	text, err := m.Seal.Open(memberOf(group, id), []byte(record))
	if err != nil {
		return time.Time{}, err
	}
	ms, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("since when %s is in %s: %w", id, group, err)
	}
	return time.UnixMilli(ms).UTC(), nil
}

// write forgets those who are gone and notes those who are new. Of two replicas that note somebody at once the first counts.
func (m *Members) write(ctx context.Context, group string, gone, fresh []string, now time.Time) error {
	if len(gone)+len(fresh) == 0 {
		return nil
	}
	_, err := m.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		if len(gone) > 0 {
			p.HDel(ctx, membersKey(group), gone...)
		}
		for _, id := range fresh {
			p.HSetNX(ctx, membersKey(group), id, m.Seal.Close(memberOf(group, id), strconv.AppendInt(nil, now.UnixMilli(), 10)))
		}
		return nil
	})
	if err != nil {
		return away("noting who is in the user group "+group, err)
	}
	return nil
}
