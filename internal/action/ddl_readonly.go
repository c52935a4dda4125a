package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ReadOnly says why a script is not one statement that only reads: SELECT, VALUES, TABLE, SHOW, or EXPLAIN without
// ANALYZE. It looks at the whole tree, below queries too. A READ ONLY transaction keeps everything else from writing;
// this is about what reaches out of the transaction: row locks, other sessions, files and programs of the server, and
// functions that run SQL from a string. Functions of the database's own users run with what READ ONLY allows. Errors wrap
// ErrSQL.
func ReadOnly(sql string) error {
	all, err := parseSQL(sql)
	if err != nil {
		return err
	}
	if len(all) != 1 {
		return fmt.Errorf("%w: %d statements; expected one SELECT, VALUES, TABLE, SHOW or EXPLAIN", ErrSQL, len(all))
	}
	if err := all[0].reads(); err != nil {
		return fmt.Errorf("%w: %w", ErrSQL, err)
	}
	return nil
}

func (s sqlStatement) reads() error {
	switch s.node {
	case "SelectStmt", "VariableShowStmt":
		return onlyReads(s.node, s.body)
	case "ExplainStmt":
		return s.explains()
	}
	return refused{verb(s.node), "this step only reads", "expected one SELECT, VALUES, TABLE, SHOW or EXPLAIN"}
}

// verb is the kind of a statement in SQL's words.
func verb(node string) string {
	if r, ok := refusedStatements[node]; ok {
		return r.name
	}
	return strings.TrimSuffix(node, "Stmt")
}

// explains allows EXPLAIN as long as it does not run what it explains.
func (s sqlStatement) explains() error {
	var e struct {
		Query   json.RawMessage `json:"query"`
		Options []struct {
			Option struct {
				Name string          `json:"defname"`
				Arg  json.RawMessage `json:"arg"`
			} `json:"DefElem"`
		} `json:"options"`
	}
	if err := json.Unmarshal(s.body, &e); err != nil {
		return fmt.Errorf("reading the parser's tree of EXPLAIN: %w", err)
	}
	for _, o := range e.Options {
		if strings.EqualFold(o.Option.Name, "analyze") && !off(o.Option.Arg) {
			return refused{"EXPLAIN ANALYZE", "it runs what it explains", "leave ANALYZE out"}
		}
	}
	return onlyReads("", e.Query)
}

// off says whether an option is switched off by its value.
func off(arg json.RawMessage) bool {
	var v struct {
		String struct {
			Value string `json:"sval"`
		} `json:"String"`
		Integer *struct {
			Value int `json:"ival"`
		} `json:"Integer"`
	}
	if len(arg) == 0 || json.Unmarshal(arg, &v) != nil {
		return false
	}
	return slices.Contains([]string{"false", "off"}, strings.ToLower(v.String.Value)) || v.Integer != nil && v.Integer.Value == 0
}

// onlyReads walks a tree; key is the parser's word for it.
func onlyReads(key string, body json.RawMessage) error {
	if err := forbidden(key, body); err != nil {
		return err
	}
	switch strings.TrimLeft(string(body[:min(1, len(body))]), " ") {
	case "{":
		var fields map[string]json.RawMessage
		if err := json.Unmarshal(body, &fields); err != nil {
			return fmt.Errorf("reading the parser's tree: %w", err)
		}
		for k, v := range fields {
			if err := onlyReads(k, v); err != nil {
				return err
			}
		}
	case "[":
		var items []json.RawMessage
		if err := json.Unmarshal(body, &items); err != nil {
			return fmt.Errorf("reading the parser's tree: %w", err)
		}
		for _, v := range items {
			if err := onlyReads("", v); err != nil {
				return err
			}
		}
	}
	return nil
}

// forbidden looks at one node.
func forbidden(key string, body json.RawMessage) error {
	switch {
	case key == "intoClause":
		return refused{"SELECT INTO", "it makes a table", "leave INTO out"}
	case key == "lockingClause":
		return refused{"FOR UPDATE or FOR SHARE", "it locks rows that the sink writes", "leave it out"}
	case key == "FuncCall":
		return callReads(body)
	case key == "RangeVar":
		return tableReads(body)
	case strings.HasSuffix(key, "Stmt") && key != "SelectStmt" && key != "VariableShowStmt":
		return refused{verb(key) + " inside a query", "this step only reads", "expected SELECT alone"}
	}
	return nil
}

// secretTables hold password hashes or connection strings.
var secretTables = []string{"pg_authid", "pg_shadow", "pg_user_mapping", "pg_user_mappings", "pg_subscription", "pg_foreign_server"}

func tableReads(body json.RawMessage) error {
	var t struct {
		Name string `json:"relname"`
	}
	if err := json.Unmarshal(body, &t); err != nil {
		return fmt.Errorf("reading the parser's tree: %w", err)
	}
	if slices.Contains(secretTables, t.Name) {
		return refused{"reading " + t.Name, "it holds secrets", byHand}
	}
	return nil
}

func callReads(body json.RawMessage) error {
	var call struct {
		Name []sqlName `json:"funcname"`
	}
	if err := json.Unmarshal(body, &call); err != nil || len(call.Name) == 0 {
		return errors.New("a call of a function is not understood")
	}
	name := call.Name[len(call.Name)-1].String.Value
	schema := call.Name[0].String.Value
	if len(call.Name) > 1 && schema != "pg_catalog" && schema != "public" {
		return refused{"function " + dotted(call.Name), "functions of other schemas are not known to be harmless", byHand}
	}
	if strings.HasPrefix(name, "pg_") && !harmless(name) {
		return refused{"function " + quoted(name), "it reaches the server or other sessions, or is not known to be harmless", byHand}
	}
	if slices.Contains(reachOut, name) || slices.ContainsFunc(reachOutFamilies, func(p string) bool { return strings.HasPrefix(name, p) }) {
		return refused{"function " + quoted(name), "it has effects beyond the query", byHand}
	}
	return nil
}

// harmless says whether a function pg_… only tells.
func harmless(name string) bool {
	return slices.Contains(harmlessFunctions, name) || slices.ContainsFunc(harmlessFamilies, func(p string) bool { return strings.HasPrefix(name, p) })
}

var (
	harmlessFunctions = []string{
		"pg_backend_pid", "pg_blocking_pids", "pg_char_to_encoding", "pg_client_encoding", "pg_collation_for", "pg_collation_is_visible",
		"pg_column_compression", "pg_column_size", "pg_conf_load_time", "pg_control_checkpoint", "pg_control_recovery", "pg_control_system",
		"pg_current_snapshot", "pg_current_wal_flush_lsn", "pg_current_wal_insert_lsn", "pg_current_wal_lsn", "pg_current_xact_id_if_assigned",
		"pg_database_size", "pg_describe_object", "pg_encoding_to_char", "pg_filenode_relation", "pg_function_is_visible", "pg_get_replication_slots",
		"pg_get_wal_replay_pause_state", "pg_has_role", "pg_identify_object", "pg_index_column_has_property", "pg_index_has_property",
		"pg_indexam_has_property", "pg_indexes_size", "pg_is_in_backup", "pg_is_in_recovery", "pg_is_other_temp_schema", "pg_is_wal_replay_paused",
		"pg_jit_available", "pg_last_committed_xact", "pg_last_wal_receive_lsn", "pg_last_wal_replay_lsn", "pg_last_xact_replay_timestamp",
		"pg_listening_channels", "pg_lock_status", "pg_my_temp_schema", "pg_notification_queue_usage", "pg_options_to_table", "pg_partition_ancestors",
		"pg_partition_root", "pg_partition_tree", "pg_postmaster_start_time", "pg_relation_filenode", "pg_relation_filepath",
		"pg_relation_is_publishable", "pg_relation_size", "pg_safe_snapshot_blocking_pids", "pg_sequence_last_value", "pg_sequence_parameters",
		"pg_show_all_settings", "pg_size_bytes", "pg_size_pretty", "pg_snapshot_xmax", "pg_snapshot_xmin", "pg_table_is_visible", "pg_table_size",
		"pg_tablespace_databases", "pg_tablespace_location", "pg_tablespace_size", "pg_total_relation_size", "pg_trigger_depth",
		"pg_type_is_visible", "pg_typeof", "pg_visible_in_snapshot", "pg_wal_lsn_diff", "pg_walfile_name", "pg_walfile_name_offset",
		"pg_xact_commit_timestamp", "pg_xact_status",
	}
	harmlessFamilies = []string{
		"pg_get_expr", "pg_get_indexdef", "pg_get_constraintdef", "pg_get_viewdef", "pg_get_triggerdef", "pg_get_ruledef", "pg_get_functiondef",
		"pg_get_function_", "pg_get_keywords", "pg_get_partkeydef", "pg_get_partition_constraintdef", "pg_get_serial_sequence", "pg_get_statisticsobjdef",
		"pg_get_userbyid", "pg_get_publication_tables", "pg_stat_get_",
	}
	// reachOut are functions of PostgreSQL and its extensions that change settings, lock, or run SQL from a string.
	reachOut = []string{
		"set_config", "nextval", "setval", "loread", "lowrite", "query_to_xml", "query_to_xmlschema", "query_to_xml_and_xmlschema",
		"cursor_to_xml", "cursor_to_xmlschema", "ts_stat", "ts_rewrite", "xpath_table", "connectby", "gin_clean_pending_list",
		"txid_current",
	}
	reachOutFamilies = []string{
		"lo_", "dblink", "crosstab", "http", "brin_summarize", "brin_desummarize", "binary_upgrade_", "database_to_xml", "schema_to_xml",
		"table_to_xml", "postgres_fdw_", "file_fdw_", "autoprewarm", "ri_fkey_",
	}
)
