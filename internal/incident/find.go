package incident

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/redis/go-redis/v9"
)

// Filter chooses incidents. Limit 0 means all.
type Filter struct {
	Open     bool // neither resolved nor closed
	Pipeline string
	Limit    int
}

// page is how many incidents are read at once.
const page = 100

// List reads incidents, newest first.
func (s *Store) List(ctx context.Context, f Filter) ([]Incident, error) {
	key := allKey
	if f.Open {
		key = openKey
	}
	var list []Incident
	for from := int64(0); ; from += page {
		ids, err := s.Redis.ZRevRange(ctx, key, from, from+page-1).Result()
		if err != nil {
			return nil, away("listing incidents", err)
		}
		if list, err = s.collect(ctx, list, ids, f); err != nil {
			return nil, err
		}
		if len(ids) < page || f.full(list) {
			return list, nil
		}
	}
}

func (f Filter) full(list []Incident) bool { return f.Limit > 0 && len(list) >= f.Limit }

// takes asks again whether an incident is open: it may have ended since it was listed.
func (f Filter) takes(i Incident) bool {
	return (!f.Open || i.Active()) && (f.Pipeline == "" || f.Pipeline == i.Pipeline)
}

func (s *Store) collect(ctx context.Context, list []Incident, ids []string, f Filter) ([]Incident, error) {
	read := make([]*redis.MapStringStringCmd, len(ids))
	_, err := s.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i, id := range ids {
			read[i] = p.HGetAll(ctx, incidentKey(id))
		}
		return nil
	})
	if err != nil {
		return nil, away("reading incidents", err)
	}
	for i, id := range ids {
		inc, err := decode(id, read[i].Val())
		if err != nil {
			return nil, err
		}
		if f.takes(inc) && !f.full(list) {
			list = append(list, inc)
		}
	}
	return list, nil
}

// FindOpen is the open incident of a pipeline and alert name; ErrNotFound when there is none.
func (s *Store) FindOpen(ctx context.Context, pipeline, alertName string) (Incident, error) {
	id, err := s.Redis.HGet(ctx, indexKey, quoted(pipeline, alertName)).Result()
	if err != nil && !errors.Is(err, redis.Nil) {
		return Incident{}, away("finding the incident of "+alertName, err)
	}
	if err == nil {
		inc, err := s.Get(ctx, id)
		if err != nil || inc.Active() {
			return inc, err
		}
	}
	return Incident{}, fmt.Errorf("open incident of %s on %s: %w", alertName, pipeline, ErrNotFound)
}

// ByConnector is the open incident that names a connector of a pipeline; ErrNotFound when there is none. One in which the
// connector still fails goes before one in which it has recovered, and a newer one before an older. A connector may also
// be named by the cluster that it runs on.
func (s *Store) ByConnector(ctx context.Context, pipeline, connector string) (Incident, error) {
	open, err := s.List(ctx, Filter{Open: true})
	if err != nil {
		return Incident{}, err
	}
	open = slices.DeleteFunc(open, func(i Incident) bool { return i.Pipeline != pipeline && i.Cluster != pipeline })
	for _, inc := range open {
		if slices.Contains(inc.Connectors(), connector) {
			return inc, nil
		}
	}
	for _, inc := range open {
		if slices.ContainsFunc(inc.Affected, func(a Affected) bool { return a.Connector == connector }) {
			return inc, nil
		}
	}
	return Incident{}, fmt.Errorf("open incident of connector %q: %w", connector, ErrNotFound)
}
