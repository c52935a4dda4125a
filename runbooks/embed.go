// Package runbooks holds the runbooks that ship: Markdown that people read, and that the bot compiles.
package runbooks

import "embed"

// FS holds every runbook as NAME.md.
//
//go:embed *.md
var FS embed.FS
