package timeline

import "strings"

// escapes keep text from being markup: it may come from a stack trace or from a stranger.
var escapes = strings.NewReplacer(
	"\\", "\\\\", "|", "\\|", "`", "\\`", "*", "\\*", "_", "\\_", "~", "\\~", "[", "\\[", "]", "\\]", "#", "\\#", "!", "\\!", "$", "\\$",
	"&", "&amp;", "<", "&lt;", ">", "&gt;", "@", "@\u200b", "://", ":\u200b//", "www.", "www\u200b.", "\r\n", " ", "\r", " ", "\n", " ", "\t", " ")

// plain is text for a heading, a table cell or a list: one line, no markup, no mention, no link.
func plain(s string) string { return escapes.Replace(visible(s)) }

// visible replaces what a reader cannot see or what turns a line around: control characters and bidirectional overrides
// (CVE-2021-42574). Line ends and tabs stay.
func visible(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n', r == '\r', r == '\t':
			return r
		case r < ' ', r >= 0x7f && r < 0xa0, r >= 0x202a && r <= 0x202e, r >= 0x2066 && r <= 0x2069, r == 0x200e, r == 0x200f, r == 0x2028, r == 0x2029:
			return '\uFFFD'
		}
		return r
	}, valid(s))
}

// code is a text as a block that nothing in it can end.
func code(s string) string {
	fence := "```"
	for strings.Contains(s, fence) {
		fence += "`"
	}
	return fence + "text\n" + strings.TrimRight(visible(s), "\r\n") + "\n" + fence + "\n"
}

var inCode = strings.NewReplacer("`", "'", "|", "\\|", "\n", " ", "\r", " ", "\t", " ")

// exact is a short text in code type: a hash, an ID. Back quotes cannot be in it.
func exact(s string) string {
	if s == "" {
		return ""
	}
	return "`" + inCode.Replace(visible(s)) + "`"
}
