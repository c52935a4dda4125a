package action

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	pgquery "github.com/pganalyze/pg_query_go/v6"
	parser "github.com/wasilibs/go-pgquery"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// ErrSQL is wrapped when SQL is not one of the few things that the bot does.
var ErrSQL = errors.New("refused")

// TableChange is one change of a table that ParseDDL allows.
type TableChange struct {
	Table     string // as written, with its schema
	Column    string
	What      string // a sentence for people: "Adds the column new_column (varchar(255)) to cdc_users."
	Statement string // the whole statement that it is a part of, as written
}

// maxSQL bounds a script in bytes.
const maxSQL = 64 << 10

// ParseDDL reads a script with PostgreSQL's own parser and lists the changes it makes. Only columns that are added, and
// types, defaults and NOT NULLs of columns that are relaxed, are allowed; everything else is an error that wraps ErrSQL
// and names the statement. The first call compiles the parser, which takes a second or two.
func ParseDDL(sql string) ([]TableChange, error) {
	tree, err := parsed(sql)
	if err != nil {
		return nil, err
	}
	var changes []TableChange
	for i, raw := range tree.Stmts {
		text := source(sql, raw)
		more, err := alteration(raw.Stmt.GetAlterTableStmt(), text)
		if err == nil {
			err = harmless(raw.Stmt)
		}
		if err != nil {
			return nil, fmt.Errorf("statement %d of %d: %w", i+1, len(tree.Stmts), err)
		}
		changes = append(changes, more...)
	}
	if len(changes) == 0 {
		return nil, fmt.Errorf("%w: the script has no statement", ErrSQL)
	}
	return changes, nil
}

func parsed(sql string) (*pgquery.ParseResult, error) {
	if len(sql) > maxSQL {
		return nil, fmt.Errorf("%w: the script has %d bytes, expected at most %d", ErrSQL, len(sql), maxSQL)
	}
	tree, err := parser.Parse(sql)
	if err != nil {
		return nil, fmt.Errorf("%w: PostgreSQL's parser says: %w", ErrSQL, err)
	}
	return tree, nil
}

// source is a statement as it was written.
func source(sql string, raw *pgquery.RawStmt) string {
	begin := min(int(raw.StmtLocation), len(sql))
	end := len(sql)
	if raw.StmtLen > 0 {
		end = min(begin+int(raw.StmtLen), len(sql))
	}
	return strings.TrimSpace(strings.Trim(sql[begin:end], "; \n\t"))
}

const insteadBy = "a person does that: the bot adds columns, changes their types and relaxes their rules"

func alteration(s *pgquery.AlterTableStmt, text string) ([]TableChange, error) {
	switch {
	case s == nil:
		return nil, fmt.Errorf("%w: it is no ALTER TABLE; %s", ErrSQL, insteadBy)
	case s.Objtype != pgquery.ObjectType_OBJECT_TABLE || s.Relation == nil:
		return nil, fmt.Errorf("%w: it alters something else than a table; %s", ErrSQL, insteadBy)
	}
	table := s.Relation.Relname
	if s.Relation.Schemaname != "" {
		table = s.Relation.Schemaname + "." + table
	}
	var changes []TableChange
	for _, node := range s.Cmds {
		cmd := node.GetAlterTableCmd()
		say, ok := allowed[cmd.GetSubtype()]
		if cmd == nil || !ok || cmd.Behavior == pgquery.DropBehavior_DROP_CASCADE {
			return nil, fmt.Errorf("%w: %s of %s is not allowed; %s", ErrSQL, subtype(cmd), table, insteadBy)
		}
		column, what, err := say(cmd, table)
		if err != nil {
			return nil, err
		}
		changes = append(changes, TableChange{Table: table, Column: column, What: what, Statement: text})
	}
	return changes, nil
}

func subtype(cmd *pgquery.AlterTableCmd) string {
	return strings.TrimPrefix(cmd.GetSubtype().String(), "AT_")
}

// allowed are the parts of ALTER TABLE that lose nothing.
var allowed = map[pgquery.AlterTableType]func(cmd *pgquery.AlterTableCmd, table string) (column, what string, err error){
	pgquery.AlterTableType_AT_AddColumn: addColumn,
	pgquery.AlterTableType_AT_AlterColumnType: func(cmd *pgquery.AlterTableCmd, table string) (string, string, error) {
		to := typeName(cmd.Def.GetColumnDef())
		return cmd.Name, fmt.Sprintf("Changes the type of %s of %s to %s; PostgreSQL may rewrite the table, which is locked meanwhile.", cmd.Name, table, to), nil
	},
	pgquery.AlterTableType_AT_DropNotNull: func(cmd *pgquery.AlterTableCmd, table string) (string, string, error) {
		return cmd.Name, fmt.Sprintf("Allows %s of %s to be null.", cmd.Name, table), nil
	},
	pgquery.AlterTableType_AT_ColumnDefault: func(cmd *pgquery.AlterTableCmd, table string) (string, string, error) {
		if cmd.Def == nil {
			return cmd.Name, fmt.Sprintf("Takes the default of %s of %s away.", cmd.Name, table), nil
		}
		return cmd.Name, fmt.Sprintf("Changes the default of %s of %s.", cmd.Name, table), nil
	},
}

// addColumn allows a column with a constant default; NOT NULL needs one, because the rows that are there have no value.
func addColumn(cmd *pgquery.AlterTableCmd, table string) (column, what string, err error) {
	def := cmd.Def.GetColumnDef()
	if def == nil {
		return "", "", fmt.Errorf("%w: a column without a definition", ErrSQL)
	}
	notNull, hasDefault := false, false
	for _, node := range def.Constraints {
		switch c := node.GetConstraint(); c.GetContype() {
		case pgquery.ConstrType_CONSTR_NOTNULL:
			notNull = true
		case pgquery.ConstrType_CONSTR_NULL:
		case pgquery.ConstrType_CONSTR_DEFAULT:
			hasDefault = true
			if !constant(c.RawExpr) {
				return "", "", fmt.Errorf("%w: the default of %s is not a constant: it would rewrite the table", ErrSQL, def.Colname)
			}
		default:
			return "", "", fmt.Errorf("%w: %s has a constraint that the bot does not add (%s)", ErrSQL, def.Colname, strings.TrimPrefix(c.GetContype().String(), "CONSTR_"))
		}
	}
	if notNull && !hasDefault {
		return "", "", fmt.Errorf("%w: %s is NOT NULL without a default, which the rows that are there would break", ErrSQL, def.Colname)
	}
	return def.Colname, fmt.Sprintf("Adds the column %s (%s) to %s.", def.Colname, typeName(def), table), nil
}

// constant reports whether an expression is a literal, also one that is cast or negated.
func constant(n *pgquery.Node) bool {
	if cast := n.GetTypeCast(); cast != nil {
		return constant(cast.Arg)
	}
	if e := n.GetAExpr(); e != nil && e.Lexpr == nil {
		return constant(e.Rexpr)
	}
	return n.GetAConst() != nil
}

// typeName is a type as people write it.
func typeName(def *pgquery.ColumnDef) string {
	t := def.GetTypeName()
	var parts []string
	for _, n := range t.GetNames() {
		if s := n.GetString_().GetSval(); s != "pg_catalog" {
			parts = append(parts, s)
		}
	}
	name := strings.Join(parts, ".")
	var mods []string
	for _, m := range t.GetTypmods() {
		mods = append(mods, fmt.Sprint(m.GetAConst().GetIval().GetIval()))
	}
	if len(mods) > 0 {
		name += "(" + strings.Join(mods, ",") + ")"
	}
	return name + strings.Repeat("[]", len(t.GetArrayBounds()))
}

// ReadOnly insists that SQL is one statement that only reads: SELECT, VALUES, TABLE, SHOW, or EXPLAIN without ANALYZE,
// with no part that writes or locks and no function that reaches out of the transaction. Errors wrap ErrSQL.
func ReadOnly(sql string) error {
	tree, err := parsed(sql)
	if err != nil {
		return err
	}
	if len(tree.Stmts) != 1 {
		return fmt.Errorf("%w: %d statements, expected one", ErrSQL, len(tree.Stmts))
	}
	stmt := tree.Stmts[0].Stmt
	if stmt.GetSelectStmt() == nil && stmt.GetVariableShowStmt() == nil && stmt.GetExplainStmt() == nil {
		return fmt.Errorf("%w: it is no SELECT, SHOW or EXPLAIN", ErrSQL)
	}
	return harmless(stmt)
}

// harmful are parts of a tree that write, lock or run something, by the names of their messages.
var harmful = map[protoreflect.Name]string{
	"IntoClause": "SELECT INTO creates a table", "LockingClause": "FOR UPDATE locks rows",
	"InsertStmt": "a part of it inserts", "UpdateStmt": "a part of it updates", "DeleteStmt": "a part of it deletes", "MergeStmt": "a part of it merges",
}

// statements are those that may stand anywhere in a tree.
var statements = []protoreflect.Name{"SelectStmt", "VariableShowStmt", "ExplainStmt", "AlterTableStmt"}

// harmless walks a whole tree: what is nested counts like what is not.
func harmless(root proto.Message) error {
	var walk func(m protoreflect.Message) error
	walk = func(m protoreflect.Message) error {
		if err := judge(m); err != nil {
			return err
		}
		var inner error
		m.Range(func(f protoreflect.FieldDescriptor, v protoreflect.Value) bool {
			switch {
			case f.IsList() && f.Message() != nil:
				for i := range v.List().Len() {
					if inner = walk(v.List().Get(i).Message()); inner != nil {
						return false
					}
				}
			case f.Message() != nil && !f.IsMap():
				inner = walk(v.Message())
			}
			return inner == nil
		})
		return inner
	}
	return walk(root.ProtoReflect())
}

func judge(m protoreflect.Message) error {
	name := m.Descriptor().Name()
	if why, bad := harmful[name]; bad {
		return fmt.Errorf("%w: %s", ErrSQL, why)
	}
	if strings.HasSuffix(string(name), "Stmt") && !slices.Contains(statements, name) {
		return fmt.Errorf("%w: a part of it is a %s", ErrSQL, name)
	}
	switch x := m.Interface().(type) {
	case *pgquery.FuncCall:
		return function(x)
	case *pgquery.ExplainStmt:
		return explain(x)
	}
	return nil
}

// explain refuses ANALYZE, which runs what it explains.
func explain(x *pgquery.ExplainStmt) error {
	for _, n := range x.Options {
		if strings.EqualFold(n.GetDefElem().GetDefname(), "analyze") {
			return fmt.Errorf("%w: EXPLAIN ANALYZE runs the statement", ErrSQL)
		}
	}
	return nil
}

// Functions that reach out of a READ ONLY transaction, by the beginnings of their names; of PostgreSQL's own (pg_…) only
// those that begin as in reading are allowed.
var (
	reaching = []string{"lo_", "dblink", "set_config", "nextval", "setval", "query_to_xml", "cursor_to_xml", "table_to_xml", "schema_to_xml", "database_to_xml", "xpath_table", "pg_sleep", "http_", "plpy", "aws_"}
	own      = []string{"pg_size_", "pg_database_size", "pg_table_size", "pg_indexes_size", "pg_total_relation_size", "pg_relation_size", "pg_tablespace_size", "pg_column_size", "pg_get_", "pg_stat_get_", "pg_is_", "pg_last_", "pg_current_wal_", "pg_wal_lsn_diff", "pg_walfile_name", "pg_postmaster_start_time", "pg_conf_load_time", "pg_backend_pid", "pg_typeof", "pg_table_is_visible", "pg_blocking_pids", "pg_encoding_to_char", "pg_char_to_encoding"}
)

func function(x *pgquery.FuncCall) error {
	name := ""
	for _, n := range x.Funcname {
		name = strings.ToLower(n.GetString_().GetSval()) // the last part; a schema before it changes nothing here
	}
	begins := func(prefix string) bool { return strings.HasPrefix(name, prefix) }
	if slices.ContainsFunc(reaching, begins) || strings.HasPrefix(name, "pg_") && !slices.ContainsFunc(own, begins) {
		return fmt.Errorf("%w: the function %s does more than read", ErrSQL, name)
	}
	return nil
}
