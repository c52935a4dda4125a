package app

import (
	"context"
	"fmt"
	"io"
	"os"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/config"
	"cdcbot/internal/incident"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
	"cdcbot/internal/timeline"
)

// ExportTimeline reads an incident's timeline from Redis and writes it to w as "md", "html", "json" or "csv": `bot export`.
func ExportTimeline(ctx context.Context, c *config.Config, id, format string, w io.Writer) error {
	return offline(c, func(f *remediation.Flow) error { return exportTo(ctx, f, id, format, w) })
}

// offline is a corridor that reads, for commands beside a bot that runs.
func offline(c *config.Config, do func(*remediation.Flow) error) error {
	rdb, err := openRedis(c.Redis)
	if err != nil {
		return err
	}
	defer func() { _ = rdb.Close() }() // nothing was written
	books, err := openLibrary(c.Runbooks.Dir)
	if err != nil {
		return err
	}
	ring, err := keys(c.Seal)
	if err != nil {
		return err
	}
	f := &remediation.Flow{Incidents: &incident.Store{Redis: rdb, Now: time.Now}, Timeline: &timeline.Log{Redis: rdb, Now: time.Now, Redact: redact.New(c.Secrets()...).Text, Seal: ring}, Library: books, Now: time.Now, Log: zap.NewNop()}
	return do(f)
}

// exportTo writes an incident's timeline with what the runbook asks for in a review, however long it is.
func exportTo(ctx context.Context, f *remediation.Flow, id, format string, w io.Writer) error {
	inc, err := f.Incidents.Get(ctx, id)
	if err != nil {
		return err
	}
	var checklist []string
	if book, ok := f.Library.Book(inc.Runbook); ok {
		checklist = book.Review
	}
	report, err := timeline.NewReport(summary(inc), f.Timeline.Read(ctx, id), checklist, f.Now())
	if err != nil {
		return err
	}
	defer report.Close()
	return timeline.Export(w, format, report)
}

// export is that as a file to share. It lies on disk, because it may be larger than what should be held in memory.
func export(ctx context.Context, f *remediation.Flow, id, format string) (remediation.File, error) {
	spool, err := os.CreateTemp("", "cdcbot-export-*")
	if err != nil {
		return remediation.File{}, fmt.Errorf("room for the export of %s: %w", id, err)
	}
	_ = os.Remove(spool.Name()) // it lives as long as it is open
	if err := exportTo(ctx, f, id, format, spool); err != nil {
		_ = spool.Close() // the error is told
		return remediation.File{}, err
	}
	name := fmt.Sprintf("%s-timeline.%s", id, format)
	return remediation.File{Name: name, Title: "Timeline of " + id, Type: timeline.Types[format], Spool: spool, Comment: "Timeline of " + id}, nil
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
