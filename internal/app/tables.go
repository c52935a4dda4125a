package app

import (
	"regexp"
	"strings"
)

// pair is a table of Cassandra and the table of PostgreSQL that a sink copies it to.
type pair struct{ keyspace, table, sink string }

// pairs are what a sink's configuration says it copies: each topic it names, by the last two parts of the topic's name
// (Debezium names topics prefix.keyspace.table), and the table that the topic's records go to.
func pairs(config map[string]string) []pair {
	var list []pair
	for topic := range strings.SplitSeq(config["topics"], ",") {
		topic = strings.TrimSpace(topic)
		parts := strings.Split(topic, ".")
		if len(parts) < 2 || strings.ContainsAny(topic, "*?") {
			continue
		}
		list = append(list, pair{parts[len(parts)-2], parts[len(parts)-1], sinkTable(config, topic)})
	}
	return list
}

// formats are the options by which sinks name tables: Debezium's, the one it had before 3.0, and Confluent's.
var formats = []string{"collection.name.format", "table.name.format"}

// sinkTable is the table that records of a topic go to. Debezium's sink replaces dots of the topic by underscores
// (DefaultTableNamingStrategy, DefaultCollectionNamingStrategy); Confluent's and Aiven's keep them.
func sinkTable(config map[string]string, topic string) string {
	topic = routed(config, topic)
	if strings.HasPrefix(config["connector.class"], "io.debezium.") {
		topic = strings.ReplaceAll(topic, ".", "_")
	}
	for _, option := range formats {
		if format := config[option]; format != "" {
			return strings.ReplaceAll(format, "${topic}", topic)
		}
	}
	return topic
}

// routed is a topic's name after the transformations that change it: RegexRouter, in their order.
func routed(config map[string]string, topic string) string {
	for name := range strings.SplitSeq(config["transforms"], ",") {
		prefix := "transforms." + strings.TrimSpace(name) + "."
		if !strings.HasSuffix(config[prefix+"type"], ".RegexRouter") && !strings.HasSuffix(config[prefix+"type"], ".ByLogicalTableRouter") {
			continue
		}
		re, err := regexp.Compile("^(?:" + config[prefix+"regex"] + ")$") // Java's matches() takes the whole name
		if err != nil || !re.MatchString(topic) {
			continue
		}
		topic = re.ReplaceAllString(topic, javaGroups.ReplaceAllString(config[prefix+"replacement"], "$${$1}"))
	}
	return topic
}

// javaGroups are $1 and $2 of Java, which end at the first character that is no digit.
var javaGroups = regexp.MustCompile(`\$(\d)`)
