package diagnosis

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Facts are what an expert looks up beside statuses and probes: what moved, what was lost, what changed. Any of them may
// be missing.
type Facts struct {
	Flows   []Flow
	Losses  []Loss
	Changes []Change
	Leases  []Lease
	Drifts  []Drift
	Bounds
	Workers   []Worker   // those that statuses name
	Resources []Resource // connectors that an operator of Kubernetes keeps
	Unread    []Remark   // what could not be looked up, and why
	Log       string     // the end of the worker's log; the collector hands it to the subjects that failed
}

// Flow is how fast data moved through a connector.
type Flow struct {
	Connector string
	Points    []Point // oldest first
	Waiting   int64   // records that wait to be read; -1 when nobody knows
	Source    string  // "committed offsets"
}

// Point is one minute of a flow.
type Point struct {
	At        time.Time
	PerMinute float64
	Known     bool // false: nobody looked, or Connect did not answer
}

// Loss is a counter of records that a connector gave up: skipped, or sent to a dead-letter queue.
type Loss struct {
	Connector string
	Records   int64         // within Window
	Window    time.Duration // up to now
	Kind      string        // "skipped", "sent to the dead-letter queue"
	Source    string
}

// Change is one option of a connector's configuration that became another. Values of secrets are not in it.
type Change struct {
	Connector string
	At        time.Time // when it was first seen
	Key       string
	Was, Now  string // "" for an option that was not there, or is not any more
}

// Lease is a credential that ends by itself.
type Lease struct {
	Name    string
	Expires time.Time
	Source  string
}

// Drift is how the tables on both sides of a pipeline differ.
type Drift struct {
	Connector string // the sink
	From, To  string // "shop.orders", "public.orders"
	Lines     []string
	Mend      []string // statements that would bring the sink's table up to the source's
	Source    string
}

// Worker is a look at a worker under the address by which statuses name it.
type Worker struct {
	ID   string // "10.0.0.7:8083"
	OK   bool   // something listens there
	Text string // what was seen
}

// Source looks facts up about connectors whose status is known already.
type Source interface {
	Name() string
	Look(ctx context.Context, cluster string, subjects []Subject) (Facts, error)
}

// facts asks all sources at once, each with the deadline of a probe. What one cannot say is said as Unread.
func (c *Collector) facts(ctx context.Context, cluster string, subjects []Subject) Facts {
	found := make(chan Facts, len(c.Sources))
	for _, source := range c.Sources {
		go func() { found <- c.ask(ctx, source, cluster, subjects) }()
	}
	var all Facts
	for range c.Sources {
		all = all.with(<-found)
	}
	all.order()
	return all
}

func (c *Collector) ask(ctx context.Context, source Source, cluster string, subjects []Subject) Facts {
	unread := func(text string) []Remark {
		return []Remark{{Text: c.text(text), Source: source.Name(), At: c.now()}}
	}
	return bounded(ctx, c.deadline(), func(ctx context.Context) Facts {
		found, err := source.Look(ctx, cluster, subjects)
		if err != nil {
			found.Unread = append(found.Unread, unread(err.Error())...)
		}
		return found
	}, func(_ Reason, text string) Facts { return Facts{Unread: unread(text)} })
}

func (f Facts) with(g Facts) Facts {
	return Facts{
		Flows: slices.Concat(f.Flows, g.Flows), Losses: slices.Concat(f.Losses, g.Losses), Changes: slices.Concat(f.Changes, g.Changes),
		Leases: slices.Concat(f.Leases, g.Leases), Drifts: slices.Concat(f.Drifts, g.Drifts),
		Bounds:  Bounds{Kept: slices.Concat(f.Kept, g.Kept), Slots: slices.Concat(f.Slots, g.Slots), Spaces: slices.Concat(f.Spaces, g.Spaces)},
		Workers: slices.Concat(f.Workers, g.Workers), Resources: slices.Concat(f.Resources, g.Resources), Unread: slices.Concat(f.Unread, g.Unread),
		Log: f.Log + g.Log,
	}
}

// order makes what was found independent of who answered first.
func (f *Facts) order() {
	slices.SortStableFunc(f.Flows, func(a, b Flow) int { return cmp.Compare(a.Connector, b.Connector) })
	slices.SortStableFunc(f.Losses, func(a, b Loss) int { return cmp.Or(cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Kind, b.Kind)) })
	slices.SortStableFunc(f.Changes, func(a, b Change) int {
		return cmp.Or(b.At.Compare(a.At), cmp.Compare(a.Connector, b.Connector), cmp.Compare(a.Key, b.Key))
	})
	slices.SortStableFunc(f.Leases, func(a, b Lease) int { return cmp.Or(a.Expires.Compare(b.Expires), cmp.Compare(a.Name, b.Name)) })
	slices.SortStableFunc(f.Drifts, func(a, b Drift) int { return cmp.Or(cmp.Compare(a.To, b.To), cmp.Compare(a.From, b.From)) })
	slices.SortStableFunc(f.Workers, func(a, b Worker) int { return cmp.Compare(a.ID, b.ID) })
	slices.SortStableFunc(f.Unread, func(a, b Remark) int { return cmp.Compare(a.Source, b.Source) })
}

// stillFor is how long nothing may move, while records wait, before it is called a stall. Sinks flush once a minute.
const stillFor = 3 * time.Minute

// recent is how long before a failure a change of the configuration still is worth a word.
const recent = time.Hour

// facts lets what was looked up argue, after statuses and probes have.
func (x *examination) facts() {
	x.stale()
	for _, f := range x.Flows {
		x.stall(f)
	}
	for _, l := range x.Losses {
		x.loss(l)
	}
	for _, d := range x.Drifts {
		x.drift(d)
	}
	for _, l := range x.Leases {
		x.lease(l)
	}
	x.changed()
}

// healing finds what may heal a failed connector without us.
func (x *examination) healing() []Healer {
	var list []Healer
	for _, s := range x.Subjects {
		if s.Suspect && s.StatusErr == "" {
			list = append(list, healers(s, x.Resources, s.Since, x.At)...)
		}
	}
	return list
}

// Still is since when nothing has moved: the end of the last minute in which something did. It is zero when it moves, or
// when nobody knows.
func (f Flow) Still() time.Time {
	for i := len(f.Points) - 1; i >= 0; i-- {
		p := f.Points[i]
		switch {
		case !p.Known:
			continue
		case p.PerMinute > 0:
			if i == len(f.Points)-1 {
				return time.Time{}
			}
			return p.At.Add(time.Minute)
		}
	}
	if len(f.Points) > 0 && f.Points[0].Known {
		return f.Points[0].At
	}
	return time.Time{}
}

// stale finds workers that are gone while their tasks still say RUNNING: Connect notices only when their session has ended,
// and moves the tasks after a pause on top. That an address cannot be reached proves something only where another can.
func (x *examination) stale() {
	reachable := slices.ContainsFunc(x.Workers, func(w Worker) bool { return w.OK })
	for _, w := range x.Workers {
		if w.OK || !reachable {
			continue
		}
		c := x.candidate(WorkerFailure, "")
		c.said, c.next = "worker "+w.ID+" does not answer, and its tasks say RUNNING", "wait for the rebalance"
		c.Retriable, c.Why = false, "Connect moves the tasks of a lost worker by itself, once its session has ended and scheduled.rebalance.max.delay.ms has passed; until then a restart is refused"
		c.believe(0.8)
		c.add(Remark{Text: w.Text, Source: "worker " + w.ID, At: x.At})
		for _, s := range x.Subjects {
			if slices.Contains(s.Status.Workers(), w.ID) {
				c.meet(s, spot{connector: s.Connector})
			}
		}
	}
}

// stall finds a connector that says RUNNING while records wait and none moves.
func (x *examination) stall(f Flow) {
	s, ok := x.subject(f.Connector)
	still := f.Still()
	if !ok || !s.Status.Running() || still.IsZero() || f.Waiting <= 0 || x.At.Sub(still) < stillFor {
		return
	}
	r := Remark{Text: fmt.Sprintf("RUNNING, but nothing has flowed for %s while %s wait", span(x.At.Sub(still)), records(f.Waiting)), Source: f.Source, At: x.At}
	if c, ok := x.broken(); ok {
		c.meet(s, spot{connector: s.Connector})
		c.believe(0.5)
		c.add(r)
		return
	}
	c := x.candidate(Unknown, "")
	c.meet(s, spot{connector: s.Connector})
	c.Title, c.said = "Silent stall", "RUNNING, but nothing flows"
	c.believe(0.5)
	c.add(r)
}

// loss finds a connector that says RUNNING while it gives records up.
func (x *examination) loss(l Loss) {
	s, ok := x.subject(l.Connector)
	if !ok || l.Records <= 0 {
		return
	}
	slug, said := ToleranceExceeded, fmt.Sprintf("%s %s in %s", records(l.Records), l.Kind, span(l.Window))
	if c, ok := x.broken(); ok && c.Slug == SchemaRegistry {
		slug = SchemaRegistry
	}
	c := x.candidate(slug, "")
	c.meet(s, spot{connector: s.Connector})
	c.believe(0.6)
	c.add(Remark{Text: said, Source: l.Source, At: x.At})
	switch {
	case c.standing:
		c.said += ", and records are being lost"
	case c.said == "" || !x.explained():
		c.said = "records are being lost: " + said
		c.Retriable, c.Why = false, "it runs: a restart would go on losing records; what makes them fail has to be mended, or error tolerance taken back"
		c.next = "a restart cannot help"
	}
}

// broken is the cause that a probe found standing now, when there is one.
func (x *examination) broken() (*candidate, bool) {
	for _, c := range x.causes {
		if c.standing {
			return c, true
		}
	}
	return nil, false
}

// drift: the tables differ now. Where records fail, that is the cause or near it; where nothing fails it is only told.
func (x *examination) drift(d Drift) {
	c, blamed := x.has(TableSchemaMismatch)
	if !blamed {
		return
	}
	c.believe(0.5)
	for _, line := range d.Lines {
		c.add(Remark{Text: d.To + ": " + line, Source: d.Source, At: x.At})
	}
	c.Mend = append(c.Mend, d.Mend...)
}

// lease: credentials that have ended explain a refused login.
func (x *examination) lease(l Lease) {
	left := l.Expires.Sub(x.At)
	c, denied := x.has(Authentication)
	if !denied || left > recent {
		return
	}
	text := fmt.Sprintf("the credentials %s end in %s", l.Name, span(left))
	if left <= 0 {
		text = fmt.Sprintf("the credentials %s ended %s ago", l.Name, span(-left))
		c.believe(0.6)
	}
	c.add(Remark{Text: text, Source: l.Source, At: x.At})
}

// changed lets what changed shortly before speak for the cause that it may have made.
func (x *examination) changed() {
	for _, ch := range x.Changes {
		age := x.At.Sub(ch.At)
		if age > recent || age < -time.Minute {
			continue
		}
		r := Remark{Text: ch.text() + ", " + span(age) + " ago", Source: "configuration of " + ch.Connector, At: ch.At}
		c := x.guilty(ch)
		if c == nil {
			continue
		}
		c.add(r)
		c.believe(0.15)
	}
}

// guilty is the cause that a change speaks for: what it touches, else whatever is most likely.
func (x *examination) guilty(ch Change) *candidate {
	key := strings.ToLower(ch.Key)
	if c, ok := x.has(Authentication); ok && (strings.Contains(key, "password") || strings.Contains(key, "user") || strings.Contains(key, "jaas")) {
		return c
	}
	if c, ok := x.has(ConfigError); ok {
		return c
	}
	var best *candidate
	for _, c := range x.causes {
		if slices.Contains(c.Connectors, ch.Connector) && (best == nil || c.Confidence > best.Confidence) {
			best = c
		}
	}
	return best
}

func (ch Change) text() string {
	switch {
	case ch.Was == "" && ch.Now == "":
		return ch.Key + " changed"
	case ch.Was == "":
		return fmt.Sprintf("%s was set to %s", ch.Key, clip(plain(ch.Now), 80))
	case ch.Now == "":
		return fmt.Sprintf("%s was removed (it was %s)", ch.Key, clip(plain(ch.Was), 80))
	}
	return fmt.Sprintf("%s changed from %s to %s", ch.Key, clip(plain(ch.Was), 80), clip(plain(ch.Now), 80))
}

func (x *examination) subject(name string) (Subject, bool) {
	for _, s := range x.Subjects {
		if s.Connector == name && s.StatusErr == "" {
			return s, true
		}
	}
	return Subject{}, false
}

func records(n int64) string {
	if n == 1 {
		return "1 record"
	}
	return fmt.Sprintf("%d records", n)
}

// span says a duration as people do: "40 s", "12 min", "3 h 40 min", "6 days".
func span(d time.Duration) string {
	d = max(0, d)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		h, m := int(d.Hours()), int(d.Minutes())%60
		if m == 0 {
			return fmt.Sprintf("%d h", h)
		}
		return fmt.Sprintf("%d h %d min", h, m)
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
