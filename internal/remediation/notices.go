package remediation

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"
)

// Notice is a message of its own in the thread, because people have to be called: cards are edited in place, and an edit
// calls nobody. It is told once.
type Notice struct {
	Key  string    `json:"key"` // tells it apart from others of the incident, such as "remind:REQ-1"
	At   time.Time `json:"at"`
	Text string    `json:"text"`
	Call []string  `json:"call,omitempty"` // Slack user and user group IDs to mention
	Loud bool      `json:"loud,omitempty"` // marked in red
}

// Notify keeps a notice for the thread; the same key is told once.
func (j *Journal) Notify(ctx context.Context, incident string, n Notice) error {
	return j.away("keeping a notice of "+incident, j.Redis.HSetNX(ctx, key(incident, "notices"), n.Key, j.close("notice "+n.Key+" of "+incident, n)).Err())
}

// Notices are an incident's notices, the oldest first. One that this bot did not write is left out.
func (j *Journal) Notices(ctx context.Context, incident string) ([]Notice, error) {
	all, err := j.Redis.HGetAll(ctx, key(incident, "notices")).Result()
	if err != nil {
		return nil, j.away("reading notices of "+incident, err)
	}
	var list []Notice
	for k, record := range all {
		var n Notice
		err := j.open("notice "+k+" of "+incident, []byte(record), &n)
		var syntax *json.SyntaxError
		if errors.Is(err, ErrForged) || errors.As(err, &syntax) {
			continue
		}
		if err != nil {
			return nil, err
		}
		list = append(list, n)
	}
	slices.SortFunc(list, func(a, b Notice) int { return cmp.Or(a.At.Compare(b.At), cmp.Compare(a.Key, b.Key)) })
	return list, nil
}

// notify tells the thread something that people have to hear.
func (f *Flow) notify(ctx context.Context, incident, key, text string, call []string, loud bool) error {
	if err := f.Journal.Notify(ctx, incident, Notice{Key: key, At: f.Now(), Text: text, Call: call, Loud: loud}); err != nil {
		return err
	}
	return f.touch(ctx, incident)
}
