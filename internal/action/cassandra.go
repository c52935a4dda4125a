package action

import (
	"context"
	"fmt"
	"strings"
)

// QueryCassandra reads the source database: SELECT and DESCRIBE. The client refuses anything else.
type QueryCassandra struct {
	reading
	On   string `json:"on,omitempty"` // the container or host that the runbook writes, until a plan resolves it
	CQL  string `json:"cql"`
	Pipe Pipe   `json:"pipe,omitempty"`
}

// maxRows bounds what a query of a runbook shows.
const maxRows = 200

// Kind implements Action.
func (a QueryCassandra) Kind() string {
	if word, _, _ := strings.Cut(strings.TrimSpace(a.CQL), " "); strings.HasPrefix(strings.ToUpper(word), "DESC") {
		return "cassandra.describe"
	}
	return "cassandra.query"
}

// Effect implements Action.
func (a QueryCassandra) Effect() string { return "Asks Cassandra: " + statement(a.CQL) + "." }

// statement is a query on one line, without the semicolon at its end.
func statement(text string) string {
	return strings.TrimRight(strings.Join(strings.Fields(text), " "), "; ")
}

// Target implements Action.
func (a QueryCassandra) Target() string { return "cassandra" }

// Run implements Action. DESCRIBE TABLE is shown as the statement that would create it, as cqlsh does.
func (a QueryCassandra) Run(ctx context.Context, w World) (Output, error) {
	c, err := w.Cassandra()
	if err != nil {
		return Output{}, err
	}
	columns, rows, err := c.Query(ctx, a.CQL, maxRows)
	if err != nil {
		return Output{}, err
	}
	if text, ok := created(columns, rows); ok {
		return a.Pipe.output(ctx, text)
	}
	out, err := a.Pipe.lists(ctx, columns, rows, nil)
	if len(rows) == maxRows && len(a.Pipe) == 0 {
		out.Text += fmt.Sprintf("\n(the first %d rows)", maxRows)
	}
	return out, err
}

// created joins the statements of a DESCRIBE of tables and keyspaces.
func created(columns []string, rows [][]string) (string, bool) {
	if len(columns) == 0 || columns[len(columns)-1] != "create_statement" {
		return "", false
	}
	var texts []string
	for _, row := range rows {
		texts = append(texts, row[len(row)-1])
	}
	return strings.Join(texts, "\n\n"), true
}
