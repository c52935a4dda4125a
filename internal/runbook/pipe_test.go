package runbook

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"cdcbot/internal/action"
)

func TestGrepDialects(t *testing.T) {
	cases := []struct {
		name    string
		grep    []string
		yes, no []string
	}{
		{"basic alternation", []string{`grep`, `ERROR\|FAILED`}, []string{"an ERROR", "FAILED"}, []string{"ok", `ERROR\|`[:3]}},
		{"basic: a bar is a bar", []string{`grep`, `a|b`}, []string{"a|b"}, []string{"a", "b"}},
		{"basic: parentheses are themselves", []string{`grep`, `put(x)`}, []string{"put(x)"}, []string{"putx"}},
		{"basic group", []string{`grep`, `^\(ab\)\{2\}$`}, []string{"abab"}, []string{"ab", "(ab){2}"}},
		{"basic plus is a plus", []string{`grep`, `1+1`}, []string{"1+1"}, []string{"11"}},
		{"GNU plus", []string{`grep`, `a\+`}, []string{"aa"}, []string{"b"}},
		{"a star at the start", []string{`grep`, `*x`}, []string{"*x"}, []string{"x"}},
		{"a caret inside", []string{`grep`, `a^b`}, []string{"a^b"}, []string{"ab"}},
		{"a dollar inside", []string{`grep`, `cost$5`}, []string{"cost$5"}, []string{"cost5"}},
		{"anchors", []string{`grep`, `^a.c$`}, []string{"abc"}, []string{"abcd", "xabc"}},
		{"word marks", []string{`grep`, `\<cat\>`}, []string{"a cat b"}, []string{"cats"}},
		{"a class", []string{`grep`, `[[:digit:]][[:digit:]]`}, []string{"x42"}, []string{"4x"}},
		{"a backslash in brackets", []string{`grep`, `[\.]`}, []string{`a\b`, "."}, []string{"ab"}},
		{"extended", []string{`grep`, `-E`, `(ERROR|WARN).*[0-9]+`}, []string{"WARN 1"}, []string{"INFO 1"}},
		{"egrep", []string{`egrep`, `a|b`}, []string{"b"}, []string{"c"}},
		{"fixed", []string{`grep`, `-F`, `a.b*`}, []string{"xa.b*"}, []string{"aab"}},
		{"any case", []string{`grep`, `-i`, `error`}, []string{"ERROR"}, []string{"warn"}},
		{"joined flags", []string{`grep`, `-iE`, `a+b`}, []string{"AAB"}, []string{"b"}},
		{"whole word", []string{`grep`, `-w`, `cat`}, []string{"cat!"}, []string{"concat"}},
		{"several", []string{`grep`, `-e`, `a1`, `-e`, `b2`}, []string{"b2"}, []string{"c"}},
		{"Perl", []string{`grep`, `-P`, `\d{2}`}, []string{"42"}, []string{"4"}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pipe, why := piped([][]string{c.grep})
			if why != "" || len(pipe) != 1 || pipe[0].Grep == nil {
				t.Fatalf("%q: got %+v, %q", c.grep, pipe, why)
			}
			re := regexp.MustCompile(pipe[0].Grep.Pattern)
			for _, text := range c.yes {
				if !re.MatchString(text) {
					t.Errorf("%q → %s does not match %q", c.grep, re, text)
				}
			}
			for _, text := range c.no {
				if re.MatchString(text) {
					t.Errorf("%q → %s matches %q", c.grep, re, text)
				}
			}
		})
	}
}

func TestPipes(t *testing.T) {
	cases := []struct{ name, want, why string }{
		{"jq .", "", ""},
		{"jq -r .a", `jq .a`, ""},
		{"head -5", "head 5", ""},
		{"head -n 5", "head 5", ""},
		{"tail --lines=7", "tail 7", ""},
		{"tail", "tail 10", ""},
		{"tail -f", "", "never ends"},
		{"wc -l", "count-lines", ""},
		{"wc -c", "", "something else"},
		{"sort -u", "sort-unique", ""},
		{"uniq -c", "unique-count", ""},
		{"less", "", ""},
		{"python3 -m json.tool", "", ""},
		{"tee out.txt", "", "writes a file"},
		{"awk {print}", "", "pipes into awk"},
		{"grep x file", "", "reads a file"},
		{`grep \(a\)\1`, "", "refers to"},
		{"grep -r x", "", "does not know grep's -r"},
		{"xargs rm", "", "pipes into xargs"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			pipe, why := piped([][]string{strings.Split(c.name, " ")})
			if c.why != "" {
				if !strings.Contains(why, c.why) {
					t.Errorf("got why %q, want %q", why, c.why)
				}
				return
			}
			if got := pipeText(pipe); why != "" || got != c.want {
				t.Errorf("got %s, %q; want %s", got, why, c.want)
			}
		})
	}
}

// pipeText is a pipe as the table writes it.
func pipeText(pipe action.Pipe) string {
	var words []string
	for _, s := range pipe {
		switch {
		case s.JQ != "":
			words = append(words, "jq "+s.JQ)
		case s.Head > 0:
			words = append(words, fmt.Sprint("head ", s.Head))
		case s.Tail > 0:
			words = append(words, fmt.Sprint("tail ", s.Tail))
		default:
			words = append(words, s.Order)
		}
	}
	return strings.Join(words, " | ")
}
