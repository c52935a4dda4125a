package action

import "errors"

// TableChange (Change is a risk already; postgres.go uses this name, ParseDDL and ReadOnly) is one change of a table.
type TableChange struct {
	Table, Column, What string
	Statement           string
}

var errParser = errors.New("the DDL checker is not in place yet")

// ParseDDL is written in this file by its owner; until then everything is refused.
func ParseDDL(string) ([]TableChange, error) { return nil, errParser }

// ReadOnly likewise.
func ReadOnly(string) error { return errParser }
