package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

// fence is one block of code in a page, with what stands behind the three backticks.
var fence = regexp.MustCompile("(?ms)^```([a-z ]+)\n(.*?)^```$")

// prints is a command's output, which is read while it runs.
type prints struct {
	mu   sync.Mutex
	text bytes.Buffer
	more chan struct{} // signals each write
}

func (p *prints) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	select {
	case p.more <- struct{}{}:
	default:
	}
	return p.text.Write(b)
}

func (p *prints) String() string { p.mu.Lock(); defer p.mu.Unlock(); return p.text.String() }

// serve runs `demo workspace` until the test ends and returns what it printed.
func serve(t *testing.T, args ...string) string {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	out := &prints{more: make(chan struct{}, 1)}
	done := make(chan error, 1)
	go func() { done <- run(ctx, append([]string{"workspace"}, args...), out) }()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("the workspace ended with %v", err)
		}
	})
	select {
	case <-out.more:
	case err := <-done:
		done <- nil
		t.Fatalf("the workspace does not start: %v", err)
	case <-time.After(10 * time.Second):
		t.Fatal("the workspace says nothing")
	}
	return out.String()
}

// TestTheCommandsOfTheDocs runs what docs/slacksim.md says, block by block, and looks for the lines that it promises.
func TestTheCommandsOfTheDocs(t *testing.T) {
	for _, name := range []string{"bash", "curl"} {
		if _, err := exec.LookPath(name); err != nil {
			if os.Getenv("CI") == "true" || os.Getenv("CDCBOT_LAB") == "1" {
				t.Fatalf("%s is missing", name)
			}
			t.Skipf("left out: %s", name)
		}
	}
	t.Chdir(filepath.Join("..", ".."))
	page, err := os.ReadFile(filepath.Join("docs", "slacksim.md"))
	if err != nil {
		t.Fatal(err)
	}
	var address, output string
	var env []string
	ran := 0
	for _, block := range fence.FindAllStringSubmatch(string(page), -1) {
		kind, code := block[1], strings.ReplaceAll(block[2], "http://127.0.0.1:4000", address)
		switch kind {
		case "sh start":
			address, output, env = started(t, block[2])
			ran++
		case "sh":
			cmd := exec.CommandContext(t.Context(), "bash", "-euc", code)
			cmd.Env = append(os.Environ(), env...)
			raw, err := cmd.CombinedOutput()
			if output = string(raw); err != nil {
				t.Errorf("%s\n%v\n%s", code, err, output)
			}
			ran++
		case "text":
			for _, want := range strings.Split(strings.TrimSpace(strings.ReplaceAll(block[2], "http://127.0.0.1:4000", address)), "\n") {
				if !strings.Contains(output, want) {
					t.Errorf("the docs promise %q, and the output is\n%s", want, output)
				}
			}
		}
	}
	if ran < 4 {
		t.Errorf("%d blocks ran, want the four of the page", ran)
	}
}

// started runs the docs' first command on a free port: its address, what it printed, and the settings in that.
func started(t *testing.T, code string) (address, output string, env []string) {
	t.Helper()
	_, flags, ok := strings.Cut(code, "demo workspace ")
	if !ok {
		t.Fatalf("the docs start with %q, expected a demo workspace", code)
	}
	output = serve(t, strings.Fields(strings.Replace(flags, "127.0.0.1:4000", "127.0.0.1:0", 1))...)
	for _, line := range strings.Split(output, "\n") {
		if setting, ok := strings.CutPrefix(line, "export "); ok {
			env = append(env, setting)
		}
		if url, ok := strings.CutPrefix(line, "export SLACK_API_URL="); ok {
			address = strings.TrimSuffix(url, "/api/")
		}
	}
	return address, output, env
}

func TestWorkspaceArgumentsAreChecked(t *testing.T) {
	people := func(text string) string {
		file := filepath.Join(t.TempDir(), "people.json")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return file
	}
	for _, row := range []struct {
		name string
		args []string
		want string
	}{
		{"an argument", []string{"now"}, "expected only flags"},
		{"no manifest", []string{"-manifest", "nowhere.yaml"}, "-manifest"},
		{"no people", []string{"-people", "nowhere.json"}, "-people"},
		{"an unknown field", []string{"-people", people(`{"persons":[]}`)}, "persons"},
		{"a user without a name", []string{"-people", people(`{"users":[{"id":"U1"}]}`)}, "needs a name"},
		{"no address", []string{"-listen", "nowhere"}, "starting the workspace"},
	} {
		err := run(t.Context(), append([]string{"workspace"}, row.args...), &prints{more: make(chan struct{}, 1)})
		if err == nil || !strings.Contains(err.Error(), row.want) {
			t.Errorf("%s: got %v, want %q in it", row.name, err, row.want)
		}
	}
	if out := serve(t, "-listen", "127.0.0.1:0", "-people", people(`{"users":[{"id":"U1","name":"one"}],"channels":[{"id":"C1","name":"only"}]}`)); !strings.Contains(out, "xoxb-sim-") {
		t.Errorf("without -bot-token it prints %s", out)
	}
}
