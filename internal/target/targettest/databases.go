package targettest

import (
	"context"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
)

// Postgres is the sink database.
type Postgres struct{ all *Surroundings }

// Postgres returns the sink database.
func (s *Surroundings) Postgres() Postgres { return Postgres{s} }

// Database implements action.Postgres.
func (p Postgres) Database() string { return "warehouse" }

// Query implements action.Postgres. It knows SELECT 1 and the columns of a table; other queries have no rows.
func (p Postgres) Query(_ context.Context, sql string, _ int) ([]string, [][]string, error) {
	if err := p.all.need("postgres"); err != nil {
		return nil, nil, err
	}
	if strings.EqualFold(strings.TrimRight(strings.TrimSpace(sql), "; "), "select 1") {
		return []string{"?column?"}, [][]string{{"1"}}, nil
	}
	return []string{"count"}, nil, nil
}

// Describe implements action.Postgres.
func (p Postgres) Describe(_ context.Context, table string) ([]string, [][]string, error) {
	if err := p.all.need("postgres"); err != nil {
		return nil, nil, err
	}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	if table == "" {
		var rows [][]string
		for _, name := range slices.Sorted(maps.Keys(p.all.tables)) {
			rows = append(rows, []string{"public", name, "table"})
		}
		return []string{"Schema", "Name", "Type"}, rows, nil
	}
	columns, ok := p.all.tables[strings.TrimPrefix(table, "public.")]
	if !ok {
		return nil, nil, fmt.Errorf("relation %q does not exist", table)
	}
	index := []string{"index " + table + "_pkey", "btree (" + columns[0][0] + ")", "primary key", ""}
	return []string{"Column", "Type", "Nullable", "Default"}, append(slices.Clone(columns), index), nil
}

// addColumn is the one change it can make; the parser in front of it has refused what is not allowed.
var (
	addColumn  = regexp.MustCompile(`(?is)^\s*ALTER\s+TABLE\s+(?:IF\s+EXISTS\s+)?(?:ONLY\s+)?(?:public\.)?"?(\w+)"?\s+ADD\s+(?:COLUMN\s+)?(?:IF\s+NOT\s+EXISTS\s+)?"?(\w+)"?\s+(.+?);?\s*$`)
	alterType  = regexp.MustCompile(`(?is)^\s*ALTER\s+TABLE\s+(?:public\.)?"?(\w+)"?\s+ALTER\s+(?:COLUMN\s+)?"?(\w+)"?\s+(?:SET\s+DATA\s+)?TYPE\s+(.+?)(?:\s+USING\s+.*)?;?\s*$`)
	notAllowed = regexp.MustCompile(`(?i)\b(drop|truncate|delete|insert|update|grant|create|rename)\b`)
)

// Rehearse implements action.Postgres.
func (p Postgres) Rehearse(_ context.Context, statements []string) error {
	return p.change(statements, false)
}

// Alter implements action.Postgres.
func (p Postgres) Alter(_ context.Context, statements []string) error {
	if err := p.change(statements, true); err != nil {
		return err
	}
	if p.all.Altered != nil {
		for _, s := range statements {
			p.all.Altered(s)
		}
	}
	return nil
}

func (p Postgres) change(statements []string, keep bool) error {
	if err := p.all.need("postgres"); err != nil {
		return err
	}
	p.all.mu.Lock()
	defer p.all.mu.Unlock()
	after := maps.Clone(p.all.tables)
	for i, s := range statements {
		if err := applied(after, s); err != nil {
			return fmt.Errorf("statement %d: %w", i+1, err)
		}
	}
	if keep {
		p.all.tables = after
	}
	return nil
}

func applied(tables map[string][][]string, statement string) error {
	if notAllowed.MatchString(statement) {
		return fmt.Errorf("%q is not allowed", statement)
	}
	if m := addColumn.FindStringSubmatch(statement); m != nil {
		columns, ok := tables[m[1]]
		if !ok {
			return fmt.Errorf("relation %q does not exist", m[1])
		}
		if slices.ContainsFunc(columns, func(c []string) bool { return c[0] == m[2] }) {
			return fmt.Errorf("column %q of relation %q already exists", m[2], m[1])
		}
		tables[m[1]] = append(slices.Clone(columns), []string{m[2], strings.ToLower(m[3]), "", ""})
		return nil
	}
	if m := alterType.FindStringSubmatch(statement); m != nil {
		columns := slices.Clone(tables[m[1]])
		i := slices.IndexFunc(columns, func(c []string) bool { return c[0] == m[2] })
		if i < 0 {
			return fmt.Errorf("column %q of relation %q does not exist", m[2], m[1])
		}
		columns[i] = []string{m[2], strings.ToLower(m[3]), columns[i][2], columns[i][3]}
		tables[m[1]] = columns
		return nil
	}
	return fmt.Errorf("%q is no change that the simulated database can make", statement)
}

// Cassandra is the source database.
type Cassandra struct{ all *Surroundings }

// Cassandra returns the source database.
func (s *Surroundings) Cassandra() Cassandra { return Cassandra{s} }

// Query implements action.Cassandra.
func (c Cassandra) Query(_ context.Context, cql string, _ int) ([]string, [][]string, error) {
	if err := c.all.need("cassandra"); err != nil {
		return nil, nil, err
	}
	words := strings.Fields(strings.ToUpper(strings.TrimRight(cql, "; ")))
	switch {
	case len(words) > 1 && strings.HasPrefix(words[0], "DESC") && words[1] == "KEYSPACES":
		return []string{"keyspace_name"}, [][]string{{"system"}, {"system_schema"}, {"warehouse"}}, nil
	case len(words) > 2 && strings.HasPrefix(words[0], "DESC") && words[1] == "TABLE":
		name := strings.ToLower(words[2])
		return []string{"keyspace_name", "type", "name", "create_statement"}, [][]string{{"warehouse", "table", name, "CREATE TABLE " + name + " (\n    user_id uuid PRIMARY KEY,\n    age int,\n    name text,\n    new_column text\n) WITH cdc = true;"}}, nil
	case len(words) > 1 && words[0] == "SELECT" && words[1] == "RELEASE_VERSION":
		return []string{"release_version"}, [][]string{{"5.0.9"}}, nil
	case len(words) > 0 && words[0] == "SELECT":
		return []string{"count"}, [][]string{{"1000"}}, nil
	}
	return nil, nil, fmt.Errorf("only SELECT and DESCRIBE are allowed, not %q", cql)
}
