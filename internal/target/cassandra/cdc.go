package cassandra

import (
	"context"
	"maps"
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/gocql/gocql"
)

// CDC is what one node tells of its change log: segments of the commit log that stay in a folder until the source
// connector on that node has read and deleted them. CQL tells how much may stay there, not how much does: the size of
// the folder, and so how fast it fills, has to be looked up on the node itself.
type CDC struct {
	Node      string // the one that answered; another may be configured otherwise
	Enabled   bool   // cdc_enabled: without it nothing is captured
	Directory string // cdc_raw_directory
	Space     int64  // cdc_total_space in bytes; 0 when the node does not tell
	Segment   int64  // bytes of a segment of the commit log: what is freed, or captured, at once; 0 when not told
	// Blocks is cdc_block_writes: when the folder is full, writes to the tables below are refused. Without it, which
	// Cassandra knows since 4.1, the oldest changes are deleted instead, read or not.
	Blocks bool
	Tables []string // those with cdc = true, as keyspace.table, sorted
}

// CDC asks one node for its settings, of Cassandra 4.0 and later, and for the tables that it captures. The role needs
// SELECT on system_views.settings. Errors are *Error: with reason Denied without that right, and Missing before 4.0.
func (c *Client) CDC(ctx context.Context) (CDC, error) {
	var found CDC
	err := c.look(ctx, "settings of the change log", func(ctx context.Context, s *gocql.Session) error {
		node, settings, err := readSettings(ctx, s)
		if err != nil {
			return err
		}
		found = settled(settings)
		found.Node = node
		found.Tables, err = captured(ctx, s)
		return err
	})
	if err != nil {
		return CDC{}, err
	}
	return found, nil
}

// settingsQuery reads the whole table, some hundred rows that the node makes up in memory: which names it knows depends on
// its version.
const settingsQuery = "SELECT name, value FROM system_views.settings"

func readSettings(ctx context.Context, s *gocql.Session) (node string, settings map[string]string, err error) {
	settings = map[string]string{}
	iter := s.Query(readMark + settingsQuery).WithContext(ctx).Iter()
	if host := iter.Host(); host != nil {
		node = host.ConnectAddressAndPort()
	}
	for name, value := "", ""; iter.Scan(&name, &value); {
		if strings.HasPrefix(name, "cdc_") || strings.HasPrefix(name, "commitlog_segment_size") {
			settings[name] = value
		}
	}
	return node, settings, iter.Close()
}

// settled reads the settings under the names of 4.1 and later, which have units ("256MiB"), and of 4.0, which have none.
func settled(settings map[string]string) CDC {
	c := CDC{Enabled: settings["cdc_enabled"] == "true", Directory: settings["cdc_raw_directory"]}
	c.Blocks = settings["cdc_block_writes"] != "false"
	c.Space = size(settings["cdc_total_space"], settings["cdc_total_space_in_mb"])
	c.Segment = size(settings["commitlog_segment_size"], settings["commitlog_segment_size_in_mb"])
	return c
}

// units are those of Cassandra's data sizes.
var units = map[string]int64{"B": 1, "KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30}

// size is a setting in bytes; 0 when neither form of it is one.
func size(withUnit, mebibytes string) int64 {
	for unit, factor := range units {
		digits, ok := strings.CutSuffix(withUnit, unit)
		if n, err := strconv.ParseInt(digits, 10, 64); ok && err == nil && n > 0 && n <= math.MaxInt64/factor {
			return n * factor
		}
	}
	if n, err := strconv.ParseInt(mebibytes, 10, 64); err == nil && n > 0 && n <= math.MaxInt64>>20 {
		return n << 20
	}
	return 0
}

// captured are the tables whose changes are kept for a reader.
func captured(ctx context.Context, s *gocql.Session) ([]string, error) {
	found := map[string]bool{}
	iter := s.Query(readMark + "SELECT keyspace_name, table_name, cdc FROM system_schema.tables").WithContext(ctx).Iter()
	var keyspace, table string
	var cdc bool
	for iter.Scan(&keyspace, &table, &cdc) {
		if cdc {
			found[keyspace+"."+table] = true
		}
	}
	return slices.Sorted(maps.Keys(found)), iter.Close()
}
