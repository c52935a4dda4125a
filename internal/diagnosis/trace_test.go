package diagnosis

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var traces = []struct {
	name, text string
	links      []string // simple class, message's first line after a colon; wrappers in parentheses
	root       string
	suppressed int
	circular   bool
	truncated  bool
}{
	{name: "empty", text: ""},
	{name: "no exception", text: "it does not work\n at all"},
	{name: "one line", text: "java.net.ConnectException: Connection refused", links: []string{"ConnectException: Connection refused"}, root: "ConnectException"},
	{name: "no message", text: "java.io.EOFException\n\tat a.B.c(B.java:1)\n", links: []string{"EOFException"}, root: "EOFException"},
	{name: "no package", text: "MyException: x\n\tat a.B.c(B.java:1)\n", links: []string{"MyException: x"}, root: "MyException"},
	{name: "chain", text: "org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.\n\tat a.B.c(B.java:1)\nCaused by: java.sql.SQLException: no\n\tat d.E.f(E.java:2)\n\t... 12 more\n",
		links: []string{"(ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.)", "SQLException: no"}, root: "SQLException"},
	{name: "crlf", text: "a.b.XException: x\r\n\tat a.B.c(B.java:1)\r\nCaused by: a.b.YException: y\r\n\tat a.B.d(B.java:2)\r\n",
		links: []string{"XException: x", "YException: y"}, root: "YException"},
	{name: "escaped", text: `a.b.XException: x \"q\"\n\tat a.B.c(B.java:1)\nCaused by: a.b.YException: y\n`,
		links: []string{`XException: x "q"`, "YException: y"}, root: "YException"},
	{name: "message of several lines", text: "org.postgresql.util.PSQLException: ERROR: bad\n  Hint: cast it.\n  Position: 48\n\tat a.B.c(B.java:1)\nCaused by: a.b.YException: y",
		links: []string{"PSQLException: ERROR: bad", "YException: y"}, root: "YException"},
	{name: "suppressed has a cause of its own", text: "a.b.XException: x\n\tat a.B.c(B.java:1)\n\tSuppressed: a.b.SException: s\n\t\tat a.B.s(B.java:9)\n\t\t... 1 more\n\tCaused by: a.b.TException: t\n\t\t... 1 more\nCaused by: a.b.YException: y\n\t... 1 more\n",
		links: []string{"XException: x", "YException: y"}, root: "YException", suppressed: 2},
	{name: "suppressed without indentation", text: "a.b.XException: x\nat a.B.c(B.java:1)\nSuppressed: a.b.SException: s\nat a.B.s(B.java:9)\nCaused by: a.b.YException: y\n",
		links: []string{"XException: x", "YException: y"}, root: "YException", suppressed: 1},
	{name: "circular, Java 8", text: "a.b.XException: x\n\tat a.B.c(B.java:1)\nCaused by: a.b.YException: y\n\tat a.B.c(B.java:2)\n\t[CIRCULAR REFERENCE:a.b.XException: x]\n",
		links: []string{"XException: x", "YException: y"}, root: "YException", circular: true},
	{name: "circular, Java 17", text: "a.b.XException: x\n\tat a.B.c(B.java:1)\nCaused by: [CIRCULAR REFERENCE: a.b.XException: x]\n",
		links: []string{"XException: x"}, root: "XException", circular: true},
	{name: "logback, root first", text: "a.b.YException: y\n\tat a.B.c(B.java:1)\nWrapped by: a.b.XException: x\n\tat a.B.d(B.java:1)\n\t... 3 common frames omitted\n",
		links: []string{"XException: x", "YException: y"}, root: "YException"},
	{name: "log line before", text: "[2026-11-23 01:02:03,456] ERROR WorkerSinkTask{id=s-0} Task threw an uncaught exception. Error: no (org.apache.kafka.connect.runtime.WorkerSinkTask:612)\norg.apache.kafka.connect.errors.DataException: bad\n\tat a.B.c(B.java:1)\n[2026-11-23 01:02:04,000] INFO next (x)\n",
		links: []string{"DataException: bad"}, root: "DataException"},
	{name: "thread before", text: "Exception in thread \"main\" java.lang.OutOfMemoryError: Java heap space\n\tat a.B.c(B.java:1)",
		links: []string{"OutOfMemoryError: Java heap space"}, root: "OutOfMemoryError"},
	{name: "mention in a log line", text: "ERROR caught java.lang.IllegalStateException: see below\njava.sql.SQLException: no\n\tat a.B.c(B.java:1)",
		links: []string{"SQLException: no"}, root: "SQLException"},
	{name: "second trace is another", text: "a.b.XException: x\n\tat a.B.c(B.java:1)\na.b.OtherException: o\n\tat a.B.c(B.java:1)\n",
		links: []string{"XException: x"}, root: "XException"},
	{name: "cut inside a frame", text: "a.b.XException: x\n\tat a.B.c(B.java:1)\n\tat a.B.d(B.ja", links: []string{"XException: x"}, root: "XException", truncated: true},
	{name: "cut inside a cause", text: "a.b.XException: x\n\tat a.B.c(B.java:1)\nCaused b", links: []string{"XException: x"}, root: "XException", truncated: true},
	{name: "not utf-8", text: "a.b.XException: \xff\xfe\n\tat a.B.c(B.java:1)", links: []string{"XException: \uFFFD"}, root: "XException"},
	{name: "mute causes are passed over", text: "a.b.XException: x\n\tat a.B.c(B.java:1)\nCaused by: java.lang.RuntimeException\n\tat a.B.c(B.java:1)\n",
		links: []string{"XException: x", "RuntimeException"}, root: "XException"},
	{name: "carriers", text: "java.util.concurrent.ExecutionException: a.b.YException: y\n\tat a.B.c(B.java:1)\nCaused by: a.b.YException: y\n\tat a.B.c(B.java:1)\n",
		links: []string{"(ExecutionException: a.b.YException: y)", "YException: y"}, root: "YException"},
	{name: "native and module frames", text: "a.b.XException: x\n\tat java.base/sun.nio.ch.Net.pollConnect(Native Method)\n\tat app//a.B.c(B.java:1) ~[x.jar:?]\n",
		links: []string{"XException: x"}, root: "XException"},
}

func TestParseTrace(t *testing.T) {
	for _, tc := range traces {
		t.Run(tc.name, func(t *testing.T) {
			c := ParseTrace(tc.text)
			if diff := cmp.Diff(tc.links, titles(c)); diff != "" {
				t.Errorf("links of %q (-want +got):\n%s", tc.text, diff)
			}
			if got := c.Root().Simple(); got != tc.root {
				t.Errorf("root of %q = %q, want %q", tc.text, got, tc.root)
			}
			if len(c.Suppressed) != tc.suppressed || c.Circular != tc.circular || c.Truncated != tc.truncated {
				t.Errorf("%q: suppressed %d, circular %t, truncated %t", tc.text, len(c.Suppressed), c.Circular, c.Truncated)
			}
		})
	}
}

func titles(c Chain) []string {
	var list []string
	for _, l := range c.Links {
		title := l.Simple()
		if l.Message != "" {
			title += ": " + firstLine(l.Message)
		}
		if l.Wrapper {
			title = "(" + title + ")"
		}
		list = append(list, title)
	}
	return list
}

func TestFrames(t *testing.T) {
	c := ParseTrace("a.b.XException: x\n" + strings.Repeat("\tat a.B.c(B.java:1)\n", 100) + "\t... 3 more\n")
	if l := c.Links[0]; l.Depth != 100 || len(l.Frames) != maxFrames || l.Frames[0] != "a.B.c(B.java:1)" {
		t.Errorf("depth %d, %d frames, first %q", l.Depth, len(l.Frames), l.Frames[0])
	}
}

func TestExcerpt(t *testing.T) {
	c := ParseTrace(labTrace(t, "a1-postgres-down"))
	want := `org.apache.kafka.connect.errors.ConnectException: Exiting WorkerSinkTask due to unrecoverable exception.
  … 3 more that only wrap it
Caused by: org.postgresql.util.PSQLException: Connection to 127.0.0.1:18432 refused. Check that the hostname and port are correct and that the postmaster is accepting TCP/IP connections.
    at org.postgresql.core.v3.ConnectionFactoryImpl.openConnectionImpl(ConnectionFactoryImpl.java:425)
Caused by: java.net.ConnectException: Connection refused
    at java.base/sun.nio.ch.Net.pollConnect(Native Method)
    at org.postgresql.core.PGStream.createSocket(PGStream.java:271)`
	if diff := cmp.Diff(want, c.Excerpt(3000)); diff != "" {
		t.Errorf("excerpt (-want +got):\n%s", diff)
	}
	if got := c.Excerpt(40); len([]rune(got)) != 40 {
		t.Errorf("excerpt of 40 characters has %d: %q", len([]rune(got)), got)
	}
	if got := (Chain{}).Excerpt(100); got != "" {
		t.Errorf("excerpt of nothing: %q", got)
	}
}

// TestParseLinear would take minutes if parsing were quadratic.
func TestParseLinear(t *testing.T) {
	for _, piece := range []string{"\tat a.B.c(B.java:1)\n", "Caused by: a.b.XException: x\n", "x", "x\n", "\tSuppressed: a.b.X: y\n", "a.b.XException ", "[CIRCULAR REFERENCE\n", `\n`, "Wrapped by: a.b.XException: y\n", "\xff"} {
		start := time.Now()
		c := ParseTrace("a.b.FirstException: x\n" + strings.Repeat(piece, 2<<20/len(piece)))
		c.Excerpt(3000)
		if took := time.Since(start); took > 3*time.Second {
			t.Errorf("2 MB of %q took %s", piece, took)
		}
	}
}

func FuzzParseTrace(f *testing.F) {
	for _, tc := range traces {
		f.Add(tc.text)
	}
	for _, s := range samples {
		f.Add(s.trace)
	}
	f.Fuzz(func(t *testing.T, text string) {
		c := ParseTrace(text)
		if len(c.Links) > maxLinks || len(c.Suppressed) > maxLinks {
			t.Fatalf("%d links, %d suppressed", len(c.Links), len(c.Suppressed))
		}
		if n := len([]rune(c.Excerpt(200))); n > 200 {
			t.Fatalf("excerpt of %q has %d characters", text, n)
		}
		root := c.Root()
		if len(c.Links) > 0 && root.Class == "" {
			t.Fatalf("%q has links but no root: %+v", text, c.Links)
		}
	})
}

// labTrace reads a trace that a real worker gave.
func labTrace(t testing.TB, name string) string {
	t.Helper()
	data, err := os.ReadFile(filepath.Join("testdata", "lab.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]string
	if err := json.Unmarshal(data, &all); err != nil {
		t.Fatal(err)
	}
	trace, ok := all[name]
	if !ok {
		t.Fatalf("testdata/lab.json has no %s", name)
	}
	return trace
}
