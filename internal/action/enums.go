package action

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// enums are options whose values the worker takes as they come and the task refuses when it starts (seen with
// schema.evolution=maybe on Connect 4.3.1: 200, and FAILED within 3 s). The first row that fits class and option counts.
// Sources: the connectors' own documentation of Debezium JDBC sink 3.6, Confluent JDBC sink 10.8, Debezium 3.6, and KIP-298.
var enums = []struct {
	class  *regexp.Regexp
	option string
	values []string
}{
	{anyClass, "errors.tolerance", []string{"none", "all"}},
	{debeziumSink, "schema.evolution", []string{"none", "basic"}},
	{debeziumSink, "insert.mode", []string{"insert", "upsert", "update"}},
	{debeziumSink, "primary.key.mode", []string{"none", "kafka", "record_key", "record_value", "record_header"}},
	{debeziumSink, "database.time_zone", nil},
	{jdbcSink, "insert.mode", []string{"insert", "upsert", "update", "multi"}},
	{jdbcSink, "pk.mode", []string{"none", "kafka", "record_key", "record_value"}},
	{jdbcSink, "quote.sql.identifiers", []string{"always", "never"}},
	{debezium, "snapshot.mode", nil}, // differs between databases and versions
	{debezium, "decimal.handling.mode", []string{"precise", "double", "string"}},
	{debezium, "time.precision.mode", []string{"adaptive", "adaptive_time_microseconds", "connect", "isostring", "microseconds", "nanoseconds"}},
	{debezium, "event.processing.failure.handling.mode", []string{"fail", "warn", "skip", "ignore"}},
	{debezium, "binary.handling.mode", []string{"bytes", "base64", "base64-url-safe", "hex"}},
}

var (
	anyClass     = regexp.MustCompile(`.`)
	debeziumSink = regexp.MustCompile(`^io\.debezium\.connector\.jdbc\.|(^|\.)DebeziumJdbcSink`)
	jdbcSink     = regexp.MustCompile(`^io\.(confluent|aiven)\.connect\.jdbc\.JdbcSink`)
	debezium     = regexp.MustCompile(`^io\.debezium\.connector\.`)
)

// misspelt says which of the options that are set has a value that the task would refuse.
func misspelt(class string, set map[string]string) error {
	for _, e := range enums {
		value, ok := set[e.option]
		if !ok || e.values == nil || !e.class.MatchString(class) || reference.MatchString(value) {
			continue
		}
		if !slices.ContainsFunc(e.values, func(v string) bool { return strings.EqualFold(v, value) }) {
			return fmt.Errorf("%s = %q: expected %s; Connect would accept it and the task would fail", e.option, value, strings.Join(e.values, ", "))
		}
	}
	return nil
}
