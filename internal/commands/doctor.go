package commands

import (
	"context"
)

// doctor examines the bot and what it needs, and tells what is not well.
func (r *Router) doctor(ctx context.Context, _ ask) Reply {
	if r.Doctor == nil {
		return Reply{Error: true, Text: "This bot cannot examine itself; ask its operator to run bot doctor."}
	}
	report := r.Doctor(ctx)
	if brief := report.Brief(); brief != "" {
		return Reply{Text: report.Summary(), Verbatim: brief, Error: !report.Healthy()}
	}
	return Reply{Text: "All is well: " + report.Summary()}
}
