package lab

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestFindPrefersEnvironmentThenFileThenDefault(t *testing.T) {
	cases := []struct {
		name, env, file, want string
	}{
		{"nothing said", "", "", "http://127.0.0.1:18083"},
		{"up.sh chose another port", "", "CDCBOT_LAB_CONNECT=http://127.0.0.1:9083\n", "http://127.0.0.1:9083"},
		{"a DSN with = in it", "", "CDCBOT_LAB_CONNECT=http://h:1/?a=b\n", "http://h:1/?a=b"},
		{"environment wins", "http://connect:8083", "CDCBOT_LAB_CONNECT=http://127.0.0.1:9083\n", "http://connect:8083"},
		{"other lines", "", "\n# CDCBOT\nCDCBOT_LAB_CONNECT\n", "http://127.0.0.1:18083"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			dir := fakeHome(t, c.file)
			t.Setenv("CDCBOT_LAB_CONNECT", c.env)
			got := Find()
			if got.Connect != c.want {
				t.Errorf("Find with env %q and file %q: got Connect %q, want %q", c.env, c.file, got.Connect, c.want)
			}
			if want := filepath.Join(dir, "run", "orders.txt"); got.OrdersFile != want {
				t.Errorf("OrdersFile: got %q, want %q", got.OrdersFile, want)
			}
		})
	}
}

func TestMissingPart(t *testing.T) {
	starting := httptest.NewServer(http.NotFoundHandler())
	t.Cleanup(starting.Close)
	cases := []struct {
		name, lab, ci, connect string
		part                   Part
		want                   string // how it ends and what it says
	}{
		{"a laptop", "", "", "http://127.0.0.1:1", Connect, "skip: left out: connect1 does not answer"},
		{"a worker that still starts", "", "", starting.URL, Connect, "answered 404 Not Found"},
		{"says how", "", "", "http://127.0.0.1:1", Connect, "(start the lab: make lab)"},
		{"where the lab is up", "1", "", "http://127.0.0.1:1", Connect, "fatal: the lab is incomplete: connect1 does not answer"},
		{"in CI", "", "true", "http://127.0.0.1:1", Connect, "fatal: the lab is incomplete: connect1 does not answer"},
		{"a part that is none", "1", "", "http://127.0.0.1:1", "oracle", `fatal: the lab is incomplete: "oracle" is no part of the lab`},
		{"an address that is none", "", "", "::", Connect, "skip: left out: connect1"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			fakeHome(t, "")
			t.Setenv("CDCBOT_LAB", c.lab)
			t.Setenv("CI", c.ci)
			t.Setenv("CDCBOT_LAB_CONNECT", c.connect)
			got := ending(t, func(tb testing.TB) { Require(tb, c.part) })
			if !strings.Contains(got, c.want) {
				t.Errorf("Require(%s) at %s: got %q, want %q in it", c.part, c.connect, got, c.want)
			}
		})
	}
}

func TestMisuse(t *testing.T) {
	fakeHome(t, "")
	cases := []struct {
		name string
		do   func(testing.TB)
		want string
	}{
		{"stopping what is shared", func(tb testing.TB) { Services{}.StopPostgres(tb) }, "needs lab.Alone"},
		{"killing what is shared", func(tb testing.TB) { Services{}.Kill9(tb, Kafka) }, "needs lab.Alone"},
		{"an order of two lines", func(tb testing.TB) { Find().Order(tb, "a\nb") }, `"a\nb" holds a line break`},
		{"a program that is not installed", func(tb testing.TB) { Program(tb, "no-such-program", "some-package") }, "apt install some-package"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			if got := ending(t, c.do); !strings.Contains(got, c.want) {
				t.Errorf("got %q, want %q in it", got, c.want)
			}
		})
	}
}

func TestAloneWaitsUntilOthersAreGone(t *testing.T) {
	fakeHome(t, "")
	alone := make(chan struct{})
	t.Run("two that share", func(t2 *testing.T) {
		lock(t2, shared)
		lock(t2, shared)
		go func() { lock(t, exclusive); close(alone) }()
		select {
		case <-alone:
			t2.Error("one has the lab alone while two share it")
		case <-time.After(300 * time.Millisecond): // three more tries
		}
	})
	select {
	case <-alone:
	case <-time.After(10 * time.Second):
		t.Error("nobody shares the lab any more, and it cannot be had alone")
	}
}

func TestOrderAppendsALine(t *testing.T) {
	dir := fakeHome(t, "")
	s := Find()
	s.Order(t, "o-1")
	s.Order(t, "o-2")
	got, err := os.ReadFile(filepath.Join(dir, "run", "orders.txt"))
	if err != nil || string(got) != "o-1\no-2\n" {
		t.Errorf("orders.txt: got %q, %v", got, err)
	}
}

func TestRowSaysWhyItCannotLook(t *testing.T) {
	s := Services{Postgres: "postgres://admin:hidden@127.0.0.1:1/warehouse"}
	_, err := s.Row(t.Context(), "o-1")
	if err == nil || !strings.Contains(err.Error(), "looking for order o-1") || strings.Contains(err.Error(), "hidden") {
		t.Errorf("got %v, want the order named and no password", err)
	}
}

// fakeHome gives the test a lab folder of its own whose run/env holds settings.
func fakeHome(t *testing.T, settings string) string {
	t.Helper()
	dir := t.TempDir()
	t.Setenv("CDCBOT_LAB_HOME", dir)
	for _, name := range []string{"CONNECT", "ORDERS_FILE"} {
		t.Setenv("CDCBOT_LAB_"+name, "")
	}
	if err := os.MkdirAll(filepath.Join(dir, "run"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "run", "env"), []byte(settings), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

// listener is a test that notes how it was ended instead of ending.
type listener struct {
	testing.TB
	end string
}

// ended stops a function under a listener, as Goexit would stop a test.
type ended struct{}

func (l *listener) Fatal(args ...any) { l.stop("fatal: " + fmt.Sprint(args...)) }
func (l *listener) Fatalf(format string, args ...any) {
	l.stop("fatal: " + fmt.Sprintf(format, args...))
}
func (l *listener) Skipf(format string, args ...any) { l.stop("skip: " + fmt.Sprintf(format, args...)) }
func (l *listener) stop(how string)                  { l.end = how; panic(ended{}) }

// ending says how do would have ended its test; "" when it would not.
func ending(t *testing.T, do func(testing.TB)) string {
	t.Helper()
	l := &listener{TB: t}
	func() {
		defer func() {
			if r := recover(); r != nil && r != any(ended{}) {
				panic(r)
			}
		}()
		do(l)
	}()
	return l.end
}
