package connecttest

import (
	"cmp"
	"slices"
	"strconv"
)

// The JSON of answers, field by field as recorded.
type (
	workerJSON struct {
		Version string `json:"version"`
		Commit  string `json:"commit"`
		Cluster string `json:"kafka_cluster_id"`
	}
	stateJSON struct {
		ID      *int   `json:"id,omitempty"`
		State   string `json:"state"`
		Worker  string `json:"worker_id"`
		Version string `json:"version,omitempty"`
		Trace   string `json:"trace,omitempty"`
	}
	statusJSON struct {
		Name      string      `json:"name"`
		Connector stateJSON   `json:"connector"`
		Tasks     []stateJSON `json:"tasks"`
		Type      string      `json:"type"`
	}
	taskID struct {
		Connector string `json:"connector"`
		Task      int    `json:"task"`
	}
	infoJSON struct {
		Name   string            `json:"name"`
		Config map[string]string `json:"config"`
		Tasks  []taskID          `json:"tasks"`
		Type   string            `json:"type"`
	}
	taskJSON struct {
		ID     taskID            `json:"id"`
		Config map[string]string `json:"config"`
	}
	pluginJSON struct {
		Class   string `json:"class"`
		Type    string `json:"type"`
		Version string `json:"version"`
	}
)

func (w *Worker) root(request) *answer {
	return &answer{200, workerJSON{w.version, "26b251a451ce941d", "wzbZjPH7RGCaM78x5jNEAg"}}
}

func (w *Worker) health(request) *answer {
	return &answer{200, map[string]string{"status": "healthy", "message": "Worker has completed startup and is ready to handle requests."}}
}

func (w *Worker) list(r request) *answer {
	expand := r.query["expand"]
	if len(expand) == 0 {
		return &answer{200, slices.AppendSeq([]string{}, slices.Values(sortedKeys(w.connectors)))}
	}
	rows := map[string]map[string]any{}
	for name, c := range w.connectors {
		rows[name] = map[string]any{}
		if slices.Contains(expand, "status") {
			rows[name]["status"] = w.statusOf(c)
		}
		if slices.Contains(expand, "info") {
			rows[name]["info"] = infoOf(c)
		}
	}
	return &answer{200, rows}
}

func (w *Worker) info(r request) *answer {
	c, missing := w.known(r.name)
	if missing != nil {
		return missing
	}
	return &answer{200, infoOf(c)}
}

func (w *Worker) config(r request) *answer {
	c, missing := w.known(r.name)
	if missing != nil {
		return missing
	}
	return &answer{200, c.config}
}

// status also tells of a connector that has just been deleted, with a type that nobody knows any more.
func (w *Worker) status(r request) *answer {
	if c, ok := w.connectors[r.name]; ok {
		return &answer{200, w.statusOf(c)}
	}
	if c, ok := w.deleted[r.name]; ok {
		s := w.statusOf(c)
		s.Type = "unknown"
		return &answer{200, s}
	}
	return refusef(404, "No status found for connector %s", r.name)
}

func (w *Worker) tasks(r request) *answer {
	c, missing := w.known(r.name)
	if missing != nil {
		return missing
	}
	list := []taskJSON{}
	for _, t := range c.tasks {
		list = append(list, taskJSON{taskID{c.name, t.id}, c.config})
	}
	return &answer{200, list}
}

func (w *Worker) taskStatus(r request) *answer {
	c, ok := w.connectors[r.name]
	if ok {
		for _, t := range c.tasks {
			if strconv.Itoa(t.id) == r.task {
				return &answer{200, w.taskOf(c, t)}
			}
		}
	}
	return refusef(404, "No status found for task %s-%s", r.name, r.task)
}

func (w *Worker) topics(r request) *answer {
	c, missing := w.known(r.name)
	if missing != nil {
		return missing
	}
	names := []string{}
	for _, at := range w.pipeline.reads(c) {
		names = append(names, at.topic)
	}
	if topic := c.config["topic"]; topic != "" {
		names = append(names, topic)
	}
	return &answer{200, map[string]any{c.name: map[string][]string{"topics": slices.Compact(names)}}}
}

func (w *Worker) resetTopics(r request) *answer {
	if _, missing := w.known(r.name); missing != nil {
		return missing
	}
	return &answer{code: 202}
}

func (w *Worker) fence(request) *answer {
	return refuse(400, "Internal request missing required signature")
}

// known is the connector, or the answer that there is none.
func (w *Worker) known(name string) (*connector, *answer) {
	if c, ok := w.connectors[name]; ok {
		return c, nil
	}
	return nil, refusef(404, "Connector %s not found", name)
}

func (w *Worker) statusOf(c *connector) statusJSON {
	s := statusJSON{Name: c.name, Type: c.kind, Tasks: []stateJSON{}}
	s.Connector = stateJSON{State: c.state, Worker: c.worker, Version: w.pluginVersion(c), Trace: c.trace}
	if w.clock.Before(w.phase.joining) {
		s.Type = "unknown"
	}
	for _, t := range c.tasks {
		s.Tasks = append(s.Tasks, w.taskOf(c, t))
	}
	return s
}

func (w *Worker) taskOf(c *connector, t *task) stateJSON {
	return stateJSON{ID: &t.id, State: t.state, Worker: t.worker, Version: w.pluginVersion(c), Trace: t.trace}
}

// pluginVersion is told since 4.1 (KIP-891).
func (w *Worker) pluginVersion(c *connector) string {
	if older(w.version, "4.1") {
		return ""
	}
	return cmp.Or(w.plugin(c.config["connector.class"]).Version, "1.0.0")
}

func infoOf(c *connector) infoJSON {
	info := infoJSON{Name: c.name, Config: c.config, Type: c.kind, Tasks: []taskID{}}
	for _, t := range c.tasks {
		info.Tasks = append(info.Tasks, taskID{c.name, t.id})
	}
	return info
}
