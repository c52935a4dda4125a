package diagnosis

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"cdcbot/internal/connect"
)

// Case is one connector as somebody saved it, to be diagnosed without asking anybody.
type Case struct {
	ID             string
	ConnectorClass string
	ConnectorType  string // "source", "sink" or ""
	State          connect.State
	Tasks          []connect.Task // with their traces
	Trace          string         // the connector's own
	WorkerLog      string
	Config         map[string]string
}

// mostInput bounds what is read of one input, in bytes: a cluster's whole status with 5,000 traces of 64 KiB fits.
const mostInput = 512 << 20

// ReadCases reads every case of r and hands each to take, with the line that it begins on. It understands what Connect
// answers to GET /connectors/NAME/status and to GET /connectors?expand=status&expand=info, lists of those, and JSON lines
//
//	{"id":…, "connector_class":…, "connector_type":"source|sink", "state":…, "task_states":[…], "trace":…, "worker_log":…, "config":{…}}
//
// A line that is none of these is handed to bad, and the rest goes on. The error is that of reading, or that there is
// nothing to read.
func ReadCases(r io.Reader, take func(line int, c Case), bad func(line int, err error)) error {
	in := &lineReader{in: bufio.NewReaderSize(io.LimitReader(r, mostInput), 1<<20)}
	first, err := in.next()
	if errors.Is(err, io.EOF) {
		return errors.New("nothing to read: expected a connector's status as Connect answers it, or JSON lines")
	}
	if err != nil {
		return err
	}
	if json.Valid(first) {
		return in.each(first, take, bad)
	}
	at := in.line
	rest, err := io.ReadAll(in.in)
	if err != nil {
		return err
	}
	if documents(slices.Concat(first, []byte("\n"), rest), at, take, bad) {
		return nil
	}
	in.in = bufio.NewReader(bytes.NewReader(rest))
	return in.each(first, take, bad)
}

// lineReader reads lines that have something on them, and counts all.
type lineReader struct {
	in   *bufio.Reader
	line int
}

func (l *lineReader) next() ([]byte, error) {
	for {
		text, err := l.in.ReadBytes('\n')
		l.line++
		if text = bytes.TrimSpace(bytes.TrimPrefix(text, []byte("\uFEFF"))); len(text) > 0 {
			return text, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

// each reads a value from text, and from every line behind it.
func (l *lineReader) each(text []byte, take func(int, Case), bad func(int, error)) error {
	for {
		one(text, l.line, take, bad)
		var err error
		if text, err = l.next(); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}

// documents reads JSON values that stretch over lines, and says whether all of the text is such.
func documents(text []byte, line int, take func(int, Case), bad func(int, error)) bool {
	if !json.Valid(text) {
		return stream(text, line, nil, nil) && stream(text, line, take, bad)
	}
	one(text, line, take, bad)
	return true
}

// stream reads one value behind the other; without take it only looks whether they are all well-formed.
func stream(text []byte, line int, take func(int, Case), bad func(int, error)) bool {
	d := json.NewDecoder(bytes.NewReader(text))
	for {
		var raw json.RawMessage
		err := d.Decode(&raw)
		if errors.Is(err, io.EOF) {
			return true
		}
		if err != nil {
			return false
		}
		if take != nil {
			begins := d.InputOffset() - int64(len(raw))
			one(raw, line+bytes.Count(text[:begins], []byte("\n")), take, bad)
		}
	}
}

// one reads one JSON value, which may hold many cases.
func one(text []byte, line int, take func(int, Case), bad func(int, error)) {
	found, err := decode(text)
	for i, c := range found {
		if c.ID == "" {
			found[i].ID = fmt.Sprintf("line-%d", line)
		}
		take(line, found[i])
	}
	if err != nil {
		bad(line, err)
	}
}

func decode(text []byte) ([]Case, error) {
	if text[0] == '[' {
		var list []json.RawMessage
		if err := json.Unmarshal(text, &list); err != nil {
			return nil, readable(err)
		}
		var all []Case
		for i, item := range list {
			found, err := decode(item)
			if err != nil {
				return all, fmt.Errorf("item %d: %w", i+1, err)
			}
			all = append(all, found...)
		}
		return all, nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(text, &keys); err != nil {
		return nil, readable(err)
	}
	for _, shape := range shapes {
		if slices.ContainsFunc(shape.keys, func(k string) bool { _, ok := keys[k]; return ok }) {
			return shape.read(text)
		}
	}
	return expanded(keys)
}

// shapes are the objects that are understood, told by a key that only they have.
var shapes = []struct {
	keys []string
	read func([]byte) ([]Case, error)
}{
	{[]string{"task_states", "connector_class", "worker_log"}, savedCase},
	{[]string{"connector", "tasks"}, savedStatus},
	{[]string{"error_code"}, connectsError},
	{[]string{"trace", "state"}, savedCase},
}

// savedStatus reads the answer of GET /connectors/NAME/status.
func savedStatus(text []byte) ([]Case, error) {
	var s struct {
		Name      string `json:"name"`
		Type      string `json:"type"`
		Connector struct {
			State    connect.State `json:"state"`
			WorkerID string        `json:"worker_id"`
			Trace    string        `json:"trace"`
		} `json:"connector"`
		Tasks  []connect.Task    `json:"tasks"`
		Config map[string]string `json:"config"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, readable(err)
	}
	c := Case{ID: s.Name, ConnectorType: s.Type, State: s.Connector.State, Trace: s.Connector.Trace, Tasks: s.Tasks, Config: s.Config, ConnectorClass: s.Config["connector.class"]}
	return c.checked()
}

// connectsError is Connect's answer to a question that it did not take.
func connectsError(text []byte) ([]Case, error) {
	var s struct {
		Code    int    `json:"error_code"`
		Message string `json:"message"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, readable(err)
	}
	return nil, fmt.Errorf("this is no status but Connect's error %d: %s", s.Code, clip(plain(s.Message), 200))
}

// expanded reads the answer of GET /connectors?expand=status&expand=info: name to status and info.
func expanded(keys map[string]json.RawMessage) ([]Case, error) {
	var all []Case
	for _, name := range sortedKeys(keys) {
		var row struct {
			Status json.RawMessage `json:"status"`
			Info   struct {
				Config map[string]string `json:"config"`
			} `json:"info"`
		}
		if err := json.Unmarshal(keys[name], &row); err != nil || row.Status == nil {
			return all, fmt.Errorf(`expected a connector's status ("connector" and "tasks"), Connect's answer to ?expand=status, or an object with "state", "task_states" and "trace"; %q is none of these`, clip(name, 60))
		}
		found, err := savedStatus(row.Status)
		if err != nil {
			return all, fmt.Errorf("%s: %w", name, err)
		}
		found[0].Config, found[0].ConnectorClass = row.Info.Config, row.Info.Config["connector.class"]
		all = append(all, found...)
	}
	if len(all) == 0 {
		return nil, errors.New("an empty object: no connector is in it")
	}
	return all, nil
}

// savedCase reads a line of our own.
func savedCase(text []byte) ([]Case, error) {
	var s struct {
		ID             any               `json:"id"`
		Name           string            `json:"name"`
		ConnectorClass string            `json:"connector_class"`
		ConnectorType  string            `json:"connector_type"`
		State          connect.State     `json:"state"`
		TaskStates     []taskState       `json:"task_states"`
		Trace          string            `json:"trace"`
		WorkerLog      *string           `json:"worker_log"`
		Config         map[string]string `json:"config"`
	}
	if err := json.Unmarshal(text, &s); err != nil {
		return nil, readable(err)
	}
	c := Case{ID: s.Name, ConnectorClass: s.ConnectorClass, ConnectorType: s.ConnectorType, State: s.State, Config: s.Config}
	if s.ID != nil {
		c.ID = fmt.Sprint(s.ID)
	}
	if c.ConnectorClass == "" {
		c.ConnectorClass = s.Config["connector.class"]
	}
	if s.WorkerLog != nil {
		c.WorkerLog = *s.WorkerLog
	}
	for i, t := range s.TaskStates {
		c.Tasks = append(c.Tasks, connect.Task{ID: i, State: t.State, Trace: t.Trace})
	}
	c.place(s.Trace)
	return c.checked()
}

// taskState is "FAILED", or an object with a state and a trace of its own.
type taskState struct {
	State connect.State `json:"state"`
	Trace string        `json:"trace"`
}

// UnmarshalJSON implements json.Unmarshaler.
func (t *taskState) UnmarshalJSON(text []byte) error {
	if len(text) > 0 && text[0] == '"' {
		return json.Unmarshal(text, &t.State)
	}
	type object taskState
	return json.Unmarshal(text, (*object)(t))
}

// place gives a trace, of which nobody said whose it is, to what has failed: the tasks, else the connector.
func (c *Case) place(trace string) {
	if trace == "" {
		return
	}
	placed := false
	for i, t := range c.Tasks {
		if t.State == connect.Failed && t.Trace == "" {
			c.Tasks[i].Trace, placed = trace, true
		}
	}
	if !placed {
		c.Trace = trace
	}
	if c.State == "" && len(c.Tasks) == 0 {
		c.State = connect.Failed // nothing is known but that it threw
	}
}

var knownStates = []connect.State{connect.Running, connect.Failed, connect.Paused, connect.Stopped, connect.Unassigned, connect.Restarting, connect.Destroyed}

// checked refuses states that Connect has not.
func (c Case) checked() ([]Case, error) {
	if c.State == "" && len(c.Tasks) > 0 {
		c.State = connect.Running // only the tasks were told
	}
	c.State = connect.State(strings.ToUpper(string(c.State)))
	if !slices.Contains(knownStates, c.State) {
		return nil, fmt.Errorf("state: %q is no state of a connector; expected one of %s", clip(string(c.State), 40), knownStates)
	}
	for i := range c.Tasks {
		c.Tasks[i].State = connect.State(strings.ToUpper(string(c.Tasks[i].State)))
		if !slices.Contains(knownStates, c.Tasks[i].State) {
			return nil, fmt.Errorf("task %d: state: %q is no state of a task; expected one of %s", c.Tasks[i].ID, clip(string(c.Tasks[i].State), 40), knownStates)
		}
	}
	if !slices.Contains([]string{"", "source", "sink", "unknown"}, c.ConnectorType) {
		return nil, fmt.Errorf("connector_type: %q; expected source or sink", clip(c.ConnectorType, 40))
	}
	return []Case{c}, nil
}

// readable says what is wrong with a JSON text in words.
func readable(err error) error {
	var kind *json.UnmarshalTypeError
	if errors.As(err, &kind) {
		field := kind.Field
		if field == "" {
			field = "the line"
		}
		return fmt.Errorf("%s: is a JSON %s, expected %s", field, kind.Value, jsonKind(kind.Type.Kind().String()))
	}
	return fmt.Errorf("not JSON: %w", err)
}

// jsonKind names a Go kind as JSON does.
func jsonKind(kind string) string {
	switch kind {
	case "struct", "map":
		return "an object"
	case "slice":
		return "a list"
	case "int":
		return "a number"
	}
	return "a " + kind
}

func sortedKeys(m map[string]json.RawMessage) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}

// Evidence is what a case lets one see. Mask takes secrets out; nil leaves everything as it is.
func (c Case) Evidence(mask Masker) Evidence {
	collector := Collector{Mask: mask}
	s := connect.Status{Name: c.ID, Type: c.ConnectorType, State: c.State, Trace: c.Trace, Tasks: c.Tasks}
	config := map[string]string{}
	for k, v := range c.Config {
		config[k] = v
	}
	if c.ConnectorClass != "" {
		config["connector.class"] = c.ConnectorClass
	}
	if mask != nil {
		config = mask.Config(config, nil)
	}
	return Evidence{Subjects: []Subject{{Connector: c.ID, Status: maskStatus(s, collector.trimmer()), Config: config, Suspect: true, Log: collector.text(tail(c.WorkerLog, longestLog))}}}
}
