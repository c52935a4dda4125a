package remediation

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/chart"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
	"cdcbot/internal/tracing"
)

// Diagnose looks again because a person asked.
func (f *Flow) Diagnose(ctx context.Context, id string, by Person) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	if inc.State == incident.Closed {
		return ErrClosed
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Investigate, Incident: id, Attempt: by.ID + stamp(f.Now())}, f.Now())
}

// unasked marks jobs in which the bot looks again by itself: what has not changed is not told again.
const unasked = "again:"

// investigate is stages 3 and 4: it gathers evidence, diagnoses, and shows what can be pressed. When quiet, a diagnosis
// that says the same as before is kept and not told.
func (f *Flow) investigate(ctx context.Context, id string, quiet bool) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	before, err := f.Journal.Diagnosis(ctx, id)
	if err != nil {
		return err
	}
	d := diagnosis.Diagnose(f.evidence(ctx, inc))
	d.Kin = f.kin(ctx, inc, d)
	if before != nil {
		d.News = d.Compare(*before)
	}
	if before == nil || !d.Well() { // the last diagnosis that found a fault is what the resolved card names
		if err := f.Journal.SaveDiagnosis(ctx, id, d); err != nil {
			return err
		}
	}
	if err := f.actAlone(ctx, inc, d); err != nil {
		return err
	}
	if quiet && before != nil && before.Headline == d.Headline && slices.Equal(before.Kin, d.Kin) {
		return f.attachMissing(ctx, id, d)
	}
	if err := f.record(ctx, id, timeline.DiagnosisMade, timeline.Bot, "", told(before, d), summary(d)); err != nil {
		return err
	}
	if err := f.touch(ctx, id); err != nil {
		return err
	}
	if err := f.attachTrace(ctx, id, d); err != nil || quiet {
		return err
	}
	if err := f.attachFlow(ctx, inc, d, "seen:"+string(d.Top().Slug)); err != nil {
		return err
	}
	return f.lookAround(ctx, inc, d)
}

// mostKin bounds how many other incidents are compared: it is a hint, and must cost little.
const mostKin = 20

// kin are the open incidents of other pipelines that have the same cause. Each keeps its own thread, because its channel and
// its approvers are its own; a shared cause is mended once. What cannot be read is left out.
func (f *Flow) kin(ctx context.Context, inc incident.Incident, d diagnosis.Diagnosis) []diagnosis.Kin {
	others, err := f.Incidents.List(ctx, incident.Filter{Open: true, Limit: mostKin})
	if err != nil {
		f.Log.Warn("other incidents not compared", zap.String("incident", inc.ID), zap.Error(err))
		return nil
	}
	var list []diagnosis.Kin
	for _, o := range others {
		if o.ID == inc.ID || o.State == incident.Monitoring {
			continue
		}
		theirs, err := f.Journal.Diagnosis(ctx, o.ID)
		if err != nil || theirs == nil {
			continue
		}
		if why, ok := d.Alike(*theirs); ok {
			list = append(list, diagnosis.Kin{Incident: o.ID, Pipeline: o.Pipeline, Why: why})
		}
	}
	return list
}

// evidence collects what the pipeline's systems answer and adds what the runbook knows.
func (f *Flow) evidence(ctx context.Context, inc incident.Incident) diagnosis.Evidence {
	e := diagnosis.Evidence{At: f.Now()}
	if p, ok := f.Pipelines[inc.Pipeline]; ok {
		look, traced := tracing.Span(ctx, "evidence", "cdcbot.pipeline", inc.Pipeline)
		e = p.Collect(look, inc.Connectors())
		traced(nil)
	}
	f.remember(ctx, inc, e.Subjects)
	if book, ok := f.book(inc); ok {
		e.Patterns, e.Sections = known(book)
	}
	return e
}

// remember puts what was seen earlier in this outage to the subjects: the first trace of each, and since when it fails.
func (f *Flow) remember(ctx context.Context, inc incident.Incident, subjects []diagnosis.Subject) {
	for i, s := range subjects {
		if !s.Suspect {
			continue
		}
		first, err := f.Journal.First(ctx, inc.ID, s.Connector, shown(s))
		if err != nil {
			f.Log.Warn("first trace not known", zap.String("incident", inc.ID), zap.String("connector", s.Connector), zap.Error(err))
		}
		if s.First == "" {
			subjects[i].First = first
		}
		subjects[i].Since = inc.StartedAt
	}
}

// shown is the trace that Connect shows of a connector: its own, or that of the first task that has one.
func shown(s diagnosis.Subject) string {
	if s.Status.Trace != "" {
		return s.Status.Trace
	}
	for _, t := range s.Status.Tasks {
		if t.Trace != "" {
			return t.Trace
		}
	}
	return ""
}

func (f *Flow) book(inc incident.Incident) (*runbook.Book, bool) {
	if book, ok := f.Library.Book(inc.Runbook); ok {
		return book, true
	}
	return f.Library.Answers(inc.Alert)
}

func known(book *runbook.Book) ([]diagnosis.Pattern, []diagnosis.Section) {
	var patterns []diagnosis.Pattern
	for _, p := range book.Patterns {
		patterns = append(patterns, diagnosis.Pattern{Text: p.Text, Hint: p.Hint, Section: p.Section})
	}
	var sections []diagnosis.Section
	for _, s := range book.Sections {
		if s.Kind == runbook.Cause {
			sections = append(sections, diagnosis.Section{ID: s.ID, Title: s.Title})
		}
	}
	return patterns, sections
}

func told(before *diagnosis.Diagnosis, now diagnosis.Diagnosis) string {
	if before == nil || len(now.News) == 0 {
		return now.Headline
	}
	return now.Headline + " (" + strings.Join(now.News, "; ") + ")"
}

func summary(d diagnosis.Diagnosis) map[string]any {
	causes := make([]map[string]any, 0, len(d.Causes))
	for _, c := range d.Causes {
		causes = append(causes, map[string]any{"cause": c.Slug, "title": c.Title, "confidence": c.Confidence,
			"retriable": c.Retriable, "why": c.Why, "connectors": c.Connectors, "for": c.For, "against": c.Against})
	}
	facts := map[string]any{"causes": causes, "probes": d.Probes, "connectors": d.Subjects, "excerpt": d.Excerpt}
	for name, list := range map[string]any{"kin": d.Kin, "clocks": d.Clocks, "healers": d.Healers, "unread": d.Unread, "news": d.News} {
		if reflect.ValueOf(list).Len() > 0 {
			facts[name] = list
		}
	}
	return facts
}

// attachTrace puts the whole trace into the thread, once per distinct trace. A file that cannot be posted is no reason
// to look again: the excerpt is on the card and the diagnosis is in the timeline.
func (f *Flow) attachTrace(ctx context.Context, id string, d diagnosis.Diagnosis) error {
	if d.Trace == "" {
		return nil
	}
	sum := sha256.Sum256([]byte(d.Trace))
	stands, err := f.attachOnce(ctx, id, "trace:"+hex.EncodeToString(sum[:8]), File{Name: id + "-trace.txt", Title: "Trace of the first failed task", Type: "text/plain", Body: []byte(f.Redact(d.Trace))})
	if stands {
		_, err = f.Journal.Once(ctx, id, "trace")
	}
	return err
}

// attachMissing attaches the trace of an incident that has none yet, because Slack was away.
func (f *Flow) attachMissing(ctx context.Context, id string, d diagnosis.Diagnosis) error {
	if done, err := f.Journal.Marked(ctx, id, "trace"); err != nil || done {
		return err
	}
	return f.attachTrace(ctx, id, d)
}

// flowMinutes is how far back the chart of the flow reaches: an hour shows what is usual.
const flowMinutes = 60

// attachFlow puts the chart of the flow into the thread, once for each occasion.
func (f *Flow) attachFlow(ctx context.Context, inc incident.Incident, d diagnosis.Diagnosis, occasion string) error {
	picture := flowChart(inc, d)
	body, err := picture.PNG(false)
	if errors.Is(err, chart.ErrEmpty) {
		return nil
	}
	if err != nil {
		f.Log.Warn("flow not drawn", zap.String("incident", inc.ID), zap.Error(err))
		return nil
	}
	_, err = f.attachOnce(ctx, inc.ID, "flow:"+occasion, File{Name: inc.ID + "-flow.png", Title: "Records per minute, until " + d.At.UTC().Format("15:04 UTC"), Type: "image/png", Body: body, Alt: picture.Alt()})
	return err
}

// flowChart is the flow of the failing connectors, or of all when none fails, with the moment of failure marked.
func flowChart(inc incident.Incident, d diagnosis.Diagnosis) chart.Flow {
	picture := chart.Flow{Title: "Records per minute"}
	affected := everAffected(inc)
	for _, fl := range d.Flows {
		if len(affected) > 0 && !slices.Contains(affected, fl.Connector) {
			continue
		}
		s := chart.Series{Name: fl.Connector}
		for _, p := range fl.Points {
			if d.At.Sub(p.At) <= flowMinutes*time.Minute {
				s.Points = append(s.Points, chart.Point{At: p.At, Value: p.PerMinute, Known: p.Known})
			}
		}
		picture.Series = append(picture.Series, s)
	}
	if len(picture.Series) == 1 {
		picture.Title += ": " + picture.Series[0].Name
	}
	picture.Marks = append(picture.Marks, chart.Mark{At: inc.StartedAt, Text: inc.StartedAt.UTC().Format("15:04") + " failed", Kind: chart.Failed})
	if !inc.MitigatedAt.IsZero() {
		picture.Marks = append(picture.Marks, chart.Mark{At: inc.MitigatedAt, Text: inc.MitigatedAt.UTC().Format("15:04") + " recovered", Kind: chart.Fixed})
	}
	return picture
}

// everAffected are the connectors that the incident has been about.
func everAffected(inc incident.Incident) []string {
	var names []string
	for _, a := range inc.Affected {
		if a.Connector != "" && !slices.Contains(names, a.Connector) {
			names = append(names, a.Connector)
		}
	}
	return names
}

// attach adds a file to the thread and reports whether it stands there. One that cannot be posted is in the timeline all
// the same.
func (f *Flow) attach(ctx context.Context, id string, file File) bool {
	thread, err := f.Painter.Thread(ctx, id)
	if err == nil {
		err = f.Room.Attach(ctx, thread, file)
	}
	if err != nil {
		f.Log.Warn("file not attached", zap.String("incident", id), zap.String("file", file.Name), zap.Error(err))
	}
	return err == nil
}

// attachOnce attaches a file unless that was done before, and reports whether it stands in the thread. While Slack is away
// it does not: the next look tries again.
func (f *Flow) attachOnce(ctx context.Context, id, mark string, file File) (stands bool, err error) {
	done, err := f.Journal.Marked(ctx, id, mark)
	if err != nil || done {
		return done, err
	}
	if !f.attach(ctx, id, file) {
		return false, nil
	}
	_, err = f.Journal.Once(ctx, id, mark)
	return true, err
}

// mitigated follows up when the alerts are gone or a verification passed: the quiet period runs from here.
func (f *Flow) mitigated(ctx context.Context, id string) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	since := inc.MitigatedAt
	if since.IsZero() {
		since = f.Now()
	}
	if err := f.Journal.ForgetFirst(ctx, id); err != nil {
		return err
	}
	if err := f.touch(ctx, id); err != nil {
		return err
	}
	return f.Queue.Enqueue(ctx, Job{Kind: Settle, Incident: id, Attempt: stamp(since)}, since.Add(f.Quiet))
}

// settle resolves an incident that stayed quiet. A relapse meanwhile has moved it on, and then there is nothing to do.
func (f *Flow) settle(ctx context.Context, id string) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	if inc.State != incident.Monitoring {
		return nil
	}
	if left := inc.MitigatedAt.Add(f.Quiet).Sub(f.Now()); left > 0 {
		return f.Queue.Enqueue(ctx, Job{Kind: Settle, Incident: id, Attempt: stamp(inc.MitigatedAt)}, f.Now().Add(left))
	}
	return f.move(ctx, id, incident.Resolved, timeline.Bot, fmt.Sprintf("quiet for %s", f.Quiet.Round(time.Second)))
}

// move walks the incident to a state and writes it down. Being there already is not an error.
func (f *Flow) move(ctx context.Context, id string, to incident.State, who timeline.Actor, why string) error {
	inc, from, err := f.Incidents.Move(ctx, id, to)
	if err != nil {
		return fmt.Errorf("moving %s to %s: %w", id, to, err)
	}
	if from == to {
		return nil
	}
	text := fmt.Sprintf("%s: %s → %s (%s)", id, from, to, why)
	if err := f.record(ctx, id, timeline.IncidentMoved, who, "", text, map[string]any{"from": from, "to": to, "version": inc.Version}); err != nil {
		return err
	}
	if err := f.armArchive(ctx, id, to); err != nil {
		return err
	}
	if to == incident.Resolved {
		f.hearAgain(ctx, id)
	}
	return f.touch(ctx, id)
}
