package remediation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// Silencer keeps an alert from being told for a while. It changes nothing about a pipeline, so one person may ask for it;
// it has an end, an author and a reason, and the timeline keeps all three.
type Silencer interface {
	// Silence returns the silence's ID. It is for these connectors, or for the whole alert when there are none.
	Silence(ctx context.Context, alert string, connectors []string, from, until time.Time, by, comment string) (id string, err error)
	// Expire ends a silence; one that has ended already is no error.
	Expire(ctx context.Context, id string) error
}

// The shortest and the longest silence. What is silent for longer is forgotten.
const (
	ShortestSilence = 5 * time.Minute
	LongestSilence  = 24 * time.Hour
)

// ErrSilence means that what was asked for is no silence; the error says what was expected.
var ErrSilence = errors.New("not a silence")

// Silence keeps an incident's alert quiet, for the connectors that the incident names. A silence that is there already is
// replaced. The bot's own watch goes on: the thread shows what happens all the same.
func (f *Flow) Silence(ctx context.Context, id string, within time.Duration, why string, by Person) (incident.Incident, error) {
	why = strings.TrimSpace(why)
	switch {
	case f.Silencer == nil:
		return incident.Incident{}, ErrNoSilencer
	case within < ShortestSilence || within > LongestSilence:
		return incident.Incident{}, fmt.Errorf("%w: for %s; expected 5m to 24h", ErrSilence, within)
	case why == "":
		return incident.Incident{}, ErrNoReason
	}
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return inc, err
	}
	if !unhealed(inc.State) {
		return inc, fmt.Errorf("%s is %s: %w", id, inc.State, ErrNotOpen)
	}
	if inc.Alert == "" {
		return inc, fmt.Errorf("%w: %s was opened by a person, so there is no alert to silence", ErrSilence, id)
	}
	names, until := inc.Connectors(), f.Now().Add(within).UTC().Truncate(time.Second)
	silence, err := f.Silencer.Silence(ctx, inc.Alert, names, f.Now(), until, by.Name, fmt.Sprintf("%s: %s", id, f.Redact(why)))
	if err != nil {
		return inc, err
	}
	before := inc.Silence
	inc, err = f.Incidents.Update(ctx, id, func(i *incident.Incident) error {
		i.Silence = &incident.Silence{ID: silence, By: by.ID, Until: until}
		return nil
	})
	if err != nil {
		return inc, errors.Join(err, f.Silencer.Expire(ctx, silence)) // what nobody knows of must not hold
	}
	if before != nil {
		if err := f.Silencer.Expire(ctx, before.ID); err != nil {
			return inc, err
		}
	}
	text := fmt.Sprintf("%s silences %s until %s: %s", by.Name, inc.Alert, until.Format("15:04 UTC"), why)
	data := map[string]any{"silence": silence, "alert": inc.Alert, "connectors": names, "until": until, "reason": why}
	return inc, errors.Join(f.record(ctx, id, timeline.AlertSilenced, person(by), silence, text, data), f.touch(ctx, id))
}

// Unsilence ends an incident's silence early.
func (f *Flow) Unsilence(ctx context.Context, id string, by Person) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	if f.silent(inc) == nil {
		return fmt.Errorf("%s: %w", id, ErrNotSilent)
	}
	return f.unsilence(ctx, inc, person(by), by.Name+" ends the silence of "+inc.Alert)
}

// silent is the silence that holds for an incident, nil when none does.
func (f *Flow) silent(inc incident.Incident) *incident.Silence {
	if inc.Silence == nil || !f.Now().Before(inc.Silence.Until) {
		return nil
	}
	return inc.Silence
}

func (f *Flow) unsilence(ctx context.Context, inc incident.Incident, who timeline.Actor, text string) error {
	if f.Silencer == nil {
		return ErrNoSilencer
	}
	was := inc.Silence
	if err := f.Silencer.Expire(ctx, was.ID); err != nil {
		return err
	}
	_, err := f.Incidents.Update(ctx, inc.ID, func(i *incident.Incident) error {
		if i.Silence != nil && i.Silence.ID == was.ID {
			i.Silence = nil
		}
		return nil
	})
	if err != nil {
		return err
	}
	return errors.Join(f.record(ctx, inc.ID, timeline.AlertUnsilenced, who, "end:"+was.ID, text, map[string]any{"silence": was.ID}), f.touch(ctx, inc.ID))
}

// hearAgain ends the silence of an incident that is over: the next failure is another one, and must be heard. Alertmanager
// being away is no reason to keep an incident open; the silence has its end.
func (f *Flow) hearAgain(ctx context.Context, id string) {
	inc, err := f.Incidents.Get(ctx, id)
	if err == nil && f.silent(inc) != nil {
		err = f.unsilence(ctx, inc, timeline.Bot, "The silence of "+inc.Alert+" ends: "+id+" is "+string(inc.State))
	}
	if err != nil {
		f.Log.Warn("silence not ended; it ends by itself", zap.String("incident", id), zap.Error(err))
	}
}
