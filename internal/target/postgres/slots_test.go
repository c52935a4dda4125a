package postgres

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/lab"
)

// Slots on a real server of our own: kept, then in danger, then lost.
func TestSlots(t *testing.T) {
	db := startServer(t)
	db.exec(t, "CREATE ROLE looker LOGIN PASSWORD 'right'")
	c := db.client(t, "looker", "right")
	if list, err := c.Slots(t.Context()); err != nil || len(list) != 0 {
		t.Fatalf("without slots: got %+v, %v", list, err)
	}
	db.exec(t, "SELECT pg_create_physical_replication_slot('b_kept', true)", "SELECT pg_create_physical_replication_slot('a_new')",
		"CREATE TABLE filled AS SELECT repeat('x', 1000) FROM generate_series(1, 5000)")
	list, err := c.Slots(t.Context())
	if err != nil || len(list) != 2 {
		t.Fatalf("got %+v, %v; want two slots", list, err)
	}
	if s := list[0]; s.Name != "a_new" || s.Retained != -1 || s.Status != "" || s.Safe != -1 {
		t.Errorf("a slot that keeps nothing yet: got %+v", s)
	}
	s := list[1]
	if s.Name != "b_kept" || s.Active || s.Plugin != "" || s.Status != "reserved" || s.Safe != -1 || s.Limit != -1 || s.Retained < 1<<20 || s.Retained > 1<<30 {
		t.Errorf("without a limit: got %+v", s)
	}
	if s.PerSecond <= 0 || time.Since(s.Since) > time.Hour || time.Since(s.Since) < 0 {
		t.Errorf("pace: got %f bytes a second since %v", s.PerSecond, s.Since)
	}
	db.exec(t, "ALTER SYSTEM SET max_slot_wal_keep_size = '32MB'", "SELECT pg_reload_conf()")
	lab.Await(t, "the new limit", time.Minute, db.slot(c, func(s Slot) bool { return s.Limit == 32<<20 && s.Safe > 0 && s.Status == "reserved" }))
	for range 6 { // segments of 16 MB
		db.exec(t, "INSERT INTO filled VALUES ('y')", "SELECT pg_switch_wal()")
	}
	lab.Await(t, "a slot in danger", time.Minute, db.slot(c, func(s Slot) bool { return s.Status == "unreserved" && s.Safe <= 0 && s.Retained > 32<<20 }))
	db.exec(t, "CHECKPOINT")
	lab.Await(t, "a lost slot", time.Minute, db.slot(c, func(s Slot) bool { return s.Status == "lost" && s.Retained == -1 }))
}

// slot looks until the slot b_kept is as it should be.
func (s *server) slot(c *Client, is func(Slot) bool) func(ctx context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		list, err := c.Slots(ctx)
		if err != nil || len(list) != 2 {
			return false, err
		}
		return is(list[1]), nil
	}
}

func TestSlotsOfTheLab(t *testing.T) {
	at := lab.Require(t, lab.Postgres).Postgres
	if _, err := mustNew(t, Options{URL: at}).Slots(t.Context()); err != nil {
		t.Error(err)
	}
}

func TestSlotsUnreachable(t *testing.T) {
	_, err := mustNew(t, Options{URL: "postgres://x@127.0.0.1:1/x"}).Slots(t.Context())
	var told *Error
	if !errors.As(err, &told) || told.Reason() != Refused || !strings.HasPrefix(err.Error(), "replication slots: ") {
		t.Errorf("got %v", err)
	}
}
