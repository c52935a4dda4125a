package action

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// byHand is the way out for what the bot does not do.
const byHand = "have a database administrator do it by hand"

// refused says why a kind of statement or command may not run, and what to do instead.
type refused struct{ name, why, instead string }

func (r refused) Error() string {
	return fmt.Sprintf("%s is refused: %s; %s", r.name, r.why, r.instead)
}

const (
	destroys      = "it removes what cannot be brought back"
	movesRows     = "it changes rows behind the pipeline's back"
	mendRows      = "mend them at the source, or replay them from the dead-letter queue"
	runsCode      = "it runs code that cannot be checked"
	ownLimits     = "the bot begins and ends the transaction and sets its limits itself"
	changesRights = "it changes who may do what"
	noChange      = "it does not change a table"
)

// refusedStatements are the kinds that people try, by the parser's word.
var refusedStatements = map[string]refused{
	"DropStmt":            {"DROP", destroys, "leave the object where it is, or " + byHand},
	"TruncateStmt":        {"TRUNCATE", destroys, byHand},
	"DeleteStmt":          {"DELETE", movesRows, mendRows},
	"UpdateStmt":          {"UPDATE", movesRows, mendRows},
	"InsertStmt":          {"INSERT", movesRows, mendRows},
	"MergeStmt":           {"MERGE", movesRows, mendRows},
	"CopyStmt":            {"COPY", "it moves rows and can run programs of the server", byHand},
	"RenameStmt":          {"RENAME", "the sink goes on writing to the old name and fails", "add a column with the new name"},
	"GrantStmt":           {"GRANT or REVOKE", changesRights, byHand},
	"GrantRoleStmt":       {"GRANT or REVOKE of a role", changesRights, byHand},
	"CreateRoleStmt":      {"CREATE ROLE", changesRights, byHand},
	"AlterRoleStmt":       {"ALTER ROLE", changesRights, byHand},
	"AlterOwnerStmt":      {"OWNER TO", changesRights, byHand},
	"CreateFunctionStmt":  {"CREATE FUNCTION", runsCode, byHand},
	"CreateTrigStmt":      {"CREATE TRIGGER", runsCode, byHand},
	"RuleStmt":            {"CREATE RULE", runsCode, byHand},
	"DoStmt":              {"DO", runsCode, "write the ALTER TABLE itself"},
	"CallStmt":            {"CALL", runsCode, byHand},
	"ExecuteStmt":         {"EXECUTE", runsCode, "write the ALTER TABLE itself"},
	"PrepareStmt":         {"PREPARE", runsCode, "write the ALTER TABLE itself"},
	"CreateExtensionStmt": {"CREATE EXTENSION", runsCode, byHand},
	"LoadStmt":            {"LOAD", runsCode, byHand},
	"CreateStmt":          {"CREATE TABLE", "the sink makes its tables itself, or expects them as they were designed", byHand},
	"CreateTableAsStmt":   {"CREATE TABLE AS", movesRows, byHand},
	"ViewStmt":            {"CREATE VIEW", "it is not a table of the sink", byHand},
	"VacuumStmt":          {"VACUUM or ANALYZE", "it cannot be rehearsed", byHand},
	"ReindexStmt":         {"REINDEX", "it cannot be rehearsed", byHand},
	"TransactionStmt":     {"a statement that begins or ends a transaction", ownLimits, "leave it out"},
	"VariableSetStmt":     {"SET", ownLimits, "leave it out"},
	"LockStmt":            {"LOCK", ownLimits, "leave it out"},
	"AlterSystemStmt":     {"ALTER SYSTEM", "it changes the server, not a table", byHand},
	"SelectStmt":          {"a query", noChange, "give it a command of its own"},
	"ExplainStmt":         {"EXPLAIN", noChange, "give it a command of its own"},
	"VariableShowStmt":    {"SHOW", noChange, "give it a command of its own"},
}

// refusedCommands are the parts of ALTER TABLE that people try, by the parser's word.
var refusedCommands = map[string]refused{
	"AT_DropColumn":         {"DROP COLUMN", destroys, "leave the column, which harms nothing, or " + byHand},
	"AT_SetNotNull":         {"SET NOT NULL", "it reads the whole table under a lock, and records without the value would fail from then on", byHand},
	"AT_AddConstraint":      {"ADD CONSTRAINT", "it reads the whole table under a lock, and records that break it would fail from then on", byHand},
	"AT_DropConstraint":     {"DROP CONSTRAINT", "rows that break it could not be told apart afterwards", byHand},
	"AT_ChangeOwner":        {"OWNER TO", changesRights, byHand},
	"AT_DisableTrig":        {"DISABLE TRIGGER", "what the trigger keeps right would go wrong silently", byHand},
	"AT_DisableTrigAll":     {"DISABLE TRIGGER ALL", "it turns foreign keys off too", byHand},
	"AT_EnableRowSecurity":  {"ENABLE ROW LEVEL SECURITY", changesRights, byHand},
	"AT_DisableRowSecurity": {"DISABLE ROW LEVEL SECURITY", changesRights, byHand},
	"AT_SetUnLogged":        {"SET UNLOGGED", "a crash would empty the table", byHand},
	"AT_SetTableSpace":      {"SET TABLESPACE", "it writes the whole table anew under a lock", byHand},
	"AT_AttachPartition":    {"ATTACH PARTITION", "it changes which rows belong to the table", byHand},
	"AT_DetachPartition":    {"DETACH PARTITION", "it changes which rows belong to the table", byHand},
	"AT_AddIdentity":        {"ADD GENERATED AS IDENTITY", "values come from the source, not from here", byHand},
}

// refusedConstraints are the parts of ADD COLUMN that people try, by the parser's word.
var refusedConstraints = map[string]refused{
	"CONSTR_PRIMARY":   {"PRIMARY KEY", "it makes an index under a lock and the rows that are there have no value", byHand},
	"CONSTR_UNIQUE":    {"UNIQUE", "it makes an index under a lock, and records that break it would fail from then on", "add the column without it"},
	"CONSTR_CHECK":     {"CHECK", "records that break it would fail from then on", "add the column without it"},
	"CONSTR_FOREIGN":   {"REFERENCES", "records would fail that arrive before the row they refer to", "add the column without it"},
	"CONSTR_GENERATED": {"GENERATED", "it writes the whole table anew, and values come from the source, not from here", "add a plain column"},
	"CONSTR_IDENTITY":  {"GENERATED AS IDENTITY", "it writes the whole table anew, and values come from the source, not from here", "add a plain column"},
}

// refusal says why a statement is not on the list of what is allowed.
func (s sqlStatement) refusal() error {
	if s.node == "IndexStmt" {
		return s.index()
	}
	if r, ok := refusedStatements[s.node]; ok {
		return r
	}
	return unlisted(strings.TrimSuffix(s.node, "Stmt"))
}

func (s sqlStatement) index() error {
	var x struct {
		Concurrent bool `json:"concurrent"`
	}
	if err := json.Unmarshal(s.body, &x); err == nil && x.Concurrent {
		return refused{"CREATE INDEX CONCURRENTLY", "it cannot run in a transaction, so it can be neither rehearsed nor undone", byHand}
	}
	return refused{"CREATE INDEX", "it locks writers out until the index is made", "have a database administrator run CREATE INDEX CONCURRENTLY by hand"}
}

func (c alterCommand) refusal() error {
	if r, ok := refusedCommands[c.Kind]; ok {
		return r
	}
	return unlisted("ALTER TABLE with " + strings.TrimPrefix(c.Kind, "AT_"))
}

func (c sqlConstraint) refusal() error {
	if r, ok := refusedConstraints[c.Kind]; ok {
		return r
	}
	return unlisted(strings.TrimPrefix(c.Kind, "CONSTR_"))
}

func unlisted(name string) error {
	if name == "" {
		return errors.New("an empty statement is refused; leave it out")
	}
	return refused{name, "it is not on the list of what is allowed", byHand}
}
