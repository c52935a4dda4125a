package remediation

import (
	"context"
	"fmt"
	"strings"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/alert"
	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// Receive takes alerts in: stages 1 and 2. It returns nil only when every alert is durable; what takes longer is a job.
// Alerts may come twice, late or in any order.
func (f *Flow) Receive(ctx context.Context, alerts []alert.Alert) error {
	touched := map[string]incident.Outcome{}
	for _, a := range alerts {
		inc, outcome, err := f.receive(ctx, a)
		if err != nil {
			return err
		}
		if outcome == incident.Ignored {
			continue
		}
		if was, ok := touched[inc.ID]; !ok || was == incident.Repeated {
			touched[inc.ID] = outcome
		}
	}
	for id, outcome := range touched {
		if err := f.follow(ctx, id, outcome); err != nil {
			return err
		}
	}
	return nil
}

func (f *Flow) receive(ctx context.Context, a alert.Alert) (incident.Incident, incident.Outcome, error) {
	inc, outcome, err := f.Incidents.Receive(ctx, a, f.key(a))
	if err != nil {
		return inc, outcome, fmt.Errorf("receiving alert %s: %w", a.Name, err)
	}
	if outcome == incident.Ignored {
		f.Log.Info("alert ignored", zap.String("alert", a.Name), zap.String("status", string(a.Status)), zap.String("connector", a.Connector))
		return inc, outcome, nil
	}
	if trace := a.Annotations["trace"]; trace != "" && a.Status == alert.Firing && a.Connector != "" { // the watcher has seen it when it was new
		if _, err := f.Journal.First(ctx, inc.ID, a.Connector, f.Redact(trace)); err != nil {
			return inc, outcome, err
		}
	}
	return inc, outcome, f.tell(ctx, inc, a, outcome)
}

// key says what the alert is about: its pipeline, and what the runbook that answers it says of severity and impact.
func (f *Flow) key(a alert.Alert) incident.Key {
	k := incident.Key{Pipeline: f.Route(a), Severity: a.Labels["severity"]}
	k.Cluster = f.Pipelines[k.Pipeline].Cluster
	if book, ok := f.Library.Answers(a.Name); ok {
		k.Runbook, k.SLOImpact = book.Name, book.SLOImpact
		if k.Severity == "" {
			k.Severity = book.Severity
		}
	}
	return k
}

// tell writes what the alert did to the timeline. Keys make a webhook that comes twice write once.
func (f *Flow) tell(ctx context.Context, inc incident.Incident, a alert.Alert, outcome incident.Outcome) error {
	who := timeline.Actor{Kind: a.Source, Name: a.Source}
	mark := a.Source + ":" + a.Fingerprint + ":" + a.StartsAt.UTC().Format(time.RFC3339Nano)
	if a.Status == alert.Resolved {
		if err := f.record(ctx, inc.ID, timeline.AlertResolved, who, "resolved:"+mark, about(a)+" is resolved", facts(a)); err != nil || outcome != incident.ResolvedAll {
			return err
		}
		text := fmt.Sprintf("%s: all alerts are resolved; the quiet period runs", inc.ID)
		return f.record(ctx, inc.ID, timeline.IncidentMoved, timeline.Bot, "quiet:"+mark, text, map[string]any{"to": inc.State})
	}
	if err := f.record(ctx, inc.ID, timeline.AlertReceived, who, "firing:"+mark, about(a)+" is firing", facts(a)); err != nil {
		return err
	}
	if outcome == incident.Reopened {
		return f.record(ctx, inc.ID, timeline.IncidentReopened, timeline.Bot, fmt.Sprintf("reopened:%d", inc.Reopened),
			inc.ID+" is open again: "+about(a)+" came back within the quiet period", nil)
	}
	return f.record(ctx, inc.ID, timeline.IncidentOpened, timeline.Bot, "opened",
		fmt.Sprintf("%s opened for pipeline %s", inc.ID, inc.Pipeline), opening(inc))
}

// opening is what an incident is, so that its timeline proves it.
func opening(inc incident.Incident) map[string]any {
	return map[string]any{"alert": inc.Alert, "pipeline": inc.Pipeline, "severity": inc.Severity, "slo_impact": inc.SLOImpact, "runbook": inc.Runbook}
}

// follow starts what comes after: a diagnosis when something new is wrong, the quiet period when all is well.
func (f *Flow) follow(ctx context.Context, id string, outcome incident.Outcome) error {
	if err := f.touch(ctx, id); err != nil {
		return err
	}
	switch outcome {
	case incident.Opened, incident.Joined, incident.Reopened:
		inc, err := f.Incidents.Get(ctx, id)
		if err != nil {
			return err
		}
		if err := f.armEscalation(ctx, inc, outcome); err != nil {
			return err
		}
		return f.Queue.Enqueue(ctx, Job{Kind: Investigate, Incident: id, Attempt: stamp(f.Now())}, f.Now())
	case incident.ResolvedAll:
		return f.mitigated(ctx, id)
	}
	return nil
}

func about(a alert.Alert) string {
	parts := []string{a.Name}
	if a.Connector != "" {
		parts = append(parts, "on "+a.Connector)
	}
	if a.Task != "" {
		parts = append(parts, "task "+a.Task)
	}
	return strings.Join(parts, " ")
}

func facts(a alert.Alert) map[string]any {
	return map[string]any{
		"alert": a.Name, "source": a.Source, "connector": a.Connector, "task": a.Task, "cluster": a.Cluster,
		"fingerprint": a.Fingerprint, "starts_at": a.StartsAt.UTC(), "summary": a.Annotations["summary"],
	}
}

// stamp tells apart jobs that are enqueued at different moments.
func stamp(t time.Time) string { return t.UTC().Format("20060102T150405.000") }

// Expected reports whether a connector's state is deliberate: STOPPED after a plan of ours stopped it.
func (f *Flow) Expected(pipeline, connector, state string) bool {
	if state != "STOPPED" {
		return false
	}
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
	defer cancel()
	stopped, err := f.Journal.Stopped(ctx, pipeline, connector)
	if err != nil {
		f.Log.Warn("not known whether it was stopped on purpose", zap.String("connector", connector), zap.Error(err))
	}
	return stopped
}
