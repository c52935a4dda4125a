package action

import (
	"errors"
	"fmt"
)

// ErrNotConfigured is wrapped when an action needs a system that the configuration does not name.
var ErrNotConfigured = errors.New("not configured")

// Nothing is a World without any system; a real one embeds it and overrides what it has. Every error names the key that
// is missing.
type Nothing struct {
	Pipeline string // its name in the configuration, for the errors
}

func (n Nothing) missing(what, key string) error {
	pipeline := n.Pipeline
	if pipeline == "" {
		pipeline = "<name>"
	}
	return fmt.Errorf("%s is %w; set pipelines.%s.%s", what, ErrNotConfigured, pipeline, key)
}

// Connect implements World.
func (n Nothing) Connect(cluster string) (Connect, error) {
	return nil, n.missing(fmt.Sprintf("the Connect cluster %q", cluster), "connect.url")
}

// Postgres implements World.
func (n Nothing) Postgres() (Postgres, error) { return nil, n.missing("PostgreSQL", "postgres.url") }

// Cassandra implements World.
func (n Nothing) Cassandra() (Cassandra, error) {
	return nil, n.missing("Cassandra", "cassandra.hosts")
}

// Vault implements World.
func (n Nothing) Vault() (Vault, error) { return nil, n.missing("Vault", "vault.url") }

// HTTP implements World.
func (n Nothing) HTTP(system string) (HTTP, error) {
	return nil, n.missing("the system "+system, "http."+system+".url")
}

// DLQ implements World.
func (n Nothing) DLQ() (DLQ, error) { return nil, n.missing("the CDC API", "cdc_api.url") }

// Kafka implements World.
func (n Nothing) Kafka() (Kafka, error) { return nil, n.missing("Kafka", "kafka.brokers") }

// Workload implements World.
func (n Nothing) Workload(service string) (WorkloadClient, error) {
	return nil, n.missing("the service "+service, "services."+service)
}

// Services implements World.
func (n Nothing) Services() []string { return nil }

// Pager implements World.
func (n Nothing) Pager() (Pager, error) {
	return nil, fmt.Errorf("paging is %w; set page.pagerduty_key or page.url", ErrNotConfigured)
}

// Keeper implements World.
func (n Nothing) Keeper() (Keeper, error) {
	return nil, fmt.Errorf("a store for half-done work is %w", ErrNotConfigured)
}
