package diagnosis

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Bounds are what limits how long an incident may wait before data is lost. Any of them may be missing.
type Bounds struct {
	Kept   []Kept
	Slots  []Slot
	Spaces []Space
}

// Kept is one partition of a topic of which a sink has not read everything.
type Kept struct {
	Connector string // the sink
	Topic     string
	Partition int32
	Committed int64         // what the sink reads next; -1 when it has committed nothing
	Start     int64         // the first offset that is still there
	End       int64         // the offset that the next record gets
	Oldest    int64         // the first record that the sink has not read and that is there; -1 when there is none
	Written   time.Time     // when Oldest was written, by its timestamp; zero when nobody knows
	Policy    string        // cleanup.policy: only with "delete" in it do age and size count
	Keep      time.Duration // retention.ms; negative when age alone deletes nothing
	KeepBytes int64         // retention.bytes; negative when size alone deletes nothing
	Bytes     int64         // of the partition on a disk; negative when nobody knows
	Unknown   string        // why the policy or the time is not known; "" when both are
	Source    string
}

// Slot is a replication slot of PostgreSQL that a source reads.
type Slot struct {
	Connector string // the source; "" when nobody knows whose it is
	Name      string
	Active    bool
	Status    string    // pg_replication_slots.wal_status: "reserved", "extended", "unreserved", "lost"
	Safe      int64     // bytes that may still be written until the slot may be lost; negative when nothing limits it
	Retained  int64     // bytes of the log that are kept for it
	Room      int64     // bytes that are free on the disk of the log; negative when nobody knows
	Idle      time.Time // since when nobody reads it; zero when nobody knows
	PerSecond float64   // bytes that are written to the log; 0 when nobody knows
	Since     time.Time // PerSecond is the average since then
	Source    string
}

// Space is the folder in which a node of Cassandra keeps changes until a source has read them.
type Space struct {
	Connector string // the source
	Node      string
	Folder    string
	Total     int64     // bytes that may be in it; 0 when nobody knows
	Used      int64     // bytes that are in it; negative when nobody knows, which CQL does not
	Blocks    bool      // when it is full writes are refused; otherwise the oldest changes are deleted, read or not
	PerSecond float64   // bytes that are added; 0 when nobody knows
	Since     time.Time // PerSecond is the average since then
	Source    string
}

// Clock is one moment at which waiting costs data.
type Clock struct {
	What   string    `json:"what"` // "Kafka deletes the oldest record that warehouse has not read"
	How    string    `json:"how"`  // how the moment was computed, or why it cannot be
	Source string    `json:"source,omitempty"`
	Until  time.Time `json:"until,omitzero"` // the moment at the earliest; zero when it cannot be told; of a loss: its beginning, or zero
	Lost   bool      `json:"lost,omitempty"` // data is lost already
}

// NoClock is said when nothing bounds the waiting.
const NoClock = "no clock known"

// Known says whether there is something to go by: a moment, or a loss.
func (c Clock) Known() bool { return c.Lost || !c.Until.IsZero() }

// Say is the clock as a sentence without its full stop: "about 3 h 40 min until …".
func (c Clock) Say(now time.Time) string {
	left := c.Until.Sub(now)
	switch {
	case c.Lost && c.Until.IsZero():
		return fmt.Sprintf("data is lost already: %s (%s)", c.What, c.How)
	case c.Lost:
		return fmt.Sprintf("data is lost since %s: %s (%s)", clockTime(c.Until, now), c.What, c.How)
	case c.Until.IsZero():
		return fmt.Sprintf("nobody can tell when %s (%s)", c.What, c.How)
	case left < time.Minute:
		return fmt.Sprintf("at any moment %s (%s)", c.What, c.How)
	}
	return fmt.Sprintf("about %s until %s (%s)", span(left), c.What, c.How)
}

// sayFirst is the line for a card: the first clock of a list in order, or that there is none.
func sayFirst(list []Clock, now time.Time) string {
	switch {
	case len(list) == 0:
		return NoClock
	case !list[0].Known():
		return NoClock + ": " + list[0].Say(now)
	}
	return list[0].Say(now)
}

// clocks computes every moment at which waiting costs data. What is lost already comes first, then the earliest moment;
// bounds whose moment nobody can tell are last.
func clocks(b Bounds, leases []Lease, now time.Time) []Clock {
	list := keptClocks(b.Kept, now)
	for _, s := range b.Slots {
		list = append(list, s.clocks(now)...)
	}
	for _, s := range b.Spaces {
		list = append(list, s.clocks(now)...)
	}
	for _, l := range leases {
		list = append(list, l.clocks(now)...)
	}
	slices.SortStableFunc(list, func(a, b Clock) int {
		return cmp.Or(cmp.Compare(rank(a), rank(b)), a.Until.Compare(b.Until), cmp.Compare(a.What+a.How, b.What+b.How))
	})
	return list
}

func rank(c Clock) int {
	switch {
	case c.Lost:
		return 0
	case c.Known():
		return 1
	}
	return 2
}

// keptClocks has at most three clocks for a sink and topic: what is lost of all partitions, the partition that loses
// next, and one that nobody can tell about.
func keptClocks(all []Kept, now time.Time) []Clock {
	type topic struct{ connector, name string }
	var order []topic
	by := map[topic][]Kept{}
	for _, k := range all {
		at := topic{k.Connector, k.Topic}
		if by[at] == nil {
			order = append(order, at)
		}
		by[at] = append(by[at], k)
	}
	var list []Clock
	for _, at := range order {
		list = append(list, lostOf(by[at], now)...)
		list = append(list, nextOf(by[at], now)...)
	}
	return list
}

// deletes says whether the topic forgets records by age or size. A topic that is only compacted keeps the last of each key.
func (k Kept) deletes() bool { return strings.Contains(k.Policy, "delete") }

// lost is how many offsets were deleted before the sink had read them. A topic that is only compacted loses none so.
func (k Kept) lost() int64 {
	if k.Committed < 0 || k.Policy != "" && !k.deletes() {
		return 0
	}
	return max(0, k.Start-k.Committed)
}

func lostOf(partitions []Kept, now time.Time) []Clock {
	var n int64
	var where []string
	var before []time.Time // what is lost was written before what is still there
	for _, k := range partitions {
		if k.lost() == 0 {
			continue
		}
		n += k.lost()
		where = append(where, fmt.Sprintf("%s/%d from %d to %d", k.Topic, k.Partition, k.Committed, k.Start-1))
		if !k.Written.IsZero() {
			before = append(before, k.Written)
		}
	}
	if n == 0 {
		return nil
	}
	how := fewOf(where)
	if len(before) == len(where) {
		how += ", written before " + clockTime(slices.MaxFunc(before, time.Time.Compare), now)
	}
	k := partitions[0]
	return []Clock{{Lost: true, What: fmt.Sprintf("Kafka has deleted up to %s that %s had not read", records(n), k.Connector), How: how, Source: k.Source}}
}

// nextOf is the partition that loses first, and how many others follow; of those that nobody can tell about, the first.
func nextOf(partitions []Kept, now time.Time) []Clock {
	var first, dark []Clock
	timed := 0
	for _, k := range partitions {
		c, ok := k.clock(now)
		switch {
		case !ok:
		case !c.Known():
			dark = append(dark, c)
		default:
			timed++
			if len(first) == 0 || c.Until.Before(first[0].Until) {
				first = []Clock{c}
			}
		}
	}
	if timed > 1 {
		first[0].How += fmt.Sprintf("; %d more of its partitions follow", timed-1)
	}
	return append(first, dark[:min(1, len(dark))]...)
}

// clock is when Kafka deletes the oldest unread record at the earliest. It deletes whole segments, once the newest record
// in one is too old, and looks every few minutes, so that it may well be later.
func (k Kept) clock(now time.Time) (Clock, bool) {
	c := Clock{What: fmt.Sprintf("Kafka deletes the oldest record that %s has not read", k.Connector), Source: k.Source}
	at := fmt.Sprintf("%s/%d at %d", k.Topic, k.Partition, k.Oldest)
	switch {
	case k.Oldest < 0 && (k.Unknown == "" || k.Start >= k.End): // nothing is left to lose
		return c, false
	case k.Policy == "" && k.Unknown != "":
		c.How = fmt.Sprintf("%s/%d: %s", k.Topic, k.Partition, k.Unknown)
		return c, true
	case !k.deletes() || k.Keep < 0 && k.KeepBytes < 0:
		return c, false
	case k.Written.IsZero():
		c.How = fmt.Sprintf("%s/%d: %s", k.Topic, k.Partition, cmp.Or(k.Unknown, "its records carry no time"))
		return c, true
	}
	c.Until, c.How = k.byAge(at, now)
	if bySize, how := k.bySize(at, now); !bySize.IsZero() && (c.Until.IsZero() || bySize.Before(c.Until)) {
		c.Until, c.How = bySize, how
	}
	if c.Until.IsZero() {
		c.How = fmt.Sprintf("%s, limited to %s, and how fast it grows is not known", at, size(k.KeepBytes))
	}
	return c, true
}

// byAge takes a time that lies in the future, because the producer's clock is ahead, for now: that is the earlier moment.
func (k Kept) byAge(at string, now time.Time) (time.Time, string) {
	if k.Keep < 0 {
		return time.Time{}, ""
	}
	if k.Written.After(now.Add(time.Minute)) {
		return now.Add(k.Keep), fmt.Sprintf("%s, which says that it was written %s, in the future, kept %s", at, clockTime(k.Written, now), span(k.Keep))
	}
	return k.Written.Add(k.Keep), fmt.Sprintf("%s, written %s, kept %s", at, clockTime(k.Written, now), span(k.Keep))
}

// bySize takes records as equally large and their pace as even: what came after the oldest unread record came since its
// time, and it goes when as much has come as the topic may hold.
func (k Kept) bySize(at string, now time.Time) (time.Time, string) {
	took := now.Sub(k.Written)
	if k.KeepBytes < 0 || k.Bytes <= 0 || k.End <= k.Start || k.Oldest < k.Start || took < time.Minute {
		return time.Time{}, ""
	}
	behind := float64(k.Bytes) * float64(k.End-k.Oldest) / float64(k.End-k.Start)
	perSecond := behind / took.Seconds()
	if perSecond <= 0 {
		return time.Time{}, ""
	}
	how := fmt.Sprintf("%s with %s after it, kept up to %s, growing by %s an hour since %s", at, size(int64(behind)), size(k.KeepBytes), size(int64(perSecond*3600)), clockTime(k.Written, now))
	return now.Add(seconds((float64(k.KeepBytes) - behind) / perSecond)), how
}

func (s Slot) clocks(now time.Time) []Clock {
	whose := cmp.Or(s.Connector, "its reader")
	c := Clock{Source: s.Source, What: fmt.Sprintf("PostgreSQL throws away changes that %s has not read", whose)}
	at := fmt.Sprintf("slot %s, wal_status %s", s.Name, cmp.Or(s.Status, "not told"))
	switch {
	case s.Status == "lost":
		c.Lost, c.Until, c.What, c.How = true, s.Idle, fmt.Sprintf("PostgreSQL has thrown away changes that %s had not read: it needs a new slot and a new snapshot", whose), at
		return []Clock{c}
	case s.Status == "unreserved":
		c.Until, c.How = now, at+": the next checkpoint may remove what it needs"
		return []Clock{c}
	case s.Safe >= 0:
		c.Until, c.How = fill(s.Safe, s.PerSecond, now)
		c.How = fmt.Sprintf("%s, %s may still be written%s", at, size(s.Safe), c.How+pace(s.PerSecond, s.Since, now))
		return []Clock{c}
	case s.Retained < 0 || s.Active && s.Room < 0:
		return nil // it keeps nothing, or somebody reads it
	}
	c.What = fmt.Sprintf("the log that is kept for %s fills the disk of PostgreSQL, which then stops", whose)
	c.How = fmt.Sprintf("slot %s keeps %s without a limit, and how much room the disk has SQL does not show", s.Name, size(s.Retained))
	if s.Room >= 0 {
		c.Until, c.How = fill(s.Room, s.PerSecond, now)
		c.How = fmt.Sprintf("slot %s keeps %s without a limit, %s are free%s", s.Name, size(s.Retained), size(s.Room), c.How+pace(s.PerSecond, s.Since, now))
	}
	return []Clock{c}
}

func (s Space) clocks(now time.Time) []Clock {
	c := Clock{Source: s.Source, What: fmt.Sprintf("Cassandra refuses writes to the captured tables, because %s has not read the changes before", s.Connector)}
	if !s.Blocks {
		c.What = fmt.Sprintf("Cassandra deletes the oldest changes that %s has not read", s.Connector)
	}
	where := fmt.Sprintf("%s on %s", cmp.Or(s.Folder, "cdc_raw"), s.Node)
	switch {
	case s.Total <= 0:
		return nil
	case s.Used < 0:
		c.How = fmt.Sprintf("%s holds at most %s; how much is in it CQL does not show: look at the node", where, size(s.Total))
	case s.Used >= s.Total && !s.Blocks:
		c.Lost, c.What, c.How = true, fmt.Sprintf("Cassandra deletes changes that %s has not read", s.Connector), fmt.Sprintf("%s is full: %s", where, size(s.Total))
	case s.Used >= s.Total:
		c.Until, c.How = now, fmt.Sprintf("%s is full: %s", where, size(s.Total))
	default:
		c.Until, c.How = fill(s.Total-s.Used, s.PerSecond, now)
		c.How = fmt.Sprintf("%s holds %s of %s%s", where, size(s.Used), size(s.Total), c.How+pace(s.PerSecond, s.Since, now))
	}
	return []Clock{c}
}

// clocks: credentials that end by themselves. Those that have ended are a cause, which Diagnose weighs, and no clock.
func (l Lease) clocks(now time.Time) []Clock {
	if l.Expires.IsZero() || !l.Expires.After(now) {
		return nil
	}
	return []Clock{{What: "the credentials " + l.Name + " end", How: "unless something renews them; they end " + clockTime(l.Expires, now), Source: l.Source, Until: l.Expires}}
}

// fill is when room is used up. How fast it is used has to be known.
func fill(room int64, perSecond float64, now time.Time) (until time.Time, how string) {
	switch {
	case room <= 0:
		return now, ""
	case !(perSecond > 0): // nor is it when it is no number
		return time.Time{}, ", and how fast it fills is not known"
	}
	return now.Add(seconds(float64(room) / perSecond)), ""
}

func pace(perSecond float64, since, now time.Time) string {
	if !(perSecond > 0) {
		return ""
	}
	text := fmt.Sprintf(", growing by %s an hour", size(int64(perSecond*3600)))
	if !since.IsZero() {
		text += " on average since " + clockTime(since, now)
	}
	return text
}

// longest bounds what is computed from a pace: whatever lasts ten years does not end for an incident.
const longest = 10 * 365 * 24 * time.Hour

func seconds(n float64) time.Duration {
	return time.Duration(min(max(0, n), longest.Seconds()) * float64(time.Second))
}

// clockTime is a time of today as "20:20 UTC"; of another day with its date.
func clockTime(at, now time.Time) string {
	at = at.UTC()
	if at.Format(time.DateOnly) == now.UTC().Format(time.DateOnly) {
		return at.Format("15:04 UTC")
	}
	return at.Format("2006-01-02 15:04 UTC")
}

// size says bytes as people do: "512 B", "1.5 GiB".
func size(n int64) string {
	value, unit := float64(max(0, n)), "B"
	for _, larger := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if value < 1024 {
			break
		}
		value, unit = value/1024, larger
	}
	if unit == "B" || value >= 100 {
		return fmt.Sprintf("%.0f %s", value, unit)
	}
	return strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0") + " " + unit
}

// fewOf names the first three of a list.
func fewOf(list []string) string {
	const most = 3
	if len(list) <= most {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:most], ", "), len(list)-most)
}
