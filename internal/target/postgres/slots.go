package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// Slot is a replication slot: the promise of the server to keep its log until a reader has seen it. Sources that read
// PostgreSQL have one each.
type Slot struct {
	Name      string
	Plugin    string    // of a logical slot, such as "pgoutput"; "" for a physical one
	Database  string    // of a logical slot
	Active    bool      // somebody reads it now
	Status    string    // "reserved", "extended", "unreserved" or "lost"; "" for a slot that keeps nothing, and before PostgreSQL 13
	Safe      int64     // bytes that may still be written until the slot may be lost; -1 when nothing limits it, or nobody knows
	Retained  int64     // bytes of the log that are kept for it; -1 when it keeps none
	Limit     int64     // max_slot_wal_keep_size in bytes; -1 without one, when only the disk is the end
	Idle      time.Time // since when nobody reads it, since PostgreSQL 17; zero when somebody does, or nobody knows
	Invalid   string    // why the server has given it up, since PostgreSQL 17: "wal_removed", "idle_timeout"; "" otherwise
	PerSecond float64   // bytes that the server wrote to its log, on average since Since; 0 when not known
	Since     time.Time // zero when PerSecond is not known
}

// Slots lists the replication slots of the server, by name. Every role may see them; what an older server does not tell is
// left empty. How much room the disk has, SQL does not show. Errors are *Error.
func (c *Client) Slots(ctx context.Context) ([]Slot, error) {
	var list []Slot
	err := c.look(ctx, "replication slots", func(ctx context.Context, tx pgx.Tx) error {
		rows, err := tx.Query(ctx, slotsQuery)
		if err != nil {
			return err
		}
		list, err = pgx.CollectRows(rows, slot)
		if err != nil || len(list) == 0 {
			return err
		}
		return pace(ctx, tx, list)
	})
	if err != nil {
		return nil, err
	}
	return list, nil
}

// slotsQuery reads columns through JSON where only newer servers have them: wal_status and safe_wal_size came with
// PostgreSQL 13, inactive_since and invalidation_reason with 17. A standby has no current position of its own.
const slotsQuery = `
SELECT s.slot_name, coalesce(s.plugin, ''), coalesce(s.database, ''), s.active,
       coalesce(j ->> 'wal_status', ''), coalesce((j ->> 'safe_wal_size')::bigint, -1),
       CASE WHEN s.restart_lsn IS NULL OR here.at IS NULL THEN -1 ELSE greatest(pg_wal_lsn_diff(here.at, s.restart_lsn), 0)::bigint END,
       coalesce((SELECT CASE WHEN setting::bigint < 0 THEN -1 ELSE setting::bigint * 1048576 END
                 FROM pg_settings WHERE name = 'max_slot_wal_keep_size'), -1),
       (j ->> 'inactive_since')::timestamptz, coalesce(j ->> 'invalidation_reason', '')
FROM pg_replication_slots s, to_jsonb(s) j,
     (SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_receive_lsn() ELSE pg_current_wal_lsn() END) here (at)
ORDER BY s.slot_name`

func slot(row pgx.CollectableRow) (Slot, error) {
	var s Slot
	var idle *time.Time
	err := row.Scan(&s.Name, &s.Plugin, &s.Database, &s.Active, &s.Status, &s.Safe, &s.Retained, &s.Limit, &idle, &s.Invalid)
	if idle != nil {
		s.Idle = *idle
	}
	return s, err
}

// pace fills in how fast the log grows. Before PostgreSQL 14 no view tells it.
func pace(ctx context.Context, tx pgx.Tx, list []Slot) error {
	var known bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass('pg_catalog.pg_stat_wal') IS NOT NULL").Scan(&known); err != nil || !known {
		return err
	}
	var perSecond float64
	var since *time.Time
	if err := tx.QueryRow(ctx, paceQuery).Scan(&perSecond, &since); err != nil || since == nil {
		return err
	}
	for i := range list {
		list[i].PerSecond, list[i].Since = perSecond, *since
	}
	return nil
}

// paceQuery divides by a second at least.
const paceQuery = `
SELECT (wal_bytes / greatest(extract(epoch FROM clock_timestamp() - stats_reset), 1))::float8, stats_reset
FROM pg_stat_wal`
