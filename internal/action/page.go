package action

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"
)

// Page calls the people who are on call for the infrastructure.
type Page struct {
	Summary string `json:"summary"` // what the runbook says, such as "Page on-call infrastructure engineer"
	Service string `json:"service"` // the pipeline, for the key
}

// Kind implements Action.
func (a Page) Kind() string { return "page" }

// Effect implements Action.
func (a Page) Effect() string { return "Pages the people on call: " + a.Summary + "." }

// Risk implements Action.
func (a Page) Risk() Risk { return Change }

// Target implements Action.
func (a Page) Target() string { return "page" }

// Deadline implements Action.
func (a Page) Deadline() time.Duration { return time.Minute }

// Idempotent implements Action: the same key on the same day does not page twice.
func (a Page) Idempotent() bool { return true }

// Observe implements Action.
func (a Page) Observe(context.Context, World) (bool, error) { return false, nil }

// Run implements Action.
func (a Page) Run(ctx context.Context, w World) (Output, error) {
	p, err := w.Pager()
	if err != nil {
		return Output{}, err
	}
	sum := sha256.Sum256([]byte(a.Service + "\x00" + a.Summary))
	key := "cdcbot-" + time.Now().UTC().Format("2006-01-02") + "-" + hex.EncodeToString(sum[:6])
	if err := p.Page(ctx, key, fmt.Sprintf("%s: %s", a.Service, a.Summary), map[string]string{"pipeline": a.Service}); err != nil {
		return Output{}, err
	}
	return Output{Text: "paged (key " + key + ")"}, nil
}

// Preview implements Previewer: that there is a pager at all.
func (a Page) Preview(_ context.Context, w World) (Preview, error) {
	_, err := w.Pager()
	return Preview{}, err
}
