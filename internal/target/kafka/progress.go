package kafka

import (
	"context"

	"github.com/twmb/franz-go/pkg/kadm"
)

// Progress is how far a consumer group has come.
type Progress struct {
	Committed int64 // sum of the committed offsets: it grows as records are read
	Waiting   int64 // records behind them
}

// Progress looks at many consumer groups at once, in as many requests as for one. A group that is not there, or that
// could not be looked at whole, is not in the answer. Errors are *Error.
func (c *Client) Progress(ctx context.Context, names []string) (map[string]Progress, error) {
	found := map[string]Progress{}
	if len(names) == 0 {
		return found, nil
	}
	err := c.look(ctx, "progress of consumer groups", func(ctx context.Context, admin *kadm.Client) error {
		groups := map[string]*group{}
		for _, name := range names {
			groups[name] = &group{name: name, holders: map[string]map[int32]holder{}}
		}
		all, err := lags(ctx, admin, groups)
		if err != nil {
			return err
		}
		clear(found)
		for name, lines := range all {
			if p, ok := sum(lines); ok {
				found[name] = p
			}
		}
		return nil
	})
	return found, err
}

func sum(lines []line) (Progress, bool) {
	var p Progress
	for _, l := range lines {
		if l.err != nil {
			return p, false
		}
		p.Committed += max(0, l.committed)
		p.Waiting += l.lag
	}
	return p, len(lines) > 0
}
