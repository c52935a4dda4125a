package runbook

import (
	"net/url"
	"regexp"
	"strings"

	"cdcbot/internal/action"
)

// script is what psql and cqlsh are given to run.
type script struct {
	statements []string
	host       string
	database   string
	file       bool // it comes from a file
}

// psqlValues are psql's options with a value.
var psqlValues = []string{"-U", "--username", "-d", "--dbname", "-h", "--host", "-p", "--port", "-c", "--command", "-f", "--file", "-v", "--set", "--variable", "-F", "--field-separator", "-P", "--pset", "-o", "--output", "-L", "-R"}

func compilePsql(c command) (action.Action, []Finding, bool) {
	s, why := readPsql(c)
	if why != "" {
		return nil, []Finding{c.unknown(why)}, false
	}
	act, findings := s.postgres(c)
	return act, findings, false
}

func readPsql(c command) (script, string) {
	var s script
	port := ""
	rest := c.words[1:]
	for i := 0; i < len(rest); i++ {
		name, value, has := strings.Cut(rest[i], "=")
		if !strings.HasPrefix(name, "--") {
			name, value, has = rest[i], "", false
		}
		if len(name) > 2 && name[0] == '-' && name[1] != '-' {
			name, value, has = letters(name)
		}
		if !strings.HasPrefix(name, "-") {
			s.positional(name)
			continue
		}
		if hasValue(psqlValues, name) && !has {
			if i++; i >= len(rest) {
				return s, "psql's " + name + " has no value"
			}
			value = rest[i]
		}
		switch name {
		case "-c", "--command":
			s.statements = append(s.statements, value)
		case "-d", "--dbname":
			s.positional(value)
		case "-h", "--host":
			s.host = value
		case "-p", "--port":
			port = value
		case "-f", "--file", "-o", "--output", "-L":
			s.file = true
		}
	}
	if s.host != "" && port != "" {
		s.host += ":" + port
	}
	if text := strings.TrimSpace(c.stdin); text != "" {
		s.statements = append(s.statements, text)
	}
	switch {
	case s.file:
		return s, "its psql reads or writes a file"
	case len(s.statements) == 0:
		return s, "its psql opens a session for a person"
	}
	return s, ""
}

// letters reads "-tAc": flags, and an option at the end that takes what follows; and "-Uadmin".
func letters(word string) (name, value string, has bool) {
	for i := 1; i < len(word); i++ {
		name = "-" + word[i:i+1]
		if hasValue(psqlValues, name) {
			return name, word[i+1:], i+1 < len(word)
		}
	}
	return name, "", false
}

func hasValue(list []string, name string) bool {
	for _, n := range list {
		if n == name {
			return true
		}
	}
	return false
}

// positional is a database by name, or by URL or key=value.
func (s *script) positional(text string) {
	if u, err := url.Parse(text); err == nil && strings.HasPrefix(u.Scheme, "postgres") {
		s.host, s.database = u.Host, strings.TrimPrefix(u.Path, "/")
		return
	}
	if strings.Contains(text, "=") {
		for _, pair := range strings.Fields(text) {
			switch key, value, _ := strings.Cut(pair, "="); key {
			case "host":
				s.host = value
			case "dbname":
				s.database = value
			}
		}
		return
	}
	if s.database == "" {
		s.database = text
	}
}

// meta matches psql's \d NAME, \dt and \l.
var meta = regexp.MustCompile(`^\\(d[tsvi]?\+?|dt\+?|l\+?)(?:\s+(\S+?))?;?$`)

// postgres makes the action of a script. A script of several statements may only change tables: what reads shows one answer.
func (s script) postgres(c command) (action.Action, []Finding) {
	on := place1(c.on, s.host)
	sql := strings.TrimSpace(strings.Join(s.statements, ";\n"))
	if m := meta.FindStringSubmatch(sql); m != nil {
		if strings.HasPrefix(m[1], "l") {
			return action.QueryPostgres{On: on, Database: s.database, SQL: "SELECT datname AS database FROM pg_database ORDER BY 1", Pipe: c.pipe}, checkPipe(c)
		}
		return action.DescribePostgres{On: on, Database: s.database, Table: strings.Trim(m[2], "*"), Pipe: c.pipe}, checkPipe(c)
	}
	switch action.SQLKind(sql) {
	case "read":
		return action.QueryPostgres{On: on, Database: s.database, SQL: sql, Pipe: c.pipe}, checkPipe(c)
	case "ddl":
		return action.AlterPostgres{On: on, Database: s.database, SQL: sql}, nil
	}
	return nil, []Finding{c.finding("warning", "sql-refused", "stays a manual step: the bot reads, adds columns and changes their types; it never deletes, updates, drops or renames")}
}

// place1 is where a client runs or connects to: the container, unless it names another host itself.
func place1(container, host string) string {
	bare, _, _ := strings.Cut(host, ":")
	if container != "" && (bare == "" || bare == "localhost" || bare == "127.0.0.1") {
		return container
	}
	return host
}

// cqlshValues are cqlsh's options with a value.
var cqlshValues = []string{"-e", "--execute", "-u", "--username", "-p", "--password", "-k", "--keyspace", "-f", "--file", "--connect-timeout", "--request-timeout", "--cqlversion", "--encoding", "--cqlshrc"}

func compileCqlsh(c command) (action.Action, []Finding, bool) {
	if _, ok := valueOf(c.words[1:], "-f", "--file"); ok {
		return nil, []Finding{c.unknown("its cqlsh reads a file")}, false
	}
	cql, _ := valueOf(c.words[1:], "-e", "--execute")
	if cql == "" {
		cql = c.stdin
	}
	cql = strings.TrimSpace(cql)
	if cql == "" {
		return nil, []Finding{c.unknown("its cqlsh opens a session for a person")}, false
	}
	if !reads.MatchString(cql) || strings.Contains(strings.TrimRight(cql, "; \n"), ";") {
		return nil, []Finding{c.finding("warning", "cql-refused", "stays a manual step: the bot only reads Cassandra, one SELECT or DESCRIBE at a time")}, false
	}
	host := strings.Join(operands(c.words[1:], cqlshValues...), ":")
	return action.QueryCassandra{On: place1(c.on, host), CQL: cql, Pipe: c.pipe}, checkPipe(c), false
}

var reads = regexp.MustCompile(`(?is)^(select|desc|describe)\b`)
