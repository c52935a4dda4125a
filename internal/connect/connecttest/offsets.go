package connecttest

import (
	"bytes"
	"cmp"
	"encoding/json"
	"slices"
	"strconv"
)

type offsetJSON struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"`
}

const (
	altered = "The Connect framework-managed offsets for this connector have been altered successfully. However, if this connector manages offsets externally, they will need to be manually altered in the system that the connector uses."
	reset   = "The Connect framework-managed offsets for this connector have been reset successfully. However, if this connector manages offsets externally, they will need to be manually reset in the system that the connector uses."
)

func (w *Worker) offsets(r request) *answer {
	c, missing := w.known(r.name)
	if missing != nil {
		return missing
	}
	list := []offsetJSON{}
	for _, at := range sortedPlaces(w.committed[c.name]) {
		list = append(list, c.offset(at, w.committed[c.name][at]))
	}
	return &answer{200, map[string]any{"offsets": list}}
}

// offset is how c's kind of connector writes a position.
func (c *connector) offset(at place, position int64) offsetJSON {
	switch {
	case c.kind == "sink":
		return offsetJSON{map[string]any{"kafka_topic": at.topic, "kafka_partition": at.partition}, map[string]any{"kafka_offset": position}}
	case c.named("FileStreamSourceConnector"):
		return offsetJSON{map[string]any{"filename": c.config["file"]}, map[string]any{"position": position}}
	}
	return offsetJSON{map[string]any{"source": c.name, "topic": at.topic}, map[string]any{"position": position}}
}

func (w *Worker) alterOffsets(r request) *answer {
	c, bad := w.stoppedOne(r.name)
	if bad != nil {
		return bad
	}
	var body struct {
		Offsets []offsetJSON `json:"offsets"`
	}
	decoder := json.NewDecoder(bytes.NewReader(r.body))
	decoder.UseNumber()
	if err := decoder.Decode(&body); err != nil {
		return refuse(500, err.Error())
	}
	if len(body.Offsets) == 0 {
		return refuse(400, "Partitions / offsets need to be provided for an alter offsets request")
	}
	if c.kind == "source" {
		return w.alterSource(c, body.Offsets)
	}
	moves := positions{}
	for _, o := range body.Offsets {
		at, position, bad := w.move(c, o)
		if bad != nil {
			return bad
		}
		moves[at] = position
	}
	for at, position := range moves {
		if w.committed[c.name][at] = position; position < 0 {
			delete(w.committed[c.name], at)
		}
	}
	return &answer{200, map[string]string{"message": altered}}
}

// move reads one wanted position; -1 forgets it.
func (w *Worker) move(c *connector, o offsetJSON) (place, int64, *answer) {
	topic, hasTopic := o.Partition["kafka_topic"]
	partition, hasPartition := o.Partition["kafka_partition"]
	if !hasTopic || !hasPartition {
		return place{}, 0, refuse(400, "The partition for a sink connector offset must contain the keys 'kafka_topic' and 'kafka_partition'")
	}
	number, err := strconv.Atoi(text(partition))
	if err != nil {
		return place{}, 0, refusef(400, "Failed to parse the following Kafka partition value in the provided offsets: '%s'. Partition values for sink connectors need to be integers.", text(partition))
	}
	at := place{text(topic), number}
	if o.Offset == nil {
		return at, -1, nil
	}
	if _, has := o.Offset["kafka_offset"]; !has {
		return place{}, 0, refuse(400, "The offset for a sink connector should either be null or contain the key 'kafka_offset'")
	}
	position, err := strconv.ParseInt(text(o.Offset["kafka_offset"]), 10, 64)
	if err != nil || position < 0 {
		return place{}, 0, refusef(400, "Failed to parse the following Kafka offset value in the provided offsets: '%s'. Offset values for sink connectors need to be integers.", text(o.Offset["kafka_offset"]))
	}
	if w.pipeline.logs[at] == nil {
		return place{}, 0, refusef(500, "Failed to alter consumer group offsets for connector %s", c.name)
	}
	return at, position, nil
}

// alterSource takes any partition, as the offsets topic does.
func (w *Worker) alterSource(c *connector, list []offsetJSON) *answer {
	for _, o := range list {
		at := place{topic: cmp.Or(text(o.Partition["topic"]), c.config["topic"])}
		if o.Offset == nil {
			delete(w.committed[c.name], at)
			continue
		}
		position, err := strconv.ParseInt(text(o.Offset["position"]), 10, 64)
		if err != nil {
			return refusef(400, "Offset values for connector %s need a numeric position", c.name)
		}
		w.committed[c.name][at] = position
	}
	return &answer{200, map[string]string{"message": altered}}
}

func (w *Worker) resetOffsets(r request) *answer {
	c, bad := w.stoppedOne(r.name)
	if bad != nil {
		return bad
	}
	w.committed[c.name] = positions{}
	return &answer{200, map[string]string{"message": reset}}
}

// stoppedOne is the connector whose offsets may be changed.
func (w *Worker) stoppedOne(name string) (*connector, *answer) {
	c, missing := w.known(name)
	if missing != nil {
		return nil, missing
	}
	if c.state != stopped || len(c.tasks) > 0 {
		return nil, refusef(400, "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the specified connector by issuing a 'PUT' request to the '/connectors/%s/stop' endpoint", name)
	}
	return c, nil
}

func sortedPlaces(p positions) []place {
	list := make([]place, 0, len(p))
	for at := range p {
		list = append(list, at)
	}
	slices.SortFunc(list, func(a, b place) int {
		return cmp.Or(cmp.Compare(a.topic, b.topic), cmp.Compare(a.partition, b.partition))
	})
	return list
}
