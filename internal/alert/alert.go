// Package alert takes alerts in: from Alertmanager's webhook and from the bot's own watch over Kafka Connect. Both make
// the same Alert, so that the same fault seen twice is one thing. An alert counts as taken only when its Sink says that
// it is durable.
package alert

import (
	"context"
	"time"
)

// Status says whether an alert's condition holds.
type Status string

// The two statuses, as Alertmanager spells them.
const (
	Firing   Status = "firing"
	Resolved Status = "resolved"
)

// The sources of alerts.
const (
	FromAlertmanager = "alertmanager"
	FromWatcher      = "watcher"
)

// Alert is one condition about one connector or task, or about a cluster. Times are UTC; EndsAt is zero while firing.
type Alert struct {
	Source       string
	Name         string // the alertname label
	Status       Status
	Cluster      string // label, may be ""
	Pipeline     string // label, may be ""
	Connector    string // label, may be ""
	Task         string // label, a number as text, may be ""
	Labels       map[string]string
	Annotations  map[string]string
	StartsAt     time.Time
	EndsAt       time.Time
	Fingerprint  string // identifies the label set
	GroupKey     string
	GeneratorURL string
	ExternalURL  string
	ReceivedAt   time.Time
}

// Sink takes alerts; they are durable when it returns nil. Getting the same alert again must change nothing.
type Sink interface {
	Receive(ctx context.Context, alerts []Alert) error
}

// LabelNames are the labels that say what an alert is about.
type LabelNames struct {
	Connector, Task, Cluster, Pipeline string
}
