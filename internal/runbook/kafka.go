package runbook

import (
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/action"
)

// kafkaTools are Kafka's own scripts, with and without ".sh" and a folder before them.
var kafkaTools = map[string]func(c command, words []string) (action.LookKafka, string){
	"kafka-broker-api-versions": func(command, []string) (action.LookKafka, string) { return action.LookKafka{What: "brokers"}, "" },
	"kafka-metadata-quorum":     func(command, []string) (action.LookKafka, string) { return action.LookKafka{What: "brokers"}, "" },
	"kafka-topics":              kafkaTopics,
	"kafka-consumer-groups":     kafkaGroups,
	"kafka-get-offsets":         kafkaOffsets,
	"kafka-run-class":           kafkaClass,
	"kafka-console-consumer":    kafkaRecords,
	"kcat":                      kcat, "kafkacat": kcat,
}

// kafkaTool is the tool that a word names.
func kafkaTool(word string) (func(command, []string) (action.LookKafka, string), bool) {
	word = strings.TrimSuffix(word[strings.LastIndex(word, "/")+1:], ".sh")
	tool, ok := kafkaTools[word]
	return tool, ok
}

func compileKafka(c command) (action.Action, []Finding, bool) {
	tool, _ := kafkaTool(c.words[0])
	a, why := tool(c, c.words[1:])
	if why != "" {
		return nil, []Finding{c.unknown(why)}, false
	}
	server, _ := valueOf(c.words[1:], "--bootstrap-server", "--broker-list", "-b", "--bootstrap-servers")
	server, _, _ = strings.Cut(server, ",")
	a.On, a.Pipe = place1(c.on, server), c.pipe
	return a, checkPipe(c), false
}

// changing are options with which the tools change something.
var changing = []string{"--create", "--delete", "--alter", "--reset-offsets", "--delete-offsets", "--execute"}

func kafkaTopics(_ command, words []string) (action.LookKafka, string) {
	if i := slices.IndexFunc(words, func(w string) bool { return slices.Contains(changing, w) }); i >= 0 {
		return action.LookKafka{}, "the bot does not change topics (" + words[i] + ")"
	}
	topic, _ := valueOf(words, "--topic")
	return action.LookKafka{What: "topics", Name: topic}, ""
}

func kafkaGroups(_ command, words []string) (action.LookKafka, string) {
	if i := slices.IndexFunc(words, func(w string) bool { return slices.Contains(changing, w) }); i >= 0 {
		return action.LookKafka{}, "the bot does not change consumer groups (" + words[i] + "); a connector's offsets are changed through Connect while it is STOPPED"
	}
	group, _ := valueOf(words, "--group")
	return action.LookKafka{What: "lag", Name: group}, ""
}

func kafkaOffsets(_ command, words []string) (action.LookKafka, string) {
	topic, ok := valueOf(words, "--topic")
	if !ok {
		return action.LookKafka{}, "it names no topic"
	}
	at, _ := valueOf(words, "--time")
	return action.LookKafka{What: "offsets", Name: topic, Earliest: at == "-2" || at == "earliest"}, ""
}

func kafkaClass(c command, words []string) (action.LookKafka, string) {
	if len(words) > 0 && strings.HasSuffix(words[0], "GetOffsetShell") {
		return kafkaOffsets(c, words[1:])
	}
	return action.LookKafka{}, "the bot does not run classes of Kafka"
}

func kafkaRecords(_ command, words []string) (action.LookKafka, string) {
	topic, ok := valueOf(words, "--topic")
	if !ok {
		return action.LookKafka{}, "it names no topic"
	}
	a := action.LookKafka{What: "records", Name: topic, Earliest: slices.Contains(words, "--from-beginning")}
	return most(a, words, "--max-messages")
}

func most(a action.LookKafka, words []string, names ...string) (action.LookKafka, string) {
	text, ok := valueOf(words, names...)
	if !ok {
		return a, ""
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return a, "it does not say how many records, as a number"
	}
	a.Max = n
	return a, ""
}

// kcat reads kcat -L, and kcat -C -t TOPIC -c N -e.
func kcat(_ command, words []string) (action.LookKafka, string) {
	topic, has := valueOf(words, "-t")
	switch {
	case slices.Contains(words, "-P"):
		return action.LookKafka{}, "the bot does not write records"
	case slices.Contains(words, "-L") && has:
		return action.LookKafka{What: "topics", Name: topic}, ""
	case slices.Contains(words, "-L"):
		return action.LookKafka{What: "brokers"}, ""
	case !has:
		return action.LookKafka{}, "it names no topic"
	}
	offset, _ := valueOf(words, "-o")
	return most(action.LookKafka{What: "records", Name: topic, Earliest: offset == "beginning"}, words, "-c")
}
