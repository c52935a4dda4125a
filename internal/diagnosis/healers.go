package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"cdcbot/internal/connect"
)

// Healer is something besides us that restarts a connector, or lets it try again, without being asked. While it may still
// act, waiting for it costs less than a restart by hand; once it is exhausted nothing happens unless somebody acts.
type Healer struct {
	Connector string    `json:"connector"`
	Name      string    `json:"name"`            // "Strimzi", "Aiven", …
	Text      string    `json:"text"`            // what it does, and where it stands, as a sentence without its full stop
	Until     time.Time `json:"until,omitzero"`  // it will have acted by then, or given up; zero when nobody can tell
	Exhausted bool      `json:"exhausted"`       // it does nothing more, or never would: there is nothing to wait for
	Owner     string    `json:"owner,omitempty"` // the resource that it takes the configuration from: an edit over REST would be reverted
}

// Resource is a connector as an operator of Kubernetes keeps it.
type Resource struct {
	Connector string // as Connect calls it
	Kind      string // "KafkaConnector" of Strimzi, or "Connector" of Confluent for Kubernetes
	Namespace string
	Name      string
	Restarts  bool          // it restarts what has failed
	Most      int           // restarts in a row; negative when there is no limit
	Done      int           // restarts in a row until now
	Last      time.Time     // the last of them; zero when there was none, or nobody knows
	Backoff   time.Duration // the longest pause between restarts; 0 for the hour that is usual
	Paused    bool          // the operator leaves the connector alone for now
}

// Owner is how people name the resource: "KafkaConnector cdc/warehouse".
func (r Resource) Owner() string {
	return strings.TrimPrefix(fmt.Sprintf("%s %s/%s", r.Kind, r.Namespace, r.Name), " ")
}

// Say is what to tell of a healer: its text, and that it owns the configuration where it does.
func (h Healer) Say() string {
	if h.Owner == "" {
		return h.Text
	}
	return fmt.Sprintf("%s; %s belongs to %s: change it there, an edit over REST would be reverted", h.Text, h.Connector, h.Owner)
}

// healers finds what may heal a connector by itself, from its configuration and from the resources of operators; those of
// other connectors are passed over. Since is when the connector failed, as far as anybody knows; zero stands for now.
func healers(s Subject, resources []Resource, since, now time.Time) []Healer {
	if since.IsZero() || since.After(now) {
		since = now
	}
	p := patient{Subject: s, since: since, now: now}
	var list []Healer
	for _, r := range resources {
		if r.Connector == s.Connector {
			list = append(list, p.operator(r))
		}
	}
	for _, find := range []func(patient) (Healer, bool){patient.aiven, patient.converters, patient.plugin} {
		if h, ok := find(p); ok {
			h.Connector = s.Connector
			list = append(list, h)
		}
	}
	return list
}

// patient is a connector that healers are looked for.
type patient struct {
	Subject
	since, now time.Time
}

// failed says whether Connect has given something of it up: what a task tries again by itself, it tries while it runs.
func (p patient) failed() bool {
	return p.Status.State == connect.Failed || len(p.Status.Failed()) > 0
}

// rhythms are how operators go about their restarts.
var rhythms = map[string]struct {
	name  string
	pause func(Resource) time.Duration // between the last restart and the next; nil when nobody can tell
	look  time.Duration                // how often the operator looks, at most, by default
}{
	"KafkaConnector": {"Strimzi", strimziPause, 2 * time.Minute},
	"Connector":      {"Confluent for Kubernetes", nil, 0},
}

// strimziPause is n·n + n minutes after the n-th restart, an hour at most: 0, 2, 6, 12, 20, 30, 42, 56, 60, 60, …; since
// spec.autoRestart.maxBackoffMinutes exists, the end is another where it says so.
func strimziPause(r Resource) time.Duration {
	n := time.Duration(min(max(0, r.Done), 1000))
	return min((n*n+n)*time.Minute, cmp.Or(r.Backoff, time.Hour))
}

func (p patient) operator(r Resource) Healer {
	rhythm, ok := rhythms[r.Kind]
	if !ok {
		rhythm.name = r.Kind
	}
	h := Healer{Connector: p.Connector, Name: rhythm.name, Owner: r.Owner()}
	switch {
	case r.Paused:
		h.Exhausted, h.Text = true, rhythm.name+" does not restart it: its reconciliation is paused"
	case !r.Restarts:
		h.Exhausted, h.Text = true, rhythm.name+" does not restart it: automatic restarts are off"
	case r.Most >= 0 && r.Done >= r.Most:
		h.Exhausted, h.Text = true, fmt.Sprintf("%s has given up after %s", rhythm.name, restarts(r.Done))
	case rhythm.pause == nil:
		h.Text = fmt.Sprintf("%s restarts what has failed%s; when it does nobody can tell", rhythm.name, r.count())
	default:
		due := p.now
		if !r.Last.IsZero() {
			due = r.Last.Add(rhythm.pause(r))
		}
		h.Until = latest(due, p.now).Add(rhythm.look)
		h.Text = fmt.Sprintf("%s restarts what has failed%s, by %s", rhythm.name, r.count(), clockTime(h.Until, p.now))
	}
	return h
}

// count says which restart the next one is.
func (r Resource) count() string {
	if r.Most < 0 {
		return fmt.Sprintf(", next for the %s time", ordinal(r.Done+1))
	}
	return fmt.Sprintf(", next for the %s of %d times", ordinal(r.Done+1), r.Most)
}

// aivenLooks is how often Aiven looks for failed tasks.
const aivenLooks = 15 * time.Minute

// aiven restarts failed tasks without end. Once it must have tried and the connector still fails, its next try is worth no
// more than ours.
func (p patient) aiven() (Healer, bool) {
	if !strings.EqualFold(strings.TrimSpace(p.Config["_aiven.restart.on.failure"]), "true") {
		return Healer{}, false
	}
	h := Healer{Name: "Aiven", Until: p.since.Add(aivenLooks), Text: "Aiven restarts failed tasks every 15 min"}
	if h.Exhausted = !p.now.Before(h.Until); h.Exhausted {
		h.Until, h.Text = time.Time{}, h.Text+", and has had its chance: it has been failing for "+span(p.now.Sub(p.since))
	}
	return h, true
}

// converters is Connect's own errors.retry.timeout: converters and transforms, and what a task calls retriable, are tried
// again for as long, while the task says RUNNING.
func (p patient) converters() (Healer, bool) {
	ms, ok := p.number("errors.retry.timeout", 0)
	if !ok || ms == 0 {
		return Healer{}, false
	}
	h := Healer{Name: "Connect", Text: "Connect tries records that fail in a converter or transform again without end"}
	if ms > 0 {
		h.Until = p.since.Add(millis(ms))
		h.Text = fmt.Sprintf("Connect tries records that fail in a converter or transform again for %s, until %s", span(millis(ms)), clockTime(h.Until, p.now))
	}
	return p.spent(h, "Connect tries records again that fail in a converter or transform (errors.retry.timeout), and has given up"), true
}

// retriers are the plugins that try again by themselves, with the options that say how often and at what distance, and
// what holds without them. The first whose prefix the plugin's class has counts.
var retriers = []struct {
	name, class string
	often       string
	times       int64 // negative: without end
	pause       string
	ms          int64
}{
	{"Debezium's JDBC sink", "io.debezium.connector.jdbc.", "flush.max.retries", 5, "flush.retry.delay.ms", 1000},
	{"Debezium", "io.debezium.connector.", "errors.max.retries", -1, "retriable.restart.connector.wait.ms", 10000},
	{"Confluent's JDBC sink", "io.confluent.connect.jdbc.JdbcSinkConnector", "max.retries", 10, "retry.backoff.ms", 3000},
	{"Aiven's JDBC sink", "io.aiven.connect.jdbc.JdbcSinkConnector", "max.retries", 10, "retry.backoff.ms", 3000},
}

// plugin is what the connector itself tries again. Only errors that it calls retriable count.
func (p patient) plugin() (Healer, bool) {
	for _, r := range retriers {
		if !strings.HasPrefix(p.Config["connector.class"], r.class) {
			continue
		}
		times, ok := p.number(r.often, r.times)
		pause, known := p.number(r.pause, r.ms)
		if !ok || !known || times == 0 {
			return Healer{}, false
		}
		apart := millis(max(0, pause))
		h := Healer{Name: r.name, Text: fmt.Sprintf("%s tries again what it calls retriable, every %s without end", r.name, span(apart))}
		if times > 0 {
			h.Until = p.since.Add(min(time.Duration(min(float64(times)*float64(apart), float64(longest))), longest))
			h.Text = fmt.Sprintf("%s tries again what it calls retriable, %s, until %s", r.name, tries(times, apart), clockTime(h.Until, p.now))
		}
		return p.spent(h, fmt.Sprintf("%s tries again what it calls retriable (%s), and has given up, or this error is none of those", r.name, r.often)), true
	}
	return Healer{}, false
}

// spent turns a healer within the task into an exhausted one when Connect has given the task up.
func (p patient) spent(h Healer, said string) Healer {
	if p.failed() {
		h.Exhausted, h.Until, h.Text = true, time.Time{}, said
	}
	return h
}

// number is an option that is a whole number. One that is something else, such as a reference to a secret, nobody knows.
func (p patient) number(key string, otherwise int64) (int64, bool) {
	text := strings.TrimSpace(p.Config[key])
	if text == "" {
		return otherwise, true
	}
	n, err := strconv.ParseInt(text, 10, 64)
	return n, err == nil
}

// millis is at most what a clock counts.
func millis(ms int64) time.Duration {
	return time.Duration(min(ms, longest.Milliseconds())) * time.Millisecond
}

func latest(a, b time.Time) time.Time { return slices.MaxFunc([]time.Time{a, b}, time.Time.Compare) }

func restarts(n int) string {
	if n == 1 {
		return "1 restart"
	}
	return fmt.Sprintf("%d restarts", n)
}

func tries(n int64, apart time.Duration) string {
	if n == 1 {
		return "once, after " + span(apart)
	}
	return fmt.Sprintf("%d times, %s apart", n, span(apart))
}

// ordinal is 1st, 2nd, 3rd, 4th, 11th, 21st.
func ordinal(n int) string {
	ending := "th"
	if n%100 < 11 || n%100 > 13 {
		ending = cmp.Or(map[int]string{1: "st", 2: "nd", 3: "rd"}[n%10], ending)
	}
	return strconv.Itoa(n) + ending
}
