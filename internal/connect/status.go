package connect

import (
	"slices"
	"time"
)

// State is the state of a connector or task as Connect reports it (KIP-52, KIP-875 for STOPPED).
type State string

// The states that workers report.
const (
	Running    State = "RUNNING"
	Failed     State = "FAILED"
	Paused     State = "PAUSED"
	Stopped    State = "STOPPED"
	Unassigned State = "UNASSIGNED"
	Restarting State = "RESTARTING"
	Destroyed  State = "DESTROYED"
)

// Task is one task of a connector. Trace is the Java stack trace of a FAILED task, as the worker keeps it.
type Task struct {
	ID       int    `json:"id"`
	State    State  `json:"state"`
	WorkerID string `json:"worker_id"`
	Trace    string `json:"trace,omitempty"`
	Version  string `json:"version,omitempty"`
}

// Status is a connector with its tasks. A worker that died keeps its RUNNING here until the group notices, which takes
// session.timeout.ms and, for tasks, scheduled.rebalance.max.delay.ms on top: RUNNING alone proves nothing.
type Status struct {
	Name     string
	Type     string // "source", "sink" or, right after a DELETE, "unknown"
	State    State
	WorkerID string
	Trace    string
	Version  string
	Tasks    []Task
}

// Failed lists the IDs of the failed tasks.
func (s Status) Failed() []int {
	var ids []int
	for _, t := range s.Tasks {
		if t.State == Failed {
			ids = append(ids, t.ID)
		}
	}
	return ids
}

// Running reports whether the connector and at least one task run, and no task does anything else.
func (s Status) Running() bool {
	if s.State != Running || len(s.Tasks) == 0 {
		return false
	}
	return !slices.ContainsFunc(s.Tasks, func(t Task) bool { return t.State != Running })
}

// Unhealthy reports whether somebody should look: anything but RUNNING or PAUSED throughout. A failed task of a paused
// connector stays failed when it is resumed.
func (s Status) Unhealthy() bool {
	return !s.Running() && (s.State != Paused || len(s.Failed()) > 0)
}

// Workers lists the distinct workers that the connector and its tasks claim to run on, sorted.
func (s Status) Workers() []string {
	var ids []string
	if s.WorkerID != "" {
		ids = append(ids, s.WorkerID)
	}
	for _, t := range s.Tasks {
		if t.WorkerID != "" {
			ids = append(ids, t.WorkerID)
		}
	}
	slices.Sort(ids)
	return slices.Compact(ids)
}

// Connector is one row of GET /connectors?expand=status&expand=info.
type Connector struct {
	Status Status
	Config map[string]string
}

// Worker is the answer of GET /.
type Worker struct {
	Version        string `json:"version"`
	Commit         string `json:"commit"`
	KafkaClusterID string `json:"kafka_cluster_id"`
}

// Health is the answer of GET /health (KIP-1017, Connect 3.9 and later). Older workers have none: Known is false then.
type Health struct {
	Known   bool
	Healthy bool
	Message string
	Took    time.Duration
}

// Offset is one committed position (KIP-875). Partition and Offset keep numbers exact as json.Number.
type Offset struct {
	Partition map[string]any `json:"partition"`
	Offset    map[string]any `json:"offset"`
}

// Plugin is one connector plugin of a worker.
type Plugin struct {
	Class   string `json:"class"`
	Type    string `json:"type"`
	Version string `json:"version"`
}

// Validation is what a plugin says of a configuration.
type Validation struct {
	Name       string
	ErrorCount int
	Fields     []Field
}

// Field is one option of a validated configuration. Type is the ConfigDef type, such as "STRING" or "PASSWORD".
type Field struct {
	Name    string
	Type    string
	Value   string
	Errors  []string
	Default string
	Known   bool // false for an option that no definition mentions
}

// Passwords lists the options whose values are secret by the plugin's own definition.
func (v Validation) Passwords() []string {
	var names []string
	for _, f := range v.Fields {
		if f.Type == "PASSWORD" {
			names = append(names, f.Name)
		}
	}
	return names
}

// Problems lists every complaint, as "option: complaint".
func (v Validation) Problems() []string {
	var list []string
	for _, f := range v.Fields {
		for _, e := range f.Errors {
			list = append(list, f.Name+": "+e)
		}
	}
	return list
}

// wire is the JSON of a status answer.
type wire struct {
	Name      string `json:"name"`
	Type      string `json:"type"`
	Connector struct {
		State    State  `json:"state"`
		WorkerID string `json:"worker_id"`
		Trace    string `json:"trace"`
		Version  string `json:"version"`
	} `json:"connector"`
	Tasks []Task `json:"tasks"`
}

func (w wire) status() Status {
	return Status{Name: w.Name, Type: w.Type, State: w.Connector.State, WorkerID: w.Connector.WorkerID,
		Trace: w.Connector.Trace, Version: w.Connector.Version, Tasks: w.Tasks}
}
