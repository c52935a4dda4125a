package app

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cdcbot/internal/alert"
	"cdcbot/internal/config"
	"cdcbot/internal/incident"
	"cdcbot/internal/lab"
	"cdcbot/internal/timeline"
)

const oneBook = "# Sinks fail\n\n**Alert**: `SinkFailed`\n\n## Root Causes\n\n### Cause 1: X\n\n**Solution**:\n```bash\ncurl -X PUT http://localhost:8083/connectors/a/pause\n```\n"

func put(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestShelf(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.md", oneBook)
	s, err := openShelf(Options{Config: &config.Config{Runbooks: config.Runbooks{Dir: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	first, _ := s.Book("a")
	other := strings.Replace(oneBook, "SinkFailed", "SourceFailed", 1)
	for _, row := range []struct {
		name    string
		change  func()
		changed []string
		err     string
		problem string
	}{
		{"nothing", func() {}, nil, "", ""},
		{"two answer one alert", func() { put(t, dir, "b.md", oneBook) }, nil, "both answer the alert", "stay in force"},
		{"the same again is told once", func() {}, nil, "", "stay in force"},
		{"mended by another edit", func() { put(t, dir, "b.md", other) }, []string{"runbook b"}, "", ""},
		{"an edit", func() { put(t, dir, "a.md", oneBook+"\nMore words.\n") }, []string{"runbook a"}, "", ""},
		{"nothing is left", func() { _ = os.Rename(dir, dir+".away") }, nil, "at least one .md file", "stay in force"},
		{"it is back", func() { _ = os.Rename(dir+".away", dir) }, nil, "", ""},
		{"one is taken away", func() { _ = os.Remove(filepath.Join(dir, "b.md")) }, []string{"runbook b"}, "", ""},
	} {
		row.change()
		changed, err := s.look()
		if got := slices.Sorted(maps.Keys(changed)); !slices.Equal(got, row.changed) {
			t.Errorf("%s: changed %v, want %v", row.name, got, row.changed)
		}
		if (err == nil) != (row.err == "") || err != nil && !strings.Contains(err.Error(), row.err) {
			t.Errorf("%s: got %v, want %q", row.name, err, row.err)
		}
		books, problem := s.judged()
		if (problem == nil) != (row.problem == "") || problem != nil && !strings.Contains(problem.Error(), row.problem) || len(books) == 0 {
			t.Errorf("%s: problem %v, want %q", row.name, problem, row.problem)
		}
		if row.name == "an edit" && !strings.Contains(changed["runbook a"], "\n+More words.") {
			t.Errorf("difference: %s", changed["runbook a"])
		}
	}
	if now, _ := s.Book("a"); now.SHA256 == first.SHA256 {
		t.Error("the first book is still in force")
	}
	if _, there := s.Answers("SourceFailed"); there {
		t.Error("a book that was taken away still answers")
	}
}

// An edit that is under way is taken over when it has ended: what an editor has emptied or half written is no runbook.
func TestHalfWritten(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, "a.md", oneBook)
	s, err := openShelf(Options{Config: &config.Config{Runbooks: config.Runbooks{Dir: dir}}})
	if err != nil {
		t.Fatal(err)
	}
	put(t, dir, "a.md", "")
	ended := make(chan struct{})
	time.AfterFunc(still/2, func() {
		defer close(ended)
		put(t, dir, "a.md", oneBook+"\nMore words.\n")
	})
	if changed, err := s.look(); len(changed) > 0 || err != nil {
		t.Errorf("while it is written: changed %v, %v", changed, err)
	}
	<-ended
	if changed, err := s.look(); !strings.Contains(changed["runbook a"], "\n+More words.") || strings.Contains(changed["runbook a"], "\n-") || err != nil {
		t.Errorf("when it is whole: changed %v, %v", changed, err)
	}
}

// A bot that runs takes over an edited runbook and another policy, says in open incidents what is different, and keeps the
// policy from before when the new one cannot be.
func TestReload(t *testing.T) {
	sim, server, dir := workspace(t), lab.Redis(t), t.TempDir()
	put(t, dir, "a.md", oneBook)
	text := fmt.Sprintf(tokens, 1, sim.BotToken(), sim.AppToken(), sim.APIURL()) +
		"redis: {url: 'redis://" + server.Addr + "/0', accept: [appendfsync]}\nlisten: 127.0.0.1:0\nwatch: {enabled: false}\nrunbooks: {dir: '" + dir + "'}\npipelines: {warehouse: {connect: {url: 'http://127.0.0.1:1'}}}\n"
	path := saved(t, text)
	c, err := config.Load(path, nil)
	if err != nil {
		t.Fatal(err)
	}
	rdb := redis.NewClient(&redis.Options{Addr: server.Addr})
	t.Cleanup(func() { _ = rdb.Close() })
	wake := make(chan os.Signal)
	a, err := New(t.Context(), Options{Config: c, Log: zap.NewNop(), Wake: wake, Reload: func() (*config.Config, error) { return config.Load(path, nil) }})
	if err != nil {
		t.Fatal(err)
	}
	inc, _, err := a.flow.Incidents.Receive(t.Context(), alert.Alert{Name: "SinkFailed", Status: alert.Firing, Labels: map[string]string{"alertname": "SinkFailed"}, StartsAt: time.Now()}, incident.Key{Pipeline: "warehouse"})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	var all sync.WaitGroup
	all.Go(func() {
		if err := a.Run(ctx); err != nil {
			t.Errorf("run: %v", err)
		}
	})
	defer all.Wait()
	defer cancel()
	look := func() { // a second wake is taken only after the first look has ended; the look it begins may meet the next edit half-way
		wake <- syscall.SIGHUP
		wake <- syscall.SIGHUP
	}
	look()
	put(t, dir, "a.md", oneBook+"\nMore words.\n")
	look()
	put(t, filepath.Dir(path), filepath.Base(path), text+"approval: {high_risk_approvals: 3, approvers: [U1, U2]}\n")
	look()
	put(t, filepath.Dir(path), filepath.Base(path), text+"approval: {high_risk_approvals: 4, step_up: [high]}\n")
	look()
	events, err := a.flow.Timeline.Events(t.Context(), inc.ID)
	if err != nil {
		t.Fatal(err)
	}
	var told []string
	for _, e := range events {
		if e.Type == timeline.PolicyChanged {
			var data struct{ Diff map[string]string }
			if err := json.Unmarshal(e.Data, &data); err != nil {
				t.Fatal(err)
			}
			told = append(told, e.Text+"\n"+fmt.Sprint(data.Diff))
		}
	}
	if len(told) != 2 || !strings.Contains(told[0], "runbook a") || !strings.Contains(told[0], "+More words.") ||
		!strings.Contains(told[1], "approval policy") || !strings.Contains(told[1], "-approval.high_risk_approvals: 2\n+approval.high_risk_approvals: 3") {
		t.Errorf("told:\n%s", strings.Join(told, "\n---\n"))
	}
}
