package diagnosis

import (
	"slices"
	"strings"
)

// peer is what a probe looked at.
type peer struct {
	names []string // words in a probe's name
	slug  Slug     // the cause that its silence argues for
	title string
}

var peers = []peer{
	{[]string{"connect"}, WorkerFailure, "Kafka Connect"},
	{[]string{"postgres"}, DatabaseConnection, "PostgreSQL"},
	{[]string{"mysql", "mariadb"}, DatabaseConnection, "MySQL"},
	{[]string{"cassandra", "scylla"}, DatabaseConnection, "Cassandra"},
	{[]string{"mongo"}, DatabaseConnection, "MongoDB"},
	{[]string{"oracle"}, DatabaseConnection, "Oracle"},
	{[]string{"database", "jdbc"}, DatabaseConnection, "the database"},
	{[]string{"registry"}, SchemaRegistry, "the schema registry"},
	{[]string{"kafka", "broker"}, KafkaBroker, "Kafka"},
}

// probes lets what was looked at confirm or refute what traces say. A trace is old; a probe is now.
func (x *examination) probes() {
	for _, p := range x.Probes {
		at, ok := peerOf(p.Name)
		if !ok {
			continue
		}
		switch {
		case p.OK:
			x.answers(p, at)
		case p.reason() == Denied:
			x.denies(p, at)
		default:
			x.silent(p, at)
		}
	}
}

// answers: the system works now. What the trace says of it has passed, so a restart helps.
func (x *examination) answers(p Probe, at peer) {
	c, ok := x.has(at.slug)
	if ok && at.slug != WorkerFailure && c.retry != futile {
		c.Against = append(c.Against, p.remark())
		c.Retriable, c.Why = true, at.title+" answers again: a restarted task will reach it"
		c.next = "it is back now, a restart will help"
		if c.Confidence < 0.6 {
			c.next = "it answers now, try a restart"
		}
	}
	if a, denied := x.has(Authentication); denied && at.slug == DatabaseConnection {
		a.add(Remark{Text: at.title + " answers the bot's own login, so it is up: " + p.Text, Source: p.source(), At: p.At})
		if a.Confidence < 0.6 {
			a.believe(0.1)
		}
	}
}

// denies: the system is up and refuses the bot's login as well. That argues for credentials.
func (x *examination) denies(p Probe, at peer) {
	c := x.candidate(Authentication, "")
	if x.failed == 0 {
		c.believe(0.3)
	} else {
		c.believe(0.7)
	}
	c.add(p.remark())
	if c.said == "" {
		c.said = at.title + " refuses the login"
	}
	if d, ok := x.has(at.slug); ok && d.Confidence < 0.9 {
		d.Confidence *= 0.4
		d.Against = append(d.Against, p.remark())
	}
}

// silent: the system does not answer now. That confirms, and a restart must wait.
func (x *examination) silent(p Probe, at peer) {
	if at.slug == WorkerFailure {
		x.workerGone().add(p.remark())
		return
	}
	c := x.candidate(at.slug, "")
	c.standing = true
	fresh := c.said == ""
	switch {
	case fresh && x.explained():
		c.believe(0.3)
	case fresh:
		c.believe(0.6)
	default:
		c.believe(0.8)
	}
	c.add(p.remark())
	if fresh {
		c.said = at.title + " " + words[p.reason()]
	}
	c.Retriable, c.Why = false, at.title+" "+words[p.reason()]+" even now: a restarted task would fail again until it is back"
	c.next = "it still " + words[p.reason()] + ", a restart must wait"
	if a, ok := x.has(Authentication); ok && a.Confidence < 0.6 {
		a.Confidence *= 0.5
		a.Against = append(a.Against, p.remark())
	}
}

// words finish a sentence that begins with the system's name.
var words = map[Reason]string{
	Refused: "refuses connections", Timeout: "does not answer", Busy: "has no room for connections",
	Missing: "lacks what was asked for", Broken: "does not work", "": "does not work",
}

// explained says whether a trace gave a cause that one can believe.
func (x *examination) explained() bool {
	return slices.ContainsFunc(x.causes, func(c *candidate) bool { return c.hits > 0 && c.Confidence >= 0.5 })
}

func peerOf(name string) (peer, bool) {
	name, _, _ = strings.Cut(strings.ToLower(name), "/") // "connect/postgres-cluster" is a Connect
	for _, p := range peers {
		if slices.ContainsFunc(p.names, func(n string) bool { return strings.Contains(name, n) }) {
			return p, true
		}
	}
	return peer{}, false
}

func (p Probe) remark() Remark {
	return Remark{Text: p.Text, Source: p.source(), At: p.At}
}

func (p Probe) source() string {
	if p.Source == "" {
		return p.Name
	}
	return p.Name + ": " + p.Source
}

// reason is why the probe failed, read from its text when nobody said.
func (p Probe) reason() Reason {
	if p.Reason != "" || p.OK {
		return p.Reason
	}
	text := strings.ToLower(p.Text)
	for _, r := range []struct {
		words  string
		reason Reason
	}{{"refused", Refused}, {"timeout", Timeout}, {"timed out", Timeout}, {"deadline", Timeout}, {"authentication", Denied}, {"password", Denied}, {"too many", Busy}, {"starting up", Busy}} {
		if strings.Contains(text, r.words) {
			return r.reason
		}
	}
	return Broken
}
