package action

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// ErrSQL is wrapped by errors about SQL that the bot does not run.
var ErrSQL = errors.New("SQL not allowed")

// TableChange is one change of a table of the sink database.
type TableChange struct {
	Table  string // as SQL writes it: schema.table, with double quotes where they are needed
	Column string // without double quotes
	What   string // one sentence for an approver, such as "Adds the column city text to cdc_users."
	// Statement is the statement that makes the change, as it was written; several changes may share one.
	Statement string
}

// ParseDDL reads a script with PostgreSQL's own parser and returns its changes, in order. Allowed is what a sink's table
// needs and no row is lost by: ADD COLUMN, ALTER COLUMN TYPE, SET DEFAULT, DROP DEFAULT and DROP NOT NULL. A BEGIN and a
// COMMIT around the script are left out, because it runs in one transaction anyway. Everything else is an error that
// wraps ErrSQL and names the statement, why it is refused and what to do instead. The first call takes about two seconds:
// it compiles the parser.
func ParseDDL(sql string) ([]TableChange, error) {
	all, err := parseSQL(sql)
	if err != nil {
		return nil, err
	}
	first, last := inner(all)
	if first == last {
		return nil, fmt.Errorf("%w: no statement; expected ALTER TABLE … ADD COLUMN or ALTER COLUMN", ErrSQL)
	}
	var changes []TableChange
	for i := first; i < last; i++ {
		list, err := all[i].changes()
		if err != nil {
			return nil, fmt.Errorf("%w: statement %d of %d: %w", ErrSQL, i+1, len(all), err)
		}
		changes = append(changes, list...)
	}
	return changes, nil
}

// inner leaves out a plain BEGIN at the beginning with the COMMIT at the end.
func inner(all []sqlStatement) (first, last int) {
	last = len(all)
	if last >= 2 && all[0].transaction("BEGIN", "START") && all[last-1].transaction("COMMIT", "END") {
		return 1, last - 1
	}
	return 0, last
}

func (s sqlStatement) transaction(kinds ...string) bool {
	var t struct {
		Kind     string `json:"kind"`
		Location int    `json:"location"`
	}
	if s.node != "TransactionStmt" || strict(s.body, &t) != nil {
		return false
	}
	for _, kind := range kinds {
		if t.Kind == "TRANS_STMT_"+kind {
			return true
		}
	}
	return false
}

// The parser's tree, as far as it is allowed. What these types do not hold is an unknown field, and so refused.
type (
	sqlAlter struct {
		Relation sqlTable `json:"relation"`
		Commands []struct {
			Command json.RawMessage `json:"AlterTableCmd"`
		} `json:"cmds"`
		Object   string `json:"objtype"`
		IfExists bool   `json:"missing_ok"`
	}
	sqlTable struct {
		Schema      string `json:"schemaname"`
		Name        string `json:"relname"`
		Inherit     bool   `json:"inh"` // not ONLY
		Persistence string `json:"relpersistence"`
		Location    int    `json:"location"`
	}
	alterCommand struct {
		Kind     string          `json:"subtype"`
		Name     string          `json:"name"`
		Def      json.RawMessage `json:"def"`
		Behavior string          `json:"behavior"`
		Missing  bool            `json:"missing_ok"` // IF NOT EXISTS
	}
	sqlColumn struct {
		Column struct {
			Name        string  `json:"colname"`
			Type        sqlType `json:"typeName"`
			Local       bool    `json:"is_local"`
			Constraints []struct {
				Constraint json.RawMessage `json:"Constraint"`
			} `json:"constraints"`
			Using    json.RawMessage `json:"raw_default"`
			Location int             `json:"location"`
		} `json:"ColumnDef"`
	}
	sqlConstraint struct {
		Kind     string          `json:"contype"`
		Value    json.RawMessage `json:"raw_expr"`
		Location int             `json:"location"`
	}
)

// strict reads a tree and refuses what its type does not name.
func strict(body []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(body))
	d.DisallowUnknownFields()
	err := d.Decode(into)
	if err == nil {
		return nil
	}
	if _, field, ok := strings.Cut(err.Error(), "unknown field "); ok {
		return fmt.Errorf("it uses %s, which is not on the list of what is allowed; %s", strings.Trim(field, `"`), byHand)
	}
	return fmt.Errorf("it is not on the list of what is allowed (%w); %s", err, byHand)
}

// changes are what a statement does, or why it may not.
func (s sqlStatement) changes() ([]TableChange, error) {
	if s.node != "AlterTableStmt" {
		return nil, s.refusal()
	}
	var a sqlAlter
	var loose struct {
		Object string `json:"objtype"`
	}
	if err := json.Unmarshal(s.body, &loose); err != nil || loose.Object != "OBJECT_TABLE" {
		return nil, fmt.Errorf("ALTER of something else than a table (%s) is refused; %s", strings.ToLower(strings.TrimPrefix(loose.Object, "OBJECT_")), byHand)
	}
	if err := strict(s.body, &a); err != nil {
		return nil, err
	}
	if err := a.Relation.check(); err != nil {
		return nil, err
	}
	changes := make([]TableChange, len(a.Commands))
	for i, c := range a.Commands {
		command, err := readCommand(c.Command)
		if err != nil {
			return nil, err
		}
		column, what, err := command.read(a.Relation.String())
		if err != nil {
			return nil, err
		}
		changes[i] = TableChange{Table: a.Relation.String(), Column: column, What: what + a.conditions() + ".", Statement: s.text}
	}
	return changes, nil
}

// check keeps the catalog of the database itself out.
func (t sqlTable) check() error {
	if schema := strings.ToLower(t.Schema); strings.HasPrefix(schema, "pg_") || schema == "information_schema" || strings.HasPrefix(t.Name, "pg_") {
		return fmt.Errorf("table %s belongs to PostgreSQL itself; expected a table of the sink", t)
	}
	return nil
}

// String is the name as SQL writes it.
func (t sqlTable) String() string {
	if t.Schema == "" {
		return quoted(t.Name)
	}
	return quoted(t.Schema) + "." + quoted(t.Name)
}

func (a sqlAlter) conditions() string {
	var text string
	if !a.Relation.Inherit {
		text += ", and not to tables that inherit from it"
	}
	if a.IfExists {
		text += ", if there is such a table"
	}
	return text
}

// readCommand reads one part of an ALTER TABLE; one that is known to be refused says why before its details do.
func readCommand(body json.RawMessage) (c alterCommand, err error) {
	var loose struct {
		Kind string `json:"subtype"`
	}
	if err := json.Unmarshal(body, &loose); err != nil {
		return c, fmt.Errorf("reading the parser's tree: %w", err)
	}
	if !slices.Contains([]string{"AT_AddColumn", "AT_AlterColumnType", "AT_ColumnDefault", "AT_DropNotNull"}, loose.Kind) {
		return c, (alterCommand{Kind: loose.Kind}).refusal()
	}
	return c, strict(body, &c)
}

// read says which column a command changes and how.
func (c alterCommand) read(table string) (column, what string, err error) {
	column = c.Name
	switch c.Kind {
	case "AT_AddColumn":
		return c.add(table)
	case "AT_AlterColumnType":
		what, err = c.retype(table)
	case "AT_ColumnDefault":
		what, err = c.setDefault(table)
	default: // AT_DropNotNull
		what = fmt.Sprintf("Allows rows without a value in the column %s of %s", quoted(column), table)
	}
	return column, what, err
}

func (c alterCommand) add(table string) (column, what string, err error) {
	var d sqlColumn
	if err := strict(c.Def, &d); err != nil {
		return "", "", fmt.Errorf("ADD COLUMN: %w", err)
	}
	column = d.Column.Name
	typ, err := d.Column.Type.text()
	if err != nil {
		return "", "", fmt.Errorf("ADD COLUMN %s: %w", quoted(column), err)
	}
	what = fmt.Sprintf("Adds the column %s %s to %s", quoted(column), typ, table)
	rules, err := d.rules()
	if err != nil {
		return "", "", fmt.Errorf("ADD COLUMN %s: %w", quoted(column), err)
	}
	if c.Missing {
		rules += ", unless there is one of that name"
	}
	return column, what + rules, nil
}

// rules are the default of a new column and whether it needs a value.
func (d sqlColumn) rules() (text string, err error) {
	value, required := "", false
	for _, one := range d.Column.Constraints {
		r, err := readConstraint(one.Constraint)
		if err != nil {
			return "", err
		}
		switch r.Kind {
		case "CONSTR_NOTNULL":
			required = true
		case "CONSTR_DEFAULT":
			if value, err = constant(r.Value); err != nil {
				return "", fmt.Errorf("DEFAULT: %w", err)
			}
		}
	}
	if required && (value == "" || value == "NULL") {
		return "", errors.New("NOT NULL without a default is refused: the rows that are there would have no value; give it a DEFAULT, or leave NOT NULL out")
	}
	if value != "" {
		text += ", with default " + value
	}
	if required {
		text += ", not null"
	}
	return text, nil
}

func readConstraint(body json.RawMessage) (c sqlConstraint, err error) {
	var loose struct {
		Kind string `json:"contype"`
	}
	if err := json.Unmarshal(body, &loose); err != nil {
		return c, fmt.Errorf("reading the parser's tree: %w", err)
	}
	if !slices.Contains([]string{"CONSTR_NULL", "CONSTR_NOTNULL", "CONSTR_DEFAULT"}, loose.Kind) {
		return c, (sqlConstraint{Kind: loose.Kind}).refusal()
	}
	return c, strict(body, &c)
}

func (c alterCommand) retype(table string) (string, error) {
	var d sqlColumn
	if err := strict(c.Def, &d); err != nil {
		return "", fmt.Errorf("ALTER COLUMN %s TYPE: %w", quoted(c.Name), err)
	}
	typ, err := d.Column.Type.text()
	if err != nil {
		return "", fmt.Errorf("ALTER COLUMN %s TYPE: %w", quoted(c.Name), err)
	}
	if err := d.Column.Type.cast(d.Column.Using, c.Name); err != nil {
		return "", fmt.Errorf("ALTER COLUMN %s TYPE: %w", quoted(c.Name), err)
	}
	return fmt.Sprintf("Changes the type of the column %s of %s to %s; %s", quoted(c.Name), table, typ, d.Column.Type.cost()), nil
}

func (c alterCommand) setDefault(table string) (string, error) {
	if len(c.Def) == 0 {
		return fmt.Sprintf("Takes the default of the column %s of %s away", quoted(c.Name), table), nil
	}
	value, err := constant(c.Def)
	if err != nil {
		return "", fmt.Errorf("ALTER COLUMN %s SET DEFAULT: %w", quoted(c.Name), err)
	}
	return fmt.Sprintf("Sets the default of the column %s of %s to %s for new rows", quoted(c.Name), table, value), nil
}
