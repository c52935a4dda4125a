package connecttest

import (
	"cmp"
	"regexp"
	"slices"
	"strings"
	"time"
)

// place is one partition of one topic.
type place struct {
	topic     string
	partition int
}

// positions are the committed offsets of one connector: the next record to read. A source's place has the partition 0.
type positions map[place]int64

// records is what a partition holds. Offsets from 0 to end-1 exist; poison ones cannot be converted.
type records struct {
	end    int64
	poison map[int64]bool
}

// written is what a table holds of one partition. Rows are upserted: a record that is read again adds none.
type written struct {
	next int64
	rows int
}

// pipeline is what lies around the connectors: topics, tables, and what sources have not read yet.
type pipeline struct {
	partitions  int
	logs        map[place]*records
	tables      map[string]map[place]*written
	waiting     map[string]int // at the source, by topic
	deadLetters int
}

func newPipeline(partitions int) pipeline {
	return pipeline{partitions: partitions, logs: map[place]*records{}, tables: map[string]map[place]*written{}, waiting: map[string]int{}}
}

// know makes the topics that c names.
func (p *pipeline) know(c *connector) {
	for topic := range strings.SplitSeq(c.config["topics"]+","+c.config["topic"], ",") {
		if topic = strings.TrimSpace(topic); topic != "" {
			p.topic(topic)
		}
	}
}

func (p *pipeline) topic(name string) {
	for i := range p.partitions {
		if at := (place{name, i}); p.logs[at] == nil {
			p.logs[at] = &records{poison: map[int64]bool{}}
		}
	}
}

func (p *pipeline) topics() []string {
	var names []string
	for at := range p.logs {
		names = append(names, at.topic)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func (p *pipeline) append(topic string) {
	p.topic(topic)
	var total int64
	for i := range p.partitions {
		total += p.logs[place{topic, i}].end
	}
	p.logs[place{topic, int(total) % p.partitions}].add(false)
}

func (r *records) add(poison bool) {
	if poison {
		r.poison[r.end] = true
	}
	r.end++
}

// reads lists the partitions that a sink reads, in order.
func (p *pipeline) reads(c *connector) []place {
	var list []place
	pattern, _ := regexp.Compile("^(?:" + c.config["topics.regex"] + ")$") // nil when it is none: it reads nothing then
	names := strings.Split(strings.ReplaceAll(c.config["topics"], " ", ""), ",")
	for at := range p.logs {
		if slices.Contains(names, at.topic) || c.config["topics.regex"] != "" && pattern != nil && pattern.MatchString(at.topic) {
			list = append(list, at)
		}
	}
	slices.SortFunc(list, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	return list
}

// write stores one record in the table that the sink's format names.
func (p *pipeline) write(c *connector, at place, offset int64) {
	format := cmp.Or(c.config["collection.name.format"], c.config["table.name.format"], "${topic}")
	name := strings.ReplaceAll(format, "${topic}", at.topic)
	if p.tables[name] == nil {
		p.tables[name] = map[place]*written{}
	}
	if p.tables[name][at] == nil {
		p.tables[name][at] = &written{}
	}
	if t := p.tables[name][at]; offset >= t.next {
		t.next = offset + 1
		t.rows++
	}
}

// Produce makes n new records for every topic. A topic that a source fills gets them when the source runs; rows appear
// while the sink of the topic is healthy.
func (w *Worker) Produce(n int) {
	w.lock()
	defer w.mu.Unlock()
	w.produce(n)
}

func (w *Worker) produce(n int) {
	for _, topic := range w.pipeline.topics() {
		w.pipeline.waiting[topic] += n
	}
	w.drain()
}

// Flow makes rate records per second for every topic from now on; 0 ends that.
func (w *Worker) Flow(rate float64) {
	w.lock()
	defer w.mu.Unlock()
	w.flow++
	if rate > 0 {
		w.trickle(w.flow, w.clock, max(time.Duration(float64(time.Second)/rate), time.Millisecond))
	}
}

func (w *Worker) trickle(flow int, last time.Time, every time.Duration) {
	next := last.Add(every)
	if late := w.options.Now().Add(-time.Hour); next.Before(late) {
		next = late // nobody looked for long: what was missed before is not made up
	}
	w.at(next, func() {
		if w.flow == flow {
			w.produce(1)
			w.trickle(flow, next, every)
		}
	})
}

// Rows is how many rows the tables have together; without a name, all of them. An unknown table has none.
func (w *Worker) Rows(tables ...string) int {
	w.lock()
	defer w.mu.Unlock()
	n := 0
	for name, parts := range w.pipeline.tables {
		if len(tables) > 0 && !slices.Contains(tables, name) {
			continue
		}
		for _, t := range parts {
			n += t.rows
		}
	}
	return n
}

// Lag is how many records wait for the connectors, sources and sinks; without a name, for all of them.
func (w *Worker) Lag(connectors ...string) int {
	w.lock()
	defer w.mu.Unlock()
	n := 0
	for name, c := range w.connectors {
		if len(connectors) == 0 || slices.Contains(connectors, name) {
			n += w.lag(c)
		}
	}
	return n
}

func (w *Worker) lag(c *connector) int {
	n := 0
	if c.kind == "sink" {
		for _, at := range w.pipeline.reads(c) {
			n += int(w.pipeline.logs[at].end - w.committed[c.name][at])
		}
		return n
	}
	for topic, waiting := range w.pipeline.waiting {
		if w.filler(topic) == c {
			n += waiting
		}
	}
	return n
}

// DeadLetters is how many records went to the dead letter queue instead of a table.
func (w *Worker) DeadLetters() int {
	w.lock()
	defer w.mu.Unlock()
	return w.pipeline.deadLetters
}

// drain moves what can move: from sources to topics, and from topics to tables.
func (w *Worker) drain() {
	if !w.flowing() {
		return
	}
	for _, topic := range w.pipeline.topics() {
		w.send(topic)
	}
	for _, name := range sortedKeys(w.connectors) {
		if c := w.connectors[name]; c.kind == "sink" {
			w.sink(c)
		}
	}
}

// filler is the source that fills a topic: the one that names it, or else one that names none. Without a source, records
// come from elsewhere.
func (w *Worker) filler(topic string) *connector {
	var any *connector
	for _, name := range sortedKeys(w.connectors) {
		c := w.connectors[name]
		switch {
		case c.kind != "source":
		case c.config["topic"] == topic:
			return c
		case c.config["topic"] == "" && any == nil:
			any = c
		}
	}
	return any
}

func (w *Worker) send(topic string) {
	n := w.pipeline.waiting[topic]
	if n == 0 {
		return
	}
	if source := w.filler(topic); source != nil {
		if len(source.tasks) == 0 || source.tasks[0].state != running || source.tasks[0].failing || w.failsOnRecord(source, source.tasks[0]) || w.stalls(source) {
			return
		}
		w.committed[source.name][place{topic: topic}] += int64(n)
	}
	w.pipeline.waiting[topic] = 0
	for range n {
		w.pipeline.append(topic)
	}
}

func (w *Worker) sink(c *connector) {
	if w.stalls(c) || len(c.tasks) == 0 {
		return
	}
	for i, at := range w.pipeline.reads(c) {
		t := c.tasks[i%len(c.tasks)]
		if t.state == running && !t.failing {
			w.consume(c, t, at)
		}
	}
}

// consume reads on from the committed position until the end, or until a record fails the task.
func (w *Worker) consume(c *connector, t *task, at place) {
	log, position := w.pipeline.logs[at], w.committed[c.name]
	for position[at] < log.end {
		if w.failsOnRecord(c, t) {
			return
		}
		switch {
		case w.skips(c, t) || log.poison[position[at]] && c.config["errors.tolerance"] == "all":
			w.pipeline.deadLetters++
		case log.poison[position[at]]:
			w.failLater(t, failure{"e1-bad-record-tolerance-none", 600 * time.Millisecond}, func() bool {
				return log.poison[w.committed[c.name][at]] && c.config["errors.tolerance"] != "all"
			})
			return
		default:
			w.pipeline.write(c, at, position[at])
		}
		position[at]++
	}
}
