package cassandra

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"cdcbot/internal/lab"
)

// The settings as each version of Cassandra names them.
func TestSettled(t *testing.T) {
	for _, row := range []struct {
		name string
		in   map[string]string
		want CDC
	}{
		{"5.0", map[string]string{"cdc_enabled": "true", "cdc_total_space": "256MiB", "cdc_total_space_in_mb": "256", "cdc_block_writes": "true", "commitlog_segment_size": "4MiB", "cdc_raw_directory": "/cdc"},
			CDC{Enabled: true, Directory: "/cdc", Space: 256 << 20, Segment: 4 << 20, Blocks: true}},
		{"the oldest is dropped", map[string]string{"cdc_enabled": "true", "cdc_total_space": "1GiB", "cdc_block_writes": "false"}, CDC{Enabled: true, Space: 1 << 30}},
		{"4.0", map[string]string{"cdc_enabled": "true", "cdc_total_space_in_mb": "4096", "commitlog_segment_size_in_mb": "32"},
			CDC{Enabled: true, Space: 4 << 30, Segment: 32 << 20, Blocks: true}},
		{"off", map[string]string{"cdc_enabled": "false", "cdc_total_space": "0MiB"}, CDC{Blocks: true}},
		{"small units", map[string]string{"cdc_total_space": "1024KiB", "commitlog_segment_size": "100B"}, CDC{Space: 1 << 20, Segment: 100, Blocks: true}},
		{"odd", map[string]string{"cdc_total_space": "9223372036854775807GiB", "cdc_total_space_in_mb": "-1", "commitlog_segment_size": "NULL"}, CDC{Blocks: true}},
		{"nothing", nil, CDC{Blocks: true}},
	} {
		if diff := cmp.Diff(row.want, settled(row.in)); diff != "" {
			t.Errorf("%s: %s", row.name, diff)
		}
	}
}

// TestCDC asks the lab's node, as a role that may see the settings and as one that may not.
func TestCDC(t *testing.T) {
	host := lab.Require(t, lab.Cassandra).Cassandra
	execute(t, superuser(t, host), "CREATE ROLE IF NOT EXISTS cdc_looker WITH PASSWORD = 'looker' AND LOGIN = true",
		"GRANT SELECT ON system_views.settings TO cdc_looker")
	t.Cleanup(func() { execute(t, superuser(t, host), "DROP ROLE IF EXISTS cdc_looker") })
	looker := mustNew(t, Options{Hosts: []string{host}, Username: "cdc_looker", Password: "looker"})
	got, err := looker.CDC(t.Context())
	want := CDC{Node: host, Enabled: true, Space: 256 << 20, Segment: 4 << 20, Blocks: true, Tables: []string{"warehouse.orders", "warehouse.users"}}
	if diff := cmp.Diff(want, got, cmpopts.IgnoreFields(CDC{}, "Directory")); err != nil || diff != "" {
		t.Errorf("CDC: %v: %s", err, diff)
	}
	if !strings.HasSuffix(got.Directory, "/cdc_raw") {
		t.Errorf("directory: got %q", got.Directory)
	}
	_, err = bot(t, host).CDC(t.Context())
	check(t, err, Denied, "settings of the change log: Cassandra at "+host+" denies the permission")
}

func TestCDCUnreachable(t *testing.T) {
	_, err := mustNew(t, Options{Hosts: []string{"127.0.0.1:1"}}).CDC(t.Context())
	check(t, err, Refused, "settings of the change log")
}
