package app

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/config"
	"cdcbot/internal/incident"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
	"cdcbot/internal/timeline"
)

// ExportTimeline reads an incident's timeline from Redis and writes it as "md", "json" or "csv": `bot export`.
func ExportTimeline(ctx context.Context, c *config.Config, id, format string) (remediation.File, error) {
	rdb, err := openRedis(c.Redis)
	if err != nil {
		return remediation.File{}, err
	}
	defer func() { _ = rdb.Close() }() // nothing was written
	books, err := openLibrary(c.Runbooks.Dir)
	if err != nil {
		return remediation.File{}, err
	}
	ring, err := keys(c.Seal)
	if err != nil {
		return remediation.File{}, err
	}
	f := &remediation.Flow{Incidents: &incident.Store{Redis: rdb, Now: time.Now}, Timeline: &timeline.Log{Redis: rdb, Now: time.Now, Redact: redact.New(c.Secrets()...).Text, Seal: ring}, Library: books, Now: time.Now, Log: zap.NewNop()}
	return export(ctx, f, id, format)
}

// export writes an incident's timeline with what the runbook asks for in a review.
func export(ctx context.Context, f *remediation.Flow, id, format string) (remediation.File, error) {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return remediation.File{}, err
	}
	events, err := f.Timeline.Events(ctx, id)
	if err != nil {
		return remediation.File{}, err
	}
	var checklist []string
	if book, ok := f.Library.Book(inc.Runbook); ok {
		checklist = book.Review
	}
	doc := timeline.NewDocument(summary(inc), events, checklist, f.Now())
	var b bytes.Buffer
	if err := timeline.Export(&b, format, doc); err != nil {
		return remediation.File{}, err
	}
	name := fmt.Sprintf("%s-timeline.%s", id, format)
	return remediation.File{Name: name, Title: "Timeline of " + id, Type: timeline.Types[format], Body: b.Bytes(), Comment: "Timeline of " + id}, nil
}

func summary(i incident.Incident) timeline.Summary {
	s := timeline.Summary{ID: i.ID, Alert: i.Alert, Pipeline: i.Pipeline, Severity: i.Severity, SLOImpact: i.SLOImpact, State: string(i.State), StartedAt: i.StartedAt, OpenedAt: i.OpenedAt,
		AcknowledgedAt: i.AcknowledgedAt, MitigatedAt: i.MitigatedAt, ResolvedAt: i.ResolvedAt}
	seen := map[string]bool{}
	for _, a := range i.Affected {
		if a.Connector != "" && !seen[a.Connector] {
			seen[a.Connector] = true
			s.Connectors = append(s.Connectors, a.Connector)
		}
	}
	return s
}
