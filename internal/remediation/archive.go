package remediation

import (
	"context"
	"fmt"
	"time"

	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// Archive writes an incident's record where it is kept for good and proves that it is there; head is the hash of its last
// event. nil keeps nothing.
type Archive func(ctx context.Context, id string) (head string, events int64, err error)

// armArchive sets the timer of the archive when an incident ends.
func (f *Flow) armArchive(ctx context.Context, id string, to incident.State) error {
	if f.Archive == nil || to != incident.Resolved && to != incident.Closed {
		return nil
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Archiving, Incident: id, Attempt: stamp(f.Now())}, f.Now().Add(f.ArchiveAfter))
}

// archive keeps an incident that is over, and says so with the head that witnesses its end. One that is open again is left
// alone: its next end archives it. An archive that is away is tried again by the queue.
func (f *Flow) archive(ctx context.Context, id string) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	if f.Archive == nil || inc.State != incident.Resolved && inc.State != incident.Closed {
		return nil
	}
	if done, err := f.Journal.Marked(ctx, id, archivedAs(inc)); err != nil || done {
		return err
	}
	head, events, err := f.Archive(ctx, id)
	if err != nil {
		return fmt.Errorf("archiving %s: %w", id, err)
	}
	text := fmt.Sprintf("%s is archived: %d events, head %s", id, events, head)
	if err := f.record(ctx, id, timeline.IncidentArchived, timeline.Bot, "archived:"+head, text, map[string]any{"head": head, "events": events}); err != nil {
		return err
	}
	if err := f.notify(ctx, id, archivedAs(inc), text, nil, false); err != nil {
		return err
	}
	_, err = f.Journal.Once(ctx, id, archivedAs(inc))
	return err
}

// archivedAs marks an incident as archived, once for each state in which it ended.
func archivedAs(inc incident.Incident) string {
	ended := inc.ResolvedAt
	if inc.State == incident.Closed {
		ended = inc.ClosedAt
	}
	return "archived:" + string(inc.State) + ":" + ended.UTC().Format(time.RFC3339)
}
