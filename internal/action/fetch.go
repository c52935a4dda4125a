package action

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
)

// Fetch asks a system by GET and shows its answer: a schema registry's subjects, a Prometheus query, Vault's health.
type Fetch struct {
	reading
	What   string `json:"what"`   // "registry.subjects", "registry.schema", "prometheus.query", "vault.health", "dlq.records" or "http.get"
	System string `json:"system"` // as the runbook writes it until a plan resolves it to a configured name
	Path   string `json:"path"`   // with its query
	Pipe   Pipe   `json:"pipe,omitempty"`
}

// fetches is what each kind says.
var fetches = map[string]string{
	"registry.subjects": "Lists the subjects of the schema registry.",
	"registry.schema":   "Reads %s of the schema registry.",
	"prometheus.query":  "Asks Prometheus %s.",
	"vault.health":      "Reads the health of Vault.",
	"dlq.records":       "Reads records of the dead-letter queue (%s).",
	"http.get":          "Reads %[2]s%[1]s.",
}

// Kind implements Action.
func (a Fetch) Kind() string { return a.What }

// Effect implements Action.
func (a Fetch) Effect() string {
	text := fetches[a.What]
	if !strings.Contains(text, "%") {
		return text
	}
	if strings.Contains(text, "[2]") {
		return fmt.Sprintf(text, a.Path, a.System)
	}
	return fmt.Sprintf(text, a.asked())
}

// asked is the query of a Prometheus request, or the path.
func (a Fetch) asked() string {
	if req, err := http.NewRequest(http.MethodGet, "http://x"+a.Path, nil); err == nil && a.What == "prometheus.query" {
		if q := req.URL.Query().Get("query"); q != "" {
			return q
		}
	}
	return a.Path
}

// Target implements Action.
func (a Fetch) Target() string { return "http/" + a.System }

// Run implements Action. An answer of 4xx or 5xx is an error that shows what was said; a sealed Vault answers 503 and
// says so in its body, which is what was asked for.
func (a Fetch) Run(ctx context.Context, w World) (Output, error) {
	system, err := w.HTTP(a.System)
	if err != nil {
		return Output{}, err
	}
	status, body, err := system.Get(ctx, a.Path)
	if err != nil {
		return Output{}, err
	}
	out, err := a.show(ctx, body)
	if err == nil && status >= http.StatusBadRequest && a.What != "vault.health" {
		err = fmt.Errorf("%s answers %d %s: %s", a.System, status, http.StatusText(status), cut(strings.TrimSpace(string(body)), 300))
	}
	return out, err
}

func (a Fetch) show(ctx context.Context, body []byte) (Output, error) {
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.UseNumber()
	var value any
	if err := decoder.Decode(&value); err != nil {
		return a.Pipe.output(ctx, string(body))
	}
	text, err := a.Pipe.Value(ctx, value)
	return Output{Text: text, Full: text}, err
}

// cut keeps the first n runes.
func cut(text string, n int) string {
	r := []rune(text)
	if len(r) <= n {
		return text
	}
	return string(r[:n-1]) + "…"
}
