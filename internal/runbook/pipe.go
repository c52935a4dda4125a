package runbook

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"cdcbot/internal/action"
)

// programs are what a command may be piped into. Each reads its words to a stage of the pipe; a zero stage changes
// nothing, and why says that it cannot be done without a shell.
var programs = map[string]func(words []string) (stage action.Stage, why string){
	"jq":   jqStage,
	"grep": grepStage,
	"egrep": func(words []string) (action.Stage, string) {
		return grepStage(append([]string{"grep", "-E"}, words[1:]...))
	},
	"fgrep": func(words []string) (action.Stage, string) {
		return grepStage(append([]string{"grep", "-F"}, words[1:]...))
	},
	"head":    headStage,
	"tail":    tailStage,
	"wc":      only("-l", action.CountLines),
	"sort":    sortStage,
	"uniq":    uniqStage,
	"less":    shows,
	"more":    shows,
	"cat":     shows,
	"tee":     teeStage,
	"json_pp": func([]string) (action.Stage, string) { return action.Stage{JQ: "."}, "" },
	"column":  shows,
	"python":  prettyPython,
	"python3": prettyPython,
}

// piped joins what a command is piped into.
func piped(chain [][]string) (action.Pipe, string) {
	var pipe action.Pipe
	for _, words := range chain {
		read, ok := programs[words[0]]
		if !ok {
			return nil, "it pipes into " + firstWord(words[0])
		}
		stage, why := read(words)
		if why != "" {
			return nil, why
		}
		if len(inputsIn(stage.JQ)) > 0 || stage.Grep != nil && len(inputsIn(stage.Grep.Pattern)) > 0 {
			return nil, "a placeholder behind a pipe would run what somebody types"
		}
		if stage == (action.Stage{}) || stage.JQ == "." && len(pipe) == 0 && len(chain) == 1 {
			continue // it only prints
		}
		pipe = append(pipe, stage)
	}
	return pipe, ""
}

func shows(words []string) (action.Stage, string) {
	for _, w := range words[1:] {
		if !strings.HasPrefix(w, "-") {
			return action.Stage{}, "its " + words[0] + " reads a file"
		}
	}
	return action.Stage{}, ""
}

func teeStage(words []string) (action.Stage, string) {
	if len(words) == 2 && words[1] == "/dev/null" {
		return action.Stage{}, ""
	}
	return action.Stage{}, "it writes a file"
}

func prettyPython(words []string) (action.Stage, string) {
	if strings.Join(words[1:], " ") == "-m json.tool" {
		return action.Stage{JQ: "."}, ""
	}
	return action.Stage{}, "it pipes into " + words[0]
}

func only(flag, order string) func([]string) (action.Stage, string) {
	return func(words []string) (action.Stage, string) {
		if len(words) == 2 && words[1] == flag {
			return action.Stage{Order: order}, ""
		}
		return action.Stage{}, fmt.Sprintf("its %s does something else than %s", words[0], flag)
	}
}

func sortStage(words []string) (action.Stage, string) {
	order := action.Sort
	for _, w := range words[1:] {
		switch w {
		case "-u", "--unique":
			order = action.SortUnique
		default:
			return action.Stage{}, "its sort does something else than sort lines"
		}
	}
	return action.Stage{Order: order}, ""
}

func uniqStage(words []string) (action.Stage, string) {
	switch strings.Join(words[1:], " ") {
	case "":
		return action.Stage{Order: action.Unique}, ""
	case "-c", "--count":
		return action.Stage{Order: action.UniqueCount}, ""
	}
	return action.Stage{}, "its uniq does something else than count"
}

func headStage(words []string) (action.Stage, string) {
	n, why := lineCount(words)
	return action.Stage{Head: n}, why
}

func tailStage(words []string) (action.Stage, string) {
	if slices.Contains(words, "-f") || slices.Contains(words, "-F") {
		return action.Stage{}, "its tail never ends"
	}
	n, why := lineCount(words)
	return action.Stage{Tail: n}, why
}

var digits = regexp.MustCompile(`^(?:-n|--lines=|-)?(\d{1,6})$`)

// lineCount reads -20, -n 20, -n20 and --lines=20; ten is what head and tail show when nothing is said.
func lineCount(words []string) (int, string) {
	rest := slices.DeleteFunc(slices.Clone(words[1:]), func(w string) bool { return w == "-n" || w == "--lines" || w == "-q" })
	if len(rest) == 0 {
		return 10, ""
	}
	m := digits.FindStringSubmatch(rest[0])
	if m == nil || len(rest) > 1 {
		return 0, fmt.Sprintf("its %s does something else than count lines", words[0])
	}
	n, _ := strconv.Atoi(m[1]) // six digits at most
	return max(n, 1), ""
}

// greps is a grep that is being read.
type greps struct {
	action.Grep
	dialect  byte // 'G' basic, 'E' extended, 'F' fixed, 'P' Perl
	ignore   bool
	word     bool
	line     bool
	patterns []string
}

// grepFlags are options without a value.
var grepFlags = map[string]func(*greps){
	"-i": func(g *greps) { g.ignore = true }, "--ignore-case": func(g *greps) { g.ignore = true }, "-y": func(g *greps) { g.ignore = true },
	"-v": func(g *greps) { g.Invert = true }, "--invert-match": func(g *greps) { g.Invert = true },
	"-o": func(g *greps) { g.Only = true }, "--only-matching": func(g *greps) { g.Only = true },
	"-c": func(g *greps) { g.Count = true }, "--count": func(g *greps) { g.Count = true },
	"-n": func(g *greps) { g.Numbers = true }, "--line-number": func(g *greps) { g.Numbers = true },
	"-w": func(g *greps) { g.word = true }, "--word-regexp": func(g *greps) { g.word = true },
	"-x": func(g *greps) { g.line = true }, "--line-regexp": func(g *greps) { g.line = true },
	"-E": func(g *greps) { g.dialect = 'E' }, "--extended-regexp": func(g *greps) { g.dialect = 'E' },
	"-F": func(g *greps) { g.dialect = 'F' }, "--fixed-strings": func(g *greps) { g.dialect = 'F' },
	"-P": func(g *greps) { g.dialect = 'P' }, "--perl-regexp": func(g *greps) { g.dialect = 'P' },
	"-G": func(*greps) {}, "-a": func(*greps) {}, "--text": func(*greps) {}, "-s": func(*greps) {}, "-h": func(*greps) {}, "-q": func(*greps) {}, "--quiet": func(*greps) {},
	"--color": func(*greps) {}, "--color=auto": func(*greps) {}, "--color=always": func(*greps) {}, "--color=never": func(*greps) {}, "--line-buffered": func(*greps) {},
}

// grepValues are options with one.
var grepValues = map[string]func(g *greps, value string) bool{
	"-e": pattern, "--regexp": pattern,
	"-A": count(func(g *greps) *int { return &g.After }), "--after-context": count(func(g *greps) *int { return &g.After }),
	"-B": count(func(g *greps) *int { return &g.Before }), "--before-context": count(func(g *greps) *int { return &g.Before }),
	"-m": count(func(g *greps) *int { return &g.Max }), "--max-count": count(func(g *greps) *int { return &g.Max }),
	"-C": around, "--context": around,
}

func pattern(g *greps, value string) bool {
	g.patterns = append(g.patterns, value)
	return true
}

func around(g *greps, value string) bool {
	return count(func(g *greps) *int { return &g.After })(g, value) && count(func(g *greps) *int { return &g.Before })(g, value)
}

func count(into func(*greps) *int) func(*greps, string) bool {
	return func(g *greps, value string) bool {
		n, err := strconv.Atoi(value)
		*into(g) = n
		return err == nil && n >= 0 && n <= 10_000
	}
}

func grepStage(words []string) (action.Stage, string) {
	g := greps{dialect: 'G'}
	var rest []string
	for i := 1; i < len(words); i++ {
		w := words[i]
		if !strings.HasPrefix(w, "-") || w == "-" {
			rest = append(rest, w)
			continue
		}
		used, ok := g.option(w, words[i+1:])
		if !ok {
			return action.Stage{}, "the bot does not know grep's " + w
		}
		i += used
	}
	if len(g.patterns) == 0 && len(rest) > 0 {
		g.patterns, rest = rest[:1], rest[1:]
	}
	if len(g.patterns) == 0 || len(rest) > 0 {
		return action.Stage{}, "its grep reads a file or has no pattern"
	}
	return g.stage()
}

// option reads "-A 10", "-A10", "-iE", "--context=3" and "-5".
func (g *greps) option(w string, rest []string) (used int, ok bool) {
	if set, flag := grepFlags[w]; flag {
		set(g)
		return 0, true
	}
	if n := strings.TrimPrefix(w, "-"); n != "" && strings.Trim(n, "0123456789") == "" {
		return 0, around(g, n)
	}
	name, value, has := strings.Cut(w, "=")
	if set, valued := grepValues[name]; valued {
		if has {
			return 0, set(g, value)
		}
		return 1, len(rest) > 0 && set(g, rest[0])
	}
	if strings.HasPrefix(w, "--") || len(w) < 3 {
		return 0, false
	}
	return g.letters(w[1:], rest)
}

// letters reads several short options in one word; the last may have a value.
func (g *greps) letters(word string, rest []string) (used int, ok bool) {
	for i := range len(word) {
		name := "-" + word[i:i+1]
		if set, flag := grepFlags[name]; flag {
			set(g)
			continue
		}
		set, valued := grepValues[name]
		switch {
		case !valued:
			return 0, false
		case i+1 < len(word):
			return 0, set(g, word[i+1:])
		default:
			return 1, len(rest) > 0 && set(g, rest[0])
		}
	}
	return 0, true
}

func (g *greps) stage() (action.Stage, string) {
	parts := make([]string, len(g.patterns))
	for i, p := range g.patterns {
		text, why := g.translate(p)
		if why != "" {
			return action.Stage{}, why
		}
		parts[i] = text
	}
	g.Pattern = strings.Join(parts, "|")
	if len(parts) > 1 {
		g.Pattern = "(?:" + strings.Join(parts, ")|(?:") + ")"
	}
	if g.word {
		g.Pattern = `\b(?:` + g.Pattern + `)\b`
	}
	if g.line {
		g.Pattern = `^(?:` + g.Pattern + `)$`
	}
	if g.ignore {
		g.Pattern = "(?i)" + g.Pattern
	}
	if _, err := regexp.Compile(g.Pattern); err != nil {
		return action.Stage{}, "its grep pattern needs more than RE2 can do"
	}
	return action.Stage{Grep: &g.Grep}, ""
}

func (g *greps) translate(p string) (string, string) {
	switch g.dialect {
	case 'F':
		return regexp.QuoteMeta(p), ""
	case 'E', 'P':
		return brackets(p), ""
	}
	return basic(p)
}

// bracketed matches a bracket expression of POSIX, in which a backslash is a character like any other.
var bracketed = regexp.MustCompile(`\[\^?\]?(?:\[:[a-z]+:\]|[^\]])*\]`)

// brackets escapes backslashes in bracket expressions, where RE2 would take them for escapes.
func brackets(p string) string {
	return bracketed.ReplaceAllStringFunc(p, func(m string) string {
		if strings.Contains(m, `\d`) || strings.Contains(m, `\w`) || strings.Contains(m, `\s`) || strings.Contains(m, `\]`) || strings.Contains(m, `\"`) {
			return m // written with Perl's classes in mind
		}
		return strings.ReplaceAll(m, `\`, `\\`)
	})
}

// swapped are characters that are special in a basic expression only behind a backslash, and in RE2 only without.
const swapped = "(){}|+?"

// basic translates POSIX's basic regular expressions, with GNU's \| \+ \? \< and \>, to RE2 (POSIX XBD 9.3).
func basic(p string) (re, why string) {
	var b strings.Builder
	begin := true // where ^ and * mean something else
	for i := 0; i < len(p); i++ {
		ch := p[i]
		switch {
		case ch == '[':
			m := bracketed.FindStringIndex(p[i:])
			if m == nil || m[0] != 0 {
				b.WriteString(`\[`)
				break
			}
			b.WriteString(strings.ReplaceAll(p[i:i+m[1]], `\`, `\\`))
			i += m[1] - 1
		case ch == '\\' && i+1 < len(p):
			i++
			text, opens, bad := escape(p[i])
			if bad != "" {
				return "", bad
			}
			b.WriteString(text)
			begin = opens
			continue
		case ch == '*' && begin, ch == '^' && !begin, ch == '$' && !endsHere(p[i+1:]):
			b.WriteString(`\` + string(ch))
		case strings.IndexByte(swapped, ch) >= 0:
			b.WriteString(`\` + string(ch))
		default:
			b.WriteByte(ch)
			begin = ch == '^' && begin
			continue
		}
		begin = false
	}
	return b.String(), ""
}

// endsHere reports whether a basic expression ends before rest, so that a $ is an anchor.
func endsHere(rest string) bool {
	return rest == "" || strings.HasPrefix(rest, `\)`) || strings.HasPrefix(rest, `\|`)
}

func escape(ch byte) (text string, opens bool, why string) {
	switch {
	case strings.IndexByte(swapped, ch) >= 0:
		return string(ch), ch == '(' || ch == '|', ""
	case ch == '<' || ch == '>':
		return `\b`, false, ""
	case ch >= '1' && ch <= '9':
		return "", false, "its grep pattern refers to what it has matched"
	case ch == '`' || ch == '\'':
		return "", false, "its grep pattern anchors to a buffer"
	case strings.IndexByte("wWsSbB.*[]^$/\\-\"", ch) >= 0:
		return `\` + string(ch), false, ""
	}
	return regexp.QuoteMeta(string(ch)), false, ""
}
