package runbook

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/action"
)

// systemRoutes are requests of the systems around Connect, by path: which of them a host is, is configuration. The last
// row takes any other GET, which reads by the rules of HTTP (RFC 9110, 9.2.1).
var systemRoutes = []route{
	{"GET", regexp.MustCompile(`/subjects/?$`), fetch("registry.subjects")},
	{"GET", regexp.MustCompile(`/(subjects/.+|schemas/.+|config|config/.+|mode)$`), fetch("registry.schema")},
	{"GET", regexp.MustCompile(`^/v1/sys/(health|seal-status)$`), fetch("vault.health")},
	{"GET", regexp.MustCompile(`/api/v1/query(_range)?$`), fetch("prometheus.query")},
	{"GET", regexp.MustCompile(`/dlq/records/?$`), fetch("dlq.records")},
	{"POST", regexp.MustCompile(`/dlq/replay/?$`), replay},
	{"GET", regexp.MustCompile(`^/v1/(?:secret|database|auth|kv)/`), refuse("secret-read", "the bot does not read secrets from Vault")},
	{"GET", regexp.MustCompile(`.*`), fetch("http.get")},
}

func refuse(code, text string) maker {
	return func(c command, _ request, _ []string) (action.Action, []Finding) {
		return nil, []Finding{c.finding("warning", code, "stays a manual step: "+text)}
	}
}

func fetch(what string) maker {
	return func(c command, r request, _ []string) (action.Action, []Finding) {
		path := r.url.Path
		if path == "" {
			path = "/"
		}
		if r.url.RawQuery != "" {
			path += "?" + r.url.RawQuery
		}
		return action.Fetch{What: what, System: r.url.Host, Path: path, Pipe: c.pipe}, checkPipe(c)
	}
}

// replay reads the body of a replay. The API takes IDs (POST /dlq/replay {"dlq_ids": […]}); a body that names an error
// type and a limit is what people mean, so the bot looks up the IDs first.
func replay(c command, r request, _ []string) (action.Action, []Finding) {
	var body map[string]json.RawMessage
	if err := json.Unmarshal([]byte(r.body()), &body); err != nil || len(body) == 0 {
		return nil, []Finding{c.finding("error", "bad-replay", "the body of this replay is no JSON object such as {\"dlq_ids\": [\"…\"], \"resolution_notes\": \"…\"}")}
	}
	a := action.ReplayDLQ{On: r.url.Host, Filter: map[string]string{}}
	for _, key := range slices.Sorted(maps.Keys(body)) {
		if why := replayKeys(&a, key, body[key]); why != "" {
			return nil, []Finding{c.finding("error", "bad-replay", fmt.Sprintf("%s of this replay is %s", key, why))}
		}
	}
	if len(a.IDs) > 0 {
		return a, nil
	}
	return a, []Finding{c.finding("warning", "replay-body", "the CDC API takes dlq_ids, not a filter; the bot looks up the pending records that fit and replays them by ID")}
}

// replayKeys reads one key of a replay's body.
func replayKeys(a *action.ReplayDLQ, key string, raw json.RawMessage) (why string) {
	if key == "dlq_ids" {
		if json.Unmarshal(raw, &a.IDs) != nil {
			return "no list of IDs"
		}
		return ""
	}
	text, err := scalar(raw)
	if err != nil || text == nil {
		return "no text or number"
	}
	switch key {
	case "resolution_notes", "notes":
		a.Notes = *text
	case "retry_strategy":
		a.Strategy = *text
	case "limit":
		if a.Limit, err = strconv.Atoi(*text); err != nil || a.Limit < 1 {
			return "no number of records"
		}
	case "error_type", "table", "start_date", "end_date", "source_table":
		a.Filter[strings.TrimPrefix(key, "source_")] = *text
	default:
		return "not a key that the API or the bot knows"
	}
	return ""
}
