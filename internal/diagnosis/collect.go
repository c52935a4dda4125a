package diagnosis

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"cdcbot/internal/connect"
)

// ConnectReader reads a Connect cluster; *connect.Client is one.
type ConnectReader interface {
	// Connectors returns every connector with status and configuration, in one request.
	Connectors(ctx context.Context) (map[string]connect.Connector, error)
}

// Validator tells which options a plugin defines as secret; *connect.Client is one.
type Validator interface {
	Validate(ctx context.Context, class string, config map[string]string) (connect.Validation, error)
}

// Prober looks at one system.
type Prober interface {
	Name() string
	Probe(ctx context.Context) Probe
}

// Masker takes secrets out; *redact.Redactor is one. Without one no configuration is kept at all, and traces are as
// they came: only tests go without.
type Masker interface {
	Text(s string) string
	Config(config map[string]string, passwordKeys []string) map[string]string
}

// Collector does all the I/O of a diagnosis. Everything is asked at once, each with its own deadline; a system that
// hangs costs its deadline and becomes evidence, never an error.
type Collector struct {
	Connect  map[string]ConnectReader // by cluster name
	Probes   []Prober
	Sources  []Source                               // looked up once the connectors' statuses are known
	Members  []string                               // connectors of the pipeline; empty means every connector of the cluster
	First    func(cluster, connector string) string // first trace since healthy, "" when unknown; may be nil
	Deadline time.Duration                          // for each look; 2 s when zero
	Budget   time.Duration                          // for all together; 5 s when zero
	Now      func() time.Time
	Mask     Masker

	secrets sync.Map // plugin class to its []string of PASSWORD options
}

// notFound is how a status error says that Connect answered, and has no such connector.
const notFound = "not found on cluster"

// longestTrace bounds what is kept of one trace, in bytes: beginning and end.
const longestTrace = 64 << 10

// Collect looks at a cluster and the systems around it. Suspects are the connectors that an alert names; without any,
// those in ill health are. The order of what it returns depends on names only.
func (c *Collector) Collect(ctx context.Context, cluster string, suspects []string) Evidence {
	ctx, cancel := context.WithTimeout(ctx, cmp.Or(c.Budget, 5*time.Second))
	defer cancel()
	probes := make([]Probe, len(c.Probes)+1)
	var subjects []Subject
	var all sync.WaitGroup
	for i, p := range c.Probes {
		all.Go(func() { probes[i+1] = c.probe(ctx, p) })
	}
	var facts Facts
	all.Go(func() {
		if subjects, probes[0] = c.subjects(ctx, cluster, suspects); probes[0].OK {
			facts = c.facts(ctx, cluster, subjects)
			c.hand(subjects, facts.Log)
			facts.Log = ""
		}
	})
	all.Wait()
	for i := range probes {
		probes[i].Text = c.text(probes[i].Text)
	}
	slices.SortStableFunc(probes[1:], func(a, b Probe) int { return cmp.Compare(a.Name, b.Name) })
	return Evidence{At: c.now(), Subjects: subjects, Probes: probes, Facts: facts}
}

// mostLogged is how many failed connectors are looked for in a log. In a storm their traces tell enough.
const mostLogged = 20

// hand gives the worker's log to the subjects that failed. It is the log of all connectors: what names another one and not
// this one is left out.
func (c *Collector) hand(subjects []Subject, log string) {
	var failed []int
	for i, s := range subjects {
		if s.Suspect && len(failedParts(s)) > 0 {
			failed = append(failed, i)
		}
	}
	if log == "" || len(failed) > mostLogged {
		return
	}
	entries := readLog(c.text(tail(log, longestLog)))
	for _, i := range failed {
		own := slices.DeleteFunc(slices.Clone(entries), func(e entry) bool { return ofAnother(e, subjects[i].Connector, subjects) })
		var lines []string
		for _, e := range own {
			lines = append(lines, e.text)
		}
		subjects[i].Log = strings.Join(lines, "\n")
	}
}

// ofAnother says whether an entry names another connector and not this one.
func ofAnother(e entry, connector string, subjects []Subject) bool {
	return !strings.Contains(e.text, connector) && slices.ContainsFunc(subjects, func(s Subject) bool {
		return s.Connector != connector && !strings.Contains(connector, s.Connector) && strings.Contains(e.text, s.Connector)
	})
}

// probe runs one prober.
func (c *Collector) probe(ctx context.Context, p Prober) Probe {
	start := c.now()
	seen := bounded(ctx, c.deadline(), p.Probe, func(why Reason, text string) Probe { return Probe{Reason: why, Text: text} })
	seen.Name, seen.At = p.Name(), start
	seen.Took = c.now().Sub(start)
	return seen
}

// bounded runs one look. One that neither returns nor heeds its context is left behind when its deadline has passed, and
// lost says so. Its own context ends a little earlier, so that a client that retried to the end can still say what it met.
func bounded[T any](ctx context.Context, deadline time.Duration, look func(context.Context) T, lost func(Reason, string) T) T {
	ctx, cancel := context.WithTimeout(ctx, deadline)
	defer cancel()
	done := make(chan T, 1)
	go func() {
		defer func() {
			if r := recover(); r != nil {
				done <- lost(Broken, fmt.Sprintf("the probe broke down: %v", r))
			}
		}()
		inner, cancel := context.WithTimeout(ctx, deadline*9/10)
		defer cancel()
		done <- look(inner)
	}()
	select {
	case seen := <-done:
		return seen
	case <-ctx.Done():
	}
	select { // an answer that came in the same moment counts
	case seen := <-done:
		return seen
	default:
		return lost(Timeout, fmt.Sprintf("no answer within %s", deadline))
	}
}

// subjects asks Connect, and says as a probe how that went.
func (c *Collector) subjects(ctx context.Context, cluster string, suspects []string) ([]Subject, Probe) {
	var found map[string]connect.Connector
	look := c.probe(ctx, lookFunc{name: "connect/" + cluster, look: func(ctx context.Context) (p Probe) {
		p.Source = "GET /connectors"
		reader, ok := c.Connect[cluster]
		if !ok {
			p.Reason, p.Text = Missing, fmt.Sprintf("cluster %q is not configured", cluster)
			return p
		}
		list, err := reader.Connectors(ctx)
		if err != nil {
			p.Reason, p.Text = reasonOf(err), err.Error()
			return p
		}
		found = list
		p.OK, p.Text = true, fmt.Sprintf("%d connector(s)", len(list))
		return p
	}})
	if !look.OK {
		return c.unread(cluster, suspects, look), look
	}
	subjects := c.pick(cluster, suspects, found)
	c.maskConfigs(ctx, cluster, subjects)
	return subjects, look
}

// unread are the subjects when Connect did not answer: the suspects, or the pipeline's members.
func (c *Collector) unread(cluster string, suspects []string, look Probe) []Subject {
	names := slices.Clone(suspects)
	if len(names) == 0 {
		names = slices.Clone(c.Members)
	}
	slices.Sort(names)
	var list []Subject
	for _, name := range slices.Compact(names) {
		list = append(list, Subject{Cluster: cluster, Connector: name, StatusErr: c.text(look.Text), Suspect: true})
	}
	return list
}

// pick makes subjects of the pipeline's connectors and the suspects.
func (c *Collector) pick(cluster string, suspects []string, found map[string]connect.Connector) []Subject {
	names := slices.Clone(suspects)
	for name := range found {
		if len(c.Members) == 0 || slices.Contains(c.Members, name) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	trim := c.trimmer()
	var list []Subject
	for _, name := range slices.Compact(names) {
		row, ok := found[name]
		s := Subject{Cluster: cluster, Connector: name, Suspect: slices.Contains(suspects, name)}
		if !ok {
			s.StatusErr = fmt.Sprintf("connector %s %s %s", name, notFound, cluster)
			list = append(list, s)
			continue
		}
		s.Status, s.Config = maskStatus(row.Status, trim), row.Config
		s.Suspect = s.Suspect || row.Status.Unhealthy()
		if s.Suspect && c.First != nil {
			s.First = trim(c.First(cluster, name))
		}
		list = append(list, s)
	}
	return list
}

func maskStatus(s connect.Status, trim func(string) string) connect.Status {
	s.Trace = trim(s.Trace)
	s.Tasks = slices.Clone(s.Tasks)
	for i := range s.Tasks {
		s.Tasks[i].Trace = trim(s.Tasks[i].Trace)
	}
	return s
}

// maskConfigs asks each suspect's plugin which options are secret and masks all configurations. A plugin that does not
// answer is no harm: options with a secret's name are masked in any case.
func (c *Collector) maskConfigs(ctx context.Context, cluster string, subjects []Subject) {
	var classes []string
	for _, s := range subjects {
		if class := s.Config["connector.class"]; s.Suspect && class != "" && !slices.Contains(classes, class) {
			classes = append(classes, class)
		}
	}
	keys := make([][]string, len(classes))
	var all sync.WaitGroup
	for i, class := range classes {
		all.Go(func() { keys[i] = c.passwordKeys(ctx, cluster, class) })
	}
	all.Wait()
	for i, s := range subjects {
		subjects[i].Config = nil
		if c.Mask == nil {
			continue
		}
		var secret []string
		if at := slices.Index(classes, s.Config["connector.class"]); at >= 0 {
			secret = keys[at]
		}
		subjects[i].Config = c.Mask.Config(s.Config, secret)
	}
}

// passwordKeys asks a plugin for its options of type PASSWORD. Only the class is sent: values are none of its business,
// and with them some plugins would connect to their database here.
func (c *Collector) passwordKeys(ctx context.Context, cluster, class string) (keys []string) {
	if known, ok := c.secrets.Load(class); ok {
		return known.([]string)
	}
	v, ok := c.Connect[cluster].(Validator)
	if !ok {
		return nil
	}
	look := c.probe(ctx, lookFunc{name: class, look: func(ctx context.Context) Probe {
		got, err := v.Validate(ctx, class, map[string]string{"connector.class": class})
		if err != nil {
			return Probe{Text: err.Error()}
		}
		c.secrets.Store(class, got.Passwords())
		return Probe{OK: true}
	}})
	if !look.OK {
		return nil
	}
	known, _ := c.secrets.Load(class)
	keys, _ = known.([]string)
	return keys
}

// trimmer returns trim with a memory: in a storm, hundreds of tasks fail with the same trace.
func (c *Collector) trimmer() func(string) string {
	done := map[string]string{}
	return func(trace string) string {
		short, ok := done[trace]
		if !ok {
			short = c.trim(trace)
			done[trace] = short
		}
		return short
	}
}

// trim masks a trace and bounds it.
func (c *Collector) trim(trace string) string {
	if len(trace) > longestTrace {
		half := longestTrace / 2
		trace = head(trace, half) + "\n… (left out)\n" + strings.ToValidUTF8(trace[len(trace)-half:], "")
	}
	return c.text(trace)
}

func (c *Collector) text(s string) string {
	if c.Mask == nil || s == "" {
		return s
	}
	return c.Mask.Text(s)
}

func (c *Collector) now() time.Time {
	if c.Now == nil {
		return time.Now()
	}
	return c.Now()
}

func (c *Collector) deadline() time.Duration {
	return cmp.Or(c.Deadline, 2*time.Second)
}

// lookFunc makes a Prober of a function.
type lookFunc struct {
	name string
	look func(ctx context.Context) Probe
}

func (l lookFunc) Name() string                    { return l.name }
func (l lookFunc) Probe(ctx context.Context) Probe { return l.look(ctx) }

// Look makes a Prober of a client's look at its system: one line of what was seen, or an error. An error that has a
// method Reason() string tells the reason by it.
func Look(name, source string, look func(ctx context.Context) (string, error)) Prober {
	return lookFunc{name, func(ctx context.Context) Probe {
		text, err := look(ctx)
		if err != nil {
			return Probe{Source: source, Text: err.Error(), Reason: reasonOf(err)}
		}
		return Probe{Source: source, Text: text, OK: true}
	}}
}

// reasonOf reads the reason from an error.
func reasonOf(err error) Reason {
	var told interface{ Reason() string }
	switch {
	case errors.As(err, &told):
		return Reason(told.Reason())
	case errors.Is(err, connect.ErrUnauthorized):
		return Denied
	case errors.Is(err, connect.ErrUnreachable):
		return Refused
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, connect.ErrTimeout):
		return Timeout
	}
	return Probe{Text: err.Error()}.reason()
}
