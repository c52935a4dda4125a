package action

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
)

// QueryPostgres reads the sink database in a READ ONLY transaction.
type QueryPostgres struct {
	reading
	On       string `json:"on,omitempty"`
	Database string `json:"database,omitempty"` // as the runbook writes it; must be the configured one
	SQL      string `json:"sql"`
	Pipe     Pipe   `json:"pipe,omitempty"`
}

// Kind implements Action.
func (a QueryPostgres) Kind() string { return "postgres.query" }

// Effect implements Action.
func (a QueryPostgres) Effect() string { return "Asks PostgreSQL: " + statement(a.SQL) + "." }

// Target implements Action.
func (a QueryPostgres) Target() string { return "postgres/" + a.Database }

// trivial is the question whether the database is there. It need not wait for the parser, which takes two seconds the
// first time.
var trivial = regexp.MustCompile(`(?i)^\s*select\s+\d+\s*;?\s*$`)

// Run implements Action. READ ONLY keeps a query from writing; what it calls and reads is looked at besides, because some
// functions reach out of the transaction and some tables hold passwords.
func (a QueryPostgres) Run(ctx context.Context, w World) (Output, error) {
	if !trivial.MatchString(a.SQL) {
		if err := ReadOnly(a.SQL); err != nil {
			return Output{}, err
		}
	}
	p, err := w.Postgres()
	if err != nil {
		return Output{}, err
	}
	columns, rows, err := p.Query(ctx, a.SQL, maxRows)
	out, err := a.Pipe.lists(ctx, columns, rows, err)
	if len(rows) == maxRows && len(a.Pipe) == 0 {
		out.Text += fmt.Sprintf("\n(the first %d rows)", maxRows)
	}
	return out, err
}

// DescribePostgres is psql's \d and \dt.
type DescribePostgres struct {
	reading
	On       string `json:"on,omitempty"`
	Database string `json:"database,omitempty"`
	Table    string `json:"table,omitempty"` // "" lists the tables
	Pipe     Pipe   `json:"pipe,omitempty"`
}

// Kind implements Action.
func (a DescribePostgres) Kind() string { return "postgres.describe" }

// Effect implements Action.
func (a DescribePostgres) Effect() string {
	if a.Table == "" {
		return "Lists the tables of PostgreSQL."
	}
	return "Reads the columns of the PostgreSQL table " + a.Table + "."
}

// Target implements Action.
func (a DescribePostgres) Target() string { return "postgres/" + a.Database }

// Run implements Action.
func (a DescribePostgres) Run(ctx context.Context, w World) (Output, error) {
	p, err := w.Postgres()
	if err != nil {
		return Output{}, err
	}
	columns, rows, err := p.Describe(ctx, a.Table)
	return a.Pipe.lists(ctx, columns, rows, err)
}

// AlterPostgres changes a table of the sink database: columns are added or widened, nothing is dropped. What is allowed
// is decided by PostgreSQL's own parser (ParseDDL).
type AlterPostgres struct {
	On       string `json:"on,omitempty"`
	Database string `json:"database,omitempty"`
	SQL      string `json:"sql"`
}

// Kind implements Action.
func (a AlterPostgres) Kind() string { return "postgres.ddl" }

// Effect implements Action.
func (a AlterPostgres) Effect() string { return "Changes PostgreSQL: " + statement(a.SQL) + "." }

// Risk implements Action.
func (a AlterPostgres) Risk() Risk { return High }

// Target implements Action.
func (a AlterPostgres) Target() string { return "postgres/" + a.Database }

// Deadline implements Action.
func (a AlterPostgres) Deadline() time.Duration { return 2 * time.Minute }

// Idempotent implements Action: a column cannot be added twice; the second try is refused by the database.
func (a AlterPostgres) Idempotent() bool { return false }

// parsed are the changes, and the statements as they will run.
func (a AlterPostgres) parsed() ([]TableChange, []string, error) {
	changes, err := ParseDDL(a.SQL)
	if err != nil {
		return nil, nil, err
	}
	var statements []string
	for _, c := range changes {
		if len(statements) == 0 || statements[len(statements)-1] != c.Statement {
			statements = append(statements, c.Statement)
		}
	}
	return changes, statements, nil
}

// Run implements Action. All statements succeed together or not at all.
func (a AlterPostgres) Run(ctx context.Context, w World) (Output, error) {
	changes, statements, err := a.parsed()
	if err != nil {
		return Output{}, err
	}
	p, err := w.Postgres()
	if err != nil {
		return Output{}, err
	}
	if err := p.Alter(ctx, statements); err != nil {
		return Output{}, err
	}
	return Output{Text: "done: " + said(changes)}, nil
}

func said(changes []TableChange) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = c.What
	}
	return strings.Join(texts, " ")
}

// Observe implements Action: every column that would be added is there. A changed type cannot be told from one that was
// always so, and leaves the decision to a person.
func (a AlterPostgres) Observe(ctx context.Context, w World) (bool, error) {
	changes, statements, err := a.parsed()
	if err != nil {
		return false, err
	}
	p, err := w.Postgres()
	if err != nil {
		return false, err
	}
	for _, s := range statements {
		if !strings.Contains(strings.ToUpper(s), " ADD ") {
			return false, fmt.Errorf("whether %q has happened cannot be seen", statement(s))
		}
	}
	for _, c := range changes {
		_, rows, err := p.Describe(ctx, c.Table)
		if err != nil {
			return false, err
		}
		if !slices.ContainsFunc(rows, func(row []string) bool { return len(row) > 0 && row[0] == c.Column }) {
			return false, nil
		}
	}
	return len(changes) > 0, nil
}

// Preview implements Previewer: the statements run in a transaction that is rolled back, so that an approver knows that
// they would succeed. Nothing takes an added column back without losing what is in it.
func (a AlterPostgres) Preview(ctx context.Context, w World) (Preview, error) {
	changes, statements, err := a.parsed()
	if err != nil {
		return Preview{}, err
	}
	p, err := w.Postgres()
	if err != nil {
		return Preview{}, err
	}
	if err := p.Rehearse(ctx, statements); err != nil {
		return Preview{}, fmt.Errorf("the dry run fails: %w", err)
	}
	return Preview{Text: said(changes) + "\nA dry run succeeded and was rolled back."}, nil
}

// comments are what SQL ignores before its first word.
var comments = regexp.MustCompile(`(?s)^(\s|--[^\n]*(\n|$)|/\*.*?\*/)+`)

var writes = regexp.MustCompile(`(?i)\b(insert|update|delete|merge)\b`)

// SQLKind says what a script looks like by its first word, without parsing it: "read", "ddl" (ALTER TABLE) or "other".
// ReadOnly and ParseDDL have the last word before anything runs.
func SQLKind(sql string) string {
	sql = comments.ReplaceAllString(sql, "")
	word, _, _ := strings.Cut(strings.Join(strings.Fields(sql), " "), " ")
	switch word = strings.ToUpper(strings.TrimRight(word, ";(")); {
	case word == "WITH" && writes.MatchString(sql):
		return "other"
	case slices.Contains([]string{"SELECT", "SHOW", "EXPLAIN", "VALUES", "TABLE", "WITH"}, word):
		return "read"
	case word == "ALTER" && alterTable.MatchString(sql):
		return "ddl"
	}
	return "other"
}

var alterTable = regexp.MustCompile(`(?i)^alter\s+table\b`)
