package diagnosis

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// ago is a time before noon.
func ago(d time.Duration) time.Time { return noon.Add(-d) }

const day = 24 * time.Hour

// partition is orders/0, of which warehouse has not read ten records; the oldest is 1234, of 6 days 20 h 20 min ago.
func partition(change func(*Kept)) Kept {
	k := Kept{
		Connector: "warehouse", Topic: "orders", Committed: 1234, Start: 1000, End: 1244, Oldest: 1234, Written: ago(6*day + 20*time.Hour + 20*time.Minute),
		Policy: "delete", Keep: 7 * day, KeepBytes: -1, Bytes: -1, Source: "Kafka",
	}
	if change != nil {
		change(&k)
	}
	return k
}

// What Kafka keeps, said as a clock.
func TestKeptClocks(t *testing.T) {
	const deletes = "until Kafka deletes the oldest record that warehouse has not read"
	rows := []struct {
		name string
		kept []Kept
		want []string
	}{
		{"the usual", []Kept{partition(nil)}, []string{"about 3 h 40 min " + deletes + " (orders/0 at 1234, written 2026-11-16 15:40 UTC, kept 7 days)"}},
		{"written today", []Kept{partition(func(k *Kept) { k.Written, k.Keep = ago(time.Hour), 2*time.Hour })}, []string{"about 1 h " + deletes + " (orders/0 at 1234, written 11:00 UTC, kept 2 h)"}},
		{"overdue", []Kept{partition(func(k *Kept) { k.Keep = day })}, []string{"at any moment Kafka deletes the oldest record that warehouse has not read (orders/0 at 1234, written 2026-11-16 15:40 UTC, kept 24 h)"}},
		{"kept for no time", []Kept{partition(func(k *Kept) { k.Keep = 0 })}, []string{"at any moment Kafka deletes"}},
		{"kept for ever", []Kept{partition(func(k *Kept) { k.Keep = -1 })}, nil},
		{"compacted", []Kept{partition(func(k *Kept) { k.Policy = "compact" })}, nil},
		{"compacted and deleted", []Kept{partition(func(k *Kept) { k.Policy = "compact,delete" })}, []string{"about 3 h 40 min"}},
		{"neither", []Kept{partition(func(k *Kept) { k.Policy = "" })}, nil},
		{"empty", []Kept{partition(func(k *Kept) { k.Committed, k.Start, k.End, k.Oldest, k.Written = 0, 0, 0, -1, time.Time{} })}, nil},
		{"nothing is committed", []Kept{partition(func(k *Kept) { k.Committed, k.Oldest = -1, 1000 })}, []string{"about 3 h 40 min " + deletes + " (orders/0 at 1000,"}},
		{"the producer's clock is ahead", []Kept{partition(func(k *Kept) { k.Written = noon.Add(30 * day) })}, []string{"about 7 days " + deletes + " (orders/0 at 1234, which says that it was written 2026-12-23 12:00 UTC, in the future, kept 7 days)"}},
		{"a little ahead", []Kept{partition(func(k *Kept) { k.Written = noon.Add(10 * time.Second) })}, []string{"about 7 days " + deletes + " (orders/0 at 1234, written 12:00 UTC, kept 7 days)"}},
		{"no time", []Kept{partition(func(k *Kept) { k.Written, k.Unknown = time.Time{}, "its records carry no time" })}, []string{"nobody can tell when Kafka deletes the oldest record that warehouse has not read (orders/0: its records carry no time)"}},
		{"no configuration", []Kept{partition(func(k *Kept) { k.Policy, k.Unknown = "", "its configuration is not shown" })}, []string{"nobody can tell when Kafka deletes the oldest record that warehouse has not read (orders/0: its configuration is not shown)"}},
		{"lost", []Kept{partition(func(k *Kept) { k.Committed, k.Start, k.Oldest, k.Keep = 1000, 1120, 1120, 7*day })}, []string{
			"data is lost already: Kafka has deleted up to 120 records that warehouse had not read (orders/0 from 1000 to 1119, written before 2026-11-16 15:40 UTC)",
			"about 3 h 40 min " + deletes + " (orders/0 at 1120,"}},
		{"all of it lost", []Kept{partition(func(k *Kept) {
			k.Committed, k.Start, k.End, k.Oldest, k.Written = 1243, 1244, 1244, -1, time.Time{}
		})}, []string{"data is lost already: Kafka has deleted up to 1 record that warehouse had not read (orders/0 from 1243 to 1243)"}},
		{"a compacted topic that begins later", []Kept{partition(func(k *Kept) { k.Policy, k.Committed = "compact", 1 })}, nil},
		{"lost, and the policy is not known", []Kept{partition(func(k *Kept) { k.Policy, k.Unknown, k.Committed = "", "denied", 1 })}, []string{"data is lost already: Kafka has deleted up to 999 records", "nobody can tell when"}},
		{"many partitions are one clock", []Kept{
			partition(func(k *Kept) { k.Partition, k.Written = 3, ago(time.Hour) }), partition(nil), partition(func(k *Kept) { k.Partition, k.Unknown, k.Written = 2, "no record came", time.Time{} }),
			partition(func(k *Kept) { k.Topic = "users" }),
		}, []string{
			"about 3 h 40 min " + deletes + " (orders/0 at 1234, written 2026-11-16 15:40 UTC, kept 7 days; 1 more of its partitions follow)",
			"about 3 h 40 min " + deletes + " (users/0", "nobody can tell when Kafka deletes the oldest record that warehouse has not read (orders/2: no record came)"}},
		{"many partitions are one loss", []Kept{
			partition(func(k *Kept) { k.Committed, k.Keep = 900, -1 }), partition(func(k *Kept) { k.Partition, k.Committed, k.Keep = 1, 900, -1 }),
			partition(func(k *Kept) { k.Partition, k.Committed, k.Keep = 2, 900, -1 }), partition(func(k *Kept) { k.Partition, k.Committed, k.Keep, k.Written = 3, 900, -1, time.Time{} }),
		}, []string{"data is lost already: Kafka has deleted up to 400 records that warehouse had not read (orders/0 from 900 to 999, orders/1 from 900 to 999, orders/2 from 900 to 999 and 1 more)"}},
		{"by size", []Kept{partition(func(k *Kept) { // half of 1000 bytes in an hour, 1500 may stay: two hours more
			k.Keep, k.KeepBytes, k.Bytes, k.Start, k.Oldest, k.End, k.Written = -1, 1500, 1000, 0, 50, 100, ago(time.Hour)
		})}, []string{"about 2 h " + deletes + " (orders/0 at 50 with 500 B after it, kept up to 1.5 KiB, growing by 500 B an hour since 11:00 UTC)"}},
		{"by size, later than by age", []Kept{partition(func(k *Kept) {
			k.Keep, k.KeepBytes, k.Bytes, k.Start, k.Oldest, k.End, k.Written = 90*time.Minute, 1500, 1000, 0, 50, 100, ago(time.Hour)
		})}, []string{"about 30 min " + deletes}},
		{"by size, over it", []Kept{partition(func(k *Kept) {
			k.KeepBytes, k.Bytes, k.Start, k.Oldest, k.End, k.Written = 100, 1000, 0, 50, 100, ago(time.Hour)
		})}, []string{"at any moment Kafka deletes"}},
		{"by size, which is not known", []Kept{partition(func(k *Kept) { k.Keep, k.KeepBytes = -1, 1<<30 })}, []string{"nobody can tell when Kafka deletes the oldest record that warehouse has not read (orders/0 at 1234, limited to 1 GiB, and how fast it grows is not known)"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { says(t, clocks(Bounds{Kept: row.kept}, nil, noon), row.want) })
	}
}

// says compares the beginnings of sentences.
func says(t *testing.T, list []Clock, want []string) {
	t.Helper()
	var got []string
	for _, c := range list {
		got = append(got, c.Say(noon))
	}
	if len(got) != len(want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range got {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got\n%q, want\n%q", got[i], want[i])
		}
	}
}

func TestOtherClocks(t *testing.T) {
	kept := Slot{Connector: "orders-source", Name: "debezium", Status: "reserved", Safe: -1, Retained: 5 << 30, Room: -1, Source: "PostgreSQL"}
	slot := func(change func(*Slot)) Bounds {
		s := kept
		change(&s)
		return Bounds{Slots: []Slot{s}}
	}
	raw := Space{Connector: "users-source", Node: "cas-1", Folder: "/cdc_raw", Total: 4 << 30, Used: 1 << 30, Blocks: true, Source: "Cassandra"}
	space := func(change func(*Space)) Bounds {
		s := raw
		change(&s)
		return Bounds{Spaces: []Space{s}}
	}
	rows := []struct {
		name   string
		bounds Bounds
		leases []Lease
		want   []string
	}{
		{"nothing", Bounds{}, nil, nil},
		{"a slot with a limit", slot(func(s *Slot) { s.Safe, s.PerSecond, s.Since = 1<<30, float64(1<<30)/7200, ago(2*day) }), nil,
			[]string{"about 2 h until PostgreSQL throws away changes that orders-source has not read (slot debezium, wal_status reserved, 1 GiB may still be written, growing by 512 MiB an hour on average since 2026-11-21 12:00 UTC)"}},
		{"a slot whose pace is not known", slot(func(s *Slot) { s.Safe, s.Connector = 1<<30, "" }), nil,
			[]string{"nobody can tell when PostgreSQL throws away changes that its reader has not read (slot debezium, wal_status reserved, 1 GiB may still be written, and how fast it fills is not known)"}},
		{"a slot that is used up", slot(func(s *Slot) { s.Status, s.Safe, s.PerSecond = "extended", 0, 1 }), nil, []string{"at any moment PostgreSQL throws away"}},
		{"a slot in danger", slot(func(s *Slot) { s.Status, s.Safe = "unreserved", -5 }), nil,
			[]string{"at any moment PostgreSQL throws away changes that orders-source has not read (slot debezium, wal_status unreserved: the next checkpoint may remove what it needs)"}},
		{"a lost slot", slot(func(s *Slot) { s.Status, s.Retained, s.Idle = "lost", -1, ago(time.Hour) }), nil,
			[]string{"data is lost since 11:00 UTC: PostgreSQL has thrown away changes that orders-source had not read: it needs a new slot and a new snapshot (slot debezium, wal_status lost)"}},
		{"a lost slot of an older server", slot(func(s *Slot) { s.Status = "lost" }), nil, []string{"data is lost already: PostgreSQL has thrown away"}},
		{"no limit, somebody reads", slot(func(s *Slot) { s.Active = true }), nil, nil},
		{"no limit, it keeps nothing", slot(func(s *Slot) { s.Retained, s.Status = -1, "" }), nil, nil},
		{"no limit, nobody reads", slot(func(*Slot) {}), nil,
			[]string{"nobody can tell when the log that is kept for orders-source fills the disk of PostgreSQL, which then stops (slot debezium keeps 5 GiB without a limit, and how much room the disk has SQL does not show)"}},
		{"no limit, but a disk", slot(func(s *Slot) { s.Room, s.PerSecond = 100<<20, float64(100<<20)/600 }), nil,
			[]string{"about 10 min until the log that is kept for orders-source fills the disk of PostgreSQL, which then stops (slot debezium keeps 5 GiB without a limit, 100 MiB are free, growing by 600 MiB an hour)"}},
		{"a full disk", slot(func(s *Slot) { s.Room, s.PerSecond = 0, 1 }), nil, []string{"at any moment the log that is kept"}},
		{"a folder that fills", space(func(s *Space) { s.PerSecond = float64(3<<30) / (3 * 3600) }), nil,
			[]string{"about 3 h until Cassandra refuses writes to the captured tables, because users-source has not read the changes before (/cdc_raw on cas-1 holds 1 GiB of 4 GiB, growing by 1 GiB an hour)"}},
		{"a folder whose size is not known", space(func(s *Space) { s.Used, s.Folder = -1, "" }), nil,
			[]string{"nobody can tell when Cassandra refuses writes to the captured tables, because users-source has not read the changes before (cdc_raw on cas-1 holds at most 4 GiB; how much is in it CQL does not show: look at the node)"}},
		{"a folder that nobody knows anything of", space(func(s *Space) { s.Total = 0 }), nil, nil},
		{"a folder whose pace is not known", space(func(*Space) {}), nil, []string{"nobody can tell when Cassandra refuses"}},
		{"a full folder", space(func(s *Space) { s.Used = 5 << 30 }), nil, []string{"at any moment Cassandra refuses writes"}},
		{"a full folder that forgets", space(func(s *Space) { s.Used, s.Blocks = 4<<30, false }), nil, []string{"data is lost already: Cassandra deletes changes that users-source has not read (/cdc_raw on cas-1 is full: 4 GiB)"}},
		{"credentials", Bounds{}, []Lease{{"database/creds/sink", noon.Add(40 * time.Minute), "Vault"}, {"ended", ago(time.Minute), "Vault"}, {"no end", time.Time{}, "Vault"}},
			[]string{"about 40 min until the credentials database/creds/sink end (unless something renews them; they end 12:40 UTC)"}},
		{"in order", Bounds{Kept: []Kept{partition(nil)}, Slots: []Slot{kept, {Connector: "b", Status: "lost"}}, Spaces: []Space{raw}}, []Lease{{"sink", noon.Add(time.Hour), "Vault"}},
			[]string{"data is lost already: PostgreSQL", "about 1 h until the credentials", "about 3 h 40 min until Kafka", "nobody can tell when Cassandra", "nobody can tell when the log"}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) { says(t, clocks(row.bounds, row.leases, noon), row.want) })
	}
}

func TestSayFirst(t *testing.T) {
	dark := Clock{What: "Kafka deletes", How: "denied"}
	for want, list := range map[string][]Clock{
		"no clock known": nil,
		"no clock known: nobody can tell when Kafka deletes (denied)": {dark},
		"about 1 h until it ends (said so)":                           {{What: "it ends", How: "said so", Until: noon.Add(time.Hour)}, dark},
	} {
		if got := sayFirst(list, noon); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	if text, err := json.Marshal(dark); err != nil || string(text) != `{"what":"Kafka deletes","how":"denied"}` {
		t.Errorf("got %s, %v", text, err)
	}
}

// Whatever the numbers: no panic, losses first, moments in order, what nobody can tell last, and each says something.
func TestClocksInOrder(t *testing.T) {
	number := rapid.OneOf(rapid.Int64(), rapid.Int64Range(-2, 2000))
	at := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(-1, 4e12).Draw(t, "ms")).UTC()
	})
	rapid.Check(t, func(t *rapid.T) {
		var b Bounds
		for range rapid.IntRange(0, 4).Draw(t, "partitions") {
			b.Kept = append(b.Kept, Kept{
				Connector: "a", Topic: "t", Committed: number.Draw(t, "committed"), Start: number.Draw(t, "start"), End: number.Draw(t, "end"), Oldest: number.Draw(t, "oldest"),
				Written: at.Draw(t, "written"), Policy: rapid.SampledFrom([]string{"delete", "compact", ""}).Draw(t, "policy"),
				Keep: time.Duration(number.Draw(t, "keep")), KeepBytes: number.Draw(t, "keepBytes"), Bytes: number.Draw(t, "bytes"),
			})
		}
		b.Slots = []Slot{{Safe: number.Draw(t, "safe"), Retained: 1, Room: number.Draw(t, "room"), PerSecond: rapid.Float64().Draw(t, "pace")}}
		b.Spaces = []Space{{Total: number.Draw(t, "total"), Used: number.Draw(t, "used"), PerSecond: rapid.Float64().Draw(t, "pace"), Since: at.Draw(t, "since")}}
		list := clocks(b, []Lease{{"l", at.Draw(t, "expires"), ""}}, noon)
		if !slices.IsSortedFunc(list, func(a, b Clock) int { return rank(a) - rank(b) }) {
			t.Fatalf("got %+v", list)
		}
		timed := slices.DeleteFunc(slices.Clone(list), func(c Clock) bool { return rank(c) != 1 })
		if !slices.IsSortedFunc(timed, func(a, b Clock) int { return a.Until.Compare(b.Until) }) {
			t.Fatalf("got %+v", timed)
		}
		for _, c := range list {
			if said := c.Say(noon); c.What == "" || c.How == "" || strings.Contains(said, "%!") {
				t.Fatalf("got %q", said)
			}
		}
	})
}
