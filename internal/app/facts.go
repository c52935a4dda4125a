package app

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/config"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/target/vault"
)

// source is a diagnosis.Source made of a function.
type source struct {
	name string
	look func(ctx context.Context, subjects []diagnosis.Subject) (diagnosis.Facts, error)
}

// Name implements diagnosis.Source.
func (s source) Name() string { return s.name }

// Look implements diagnosis.Source.
func (s source) Look(ctx context.Context, _ string, subjects []diagnosis.Subject) (diagnosis.Facts, error) {
	return s.look(ctx, subjects)
}

// lossWindow is how far back lost records are counted.
const lossWindow = 10 * time.Minute

// lossQuery counts the records that each connector gave up, whatever the exporter calls the worker's
// task-error-metrics:total-records-skipped (KIP-298).
const lossQuery = `sum by (connector) (increase({__name__=~"kafka_connect_.*total_records_skipped.*"}[10m]))`

// losses asks Prometheus what connectors gave up while they said RUNNING.
func losses(prometheus action.HTTP) source {
	return source{"Prometheus", func(ctx context.Context, _ []diagnosis.Subject) (diagnosis.Facts, error) {
		rows, err := instant(ctx, prometheus, lossQuery)
		var facts diagnosis.Facts
		for connector, n := range rows {
			facts.Losses = append(facts.Losses, diagnosis.Loss{Connector: connector, Records: int64(n + 0.5), Window: lossWindow, Kind: "skipped", Source: "Prometheus: " + lossQuery})
		}
		return facts, err
	}}
}

// instant asks Prometheus for a vector now, and returns its values by the label connector.
func instant(ctx context.Context, prometheus action.HTTP, query string) (map[string]float64, error) {
	status, body, err := prometheus.Get(ctx, "/api/v1/query?query="+url.QueryEscape(query))
	if err != nil {
		return nil, err
	}
	var answer struct {
		Error string `json:"error"`
		Data  struct {
			Result []struct {
				Metric map[string]string `json:"metric"`
				Value  [2]any            `json:"value"`
			} `json:"result"`
		} `json:"data"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || status != http.StatusOK {
		return nil, fmt.Errorf("prometheus answered %d to %s: %s", status, query, answer.Error)
	}
	values := map[string]float64{}
	for _, r := range answer.Data.Result {
		text, _ := r.Value[1].(string)
		if n, err := strconv.ParseFloat(text, 64); err == nil && r.Metric["connector"] != "" {
			values[r.Metric["connector"]] = n
		}
	}
	return values, nil
}

// leases asks Vault which of the sink's credentials ends first.
func leases(client *vault.Client, c config.Vault) source {
	return source{"Vault", func(ctx context.Context, _ []diagnosis.Subject) (diagnosis.Facts, error) {
		first, err := client.Expiring(ctx, c.Leases)
		if err != nil || first.Lease == "" {
			return diagnosis.Facts{}, err
		}
		return diagnosis.Facts{Leases: []diagnosis.Lease{{Name: first.Lease, Expires: time.Now().Add(first.In), Source: "Vault: leases of " + c.Leases}}}, nil
	}}
}
