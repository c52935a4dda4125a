package action

import (
	"context"
	"fmt"
)

// LookKafka reads something of the brokers.
type LookKafka struct {
	reading
	On       string `json:"on,omitempty"`
	What     string `json:"what"`           // "brokers", "topics", "lag", "offsets" or "records"
	Name     string `json:"name,omitempty"` // the topic or group; "" is all where that makes sense
	Max      int    `json:"max,omitempty"`  // records
	Earliest bool   `json:"earliest,omitempty"`
	Pipe     Pipe   `json:"pipe,omitempty"`
}

// maxRecords bounds what a runbook without --max-messages reads.
const maxRecords = 100

// kafkaLooks is what each kind says and asks; all is said when it has no name.
var kafkaLooks = map[string]struct {
	all, one string
	ask      func(context.Context, Kafka, LookKafka) ([]string, [][]string, error)
}{
	"brokers": {"Lists the Kafka brokers and what they speak.", "", func(ctx context.Context, k Kafka, _ LookKafka) ([]string, [][]string, error) { return k.Brokers(ctx) }},
	"topics": {"Lists the topics.", "Describes the topic %s.", func(ctx context.Context, k Kafka, a LookKafka) ([]string, [][]string, error) {
		return k.Topics(ctx, a.Name)
	}},
	"lag": {"Lists the consumer groups and their lag.", "Reads the lag of the consumer group %s.", func(ctx context.Context, k Kafka, a LookKafka) ([]string, [][]string, error) {
		return k.Lag(ctx, a.Name)
	}},
	"offsets": {"", "Reads the offsets of the topic %s.", func(ctx context.Context, k Kafka, a LookKafka) ([]string, [][]string, error) {
		return k.Offsets(ctx, a.Name, a.Earliest)
	}},
	"records": {"", "Reads records of the topic %s.", func(ctx context.Context, k Kafka, a LookKafka) ([]string, [][]string, error) {
		return k.Records(ctx, a.Name, a.max(), a.Earliest)
	}},
}

func (a LookKafka) max() int {
	if a.Max <= 0 || a.Max > maxRecords {
		return maxRecords
	}
	return a.Max
}

// Kind implements Action.
func (a LookKafka) Kind() string { return "kafka." + a.What }

// Effect implements Action.
func (a LookKafka) Effect() string {
	k := kafkaLooks[a.What]
	if a.Name == "" {
		return k.all
	}
	return fmt.Sprintf(k.one, a.Name)
}

// Target implements Action.
func (a LookKafka) Target() string { return "kafka/" + a.Name }

// Run implements Action.
func (a LookKafka) Run(ctx context.Context, w World) (Output, error) {
	look, ok := kafkaLooks[a.What]
	if !ok || a.Name == "" && look.all == "" {
		return Output{}, fmt.Errorf("kafka look %q of %q: expected brokers, topics, lag, or offsets and records of a topic", a.What, a.Name)
	}
	k, err := w.Kafka()
	if err != nil {
		return Output{}, err
	}
	columns, rows, err := look.ask(ctx, k, a)
	return a.Pipe.lists(ctx, columns, rows, err)
}
