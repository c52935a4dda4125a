package incident

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"slices"

	"cdcbot/internal/alert"
)

// Manual is the alert name, and the source, of incidents that a person's own command opened.
const Manual = "manual"

// OpenManual is the incident of a person's own command about a connector: the open one of earlier commands on the
// pipeline, or a new one that belongs to by (a Slack user ID). Its rows are not ended by alerts.
func (s *Store) OpenManual(ctx context.Context, pipeline, cluster, connector, by string) (Incident, error) {
	for range attempts {
		inc, err := s.openManual(ctx, pipeline, cluster, connector, by)
		if !errors.Is(err, ErrConflict) {
			return inc, err
		}
	}
	return Incident{}, fmt.Errorf("opening an incident for connector %q: %w", connector, ErrConflict)
}

func (s *Store) openManual(ctx context.Context, pipeline, cluster, connector, by string) (Incident, error) {
	now := s.now()
	a := alert.Alert{Source: Manual, Name: Manual, Status: alert.Firing, Connector: connector, StartsAt: now, Fingerprint: Manual + ":" + connector,
		Annotations: map[string]string{"summary": "Opened by hand for " + connector}}
	k := Key{Pipeline: pipeline, Cluster: cluster}
	seen, err := s.look(ctx, pipeline, Manual, connector, "")
	if err != nil {
		return Incident{}, err
	}
	n := begin(a, k, now)
	if seen.id != "" && seen.body.Active() {
		n = join(seen, a, k, now)
	} else {
		n.body.Owner = by
		n.body.enter(Acknowledged, now)
	}
	stored, err := s.store(ctx, seen, n)
	if err != nil {
		return Incident{}, fmt.Errorf("opening an incident for connector %q: %w", connector, err)
	}
	return s.Get(ctx, stored.ID)
}

// Update changes an incident; when another replica was faster, change sees the newer one and is asked again. The state
// goes through Move and rows through Receive: a change that touches them is refused.
func (s *Store) Update(ctx context.Context, id string, change func(*Incident) error) (Incident, error) {
	return s.update(ctx, id, func(i *Incident) error {
		was := i.State
		if err := change(i); err != nil {
			return err
		}
		if i.State != was {
			return fmt.Errorf("%s: update of the state %s to %s: %w; expected Move", id, was, i.State, ErrTransition)
		}
		return nil
	})
}

func (s *Store) update(ctx context.Context, id string, change func(*Incident) error) (Incident, error) {
	for range attempts {
		inc, err := s.updateOnce(ctx, id, change)
		if !errors.Is(err, ErrConflict) {
			return inc, err
		}
	}
	return Incident{}, fmt.Errorf("updating %s: %w", id, ErrConflict)
}

func (s *Store) updateOnce(ctx context.Context, id string, change func(*Incident) error) (Incident, error) {
	seen, inc, err := s.open(ctx, id)
	if err != nil {
		return inc, err
	}
	was := inc
	was.Affected = slices.Clone(inc.Affected) // so that a change in place is seen
	if err := change(&inc); err != nil {
		return was, err
	}
	if inc.ID != was.ID || inc.Version != was.Version || !reflect.DeepEqual(inc.Affected, was.Affected) {
		return was, fmt.Errorf("updating %s: ID, version and affected connectors cannot be changed by hand", id)
	}
	b := seen.body
	b.Incident = inc
	b.Affected = nil
	if _, err := s.save(ctx, seen, b, nil); err != nil {
		return was, err
	}
	return s.Get(ctx, id)
}

// Move walks an incident to a state and sets the times that belong to it. It returns the state before; being there
// already changes nothing and is no error. Errors: ErrTransition, ErrNotFound.
func (s *Store) Move(ctx context.Context, id string, to State) (Incident, State, error) {
	var from State
	inc, err := s.update(ctx, id, func(i *Incident) error {
		if from = i.State; from == to {
			return errSame
		}
		if !Allowed(from, to) {
			return fmt.Errorf("%s is %s; to be %s it must be %s: %w", id, from, to, sources(to), ErrTransition)
		}
		i.enter(to, s.now())
		return nil
	})
	if errors.Is(err, errSame) {
		return inc, from, nil
	}
	return inc, from, err
}

var errSame = errors.New("already there")
