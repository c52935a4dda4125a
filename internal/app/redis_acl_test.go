package app

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"cdcbot/internal/config"
)

const (
	aclUser     = "cdcbot"
	aclPassword = "acl-password-of-the-test"
)

// The ACLs of docs/redis.md, in its order.
const (
	aclOfServers = iota
	aclOfSentinels
)

// documented is an ACL that docs/redis.md gives, as arguments of the command.
func documented(t *testing.T, which int) []any {
	t.Helper()
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "redis.md"))
	if err != nil {
		t.Fatal(err)
	}
	blocks := regexp.MustCompile("(?s)```\n(ACL SETUSER .*?)```").FindAllSubmatch(page, -1)
	if len(blocks) != 2 {
		t.Fatalf("docs/redis.md has %d blocks that start with ACL SETUSER, want the servers' and the Sentinels'", len(blocks))
	}
	var args []any
	for _, word := range strings.Fields(strings.ReplaceAll(string(blocks[which][1]), "PASSWORD", aclPassword)) {
		args = append(args, word)
	}
	return args
}

// rare are commands of the ACL that the incident of this test does not reach, and when they are.
var rare = map[string]string{
	"select": "redis.url or redis.sentinel.database with another number than 0",
	"pttl":   "a pipeline that another run has",
}

// What no incident of a test may reach is in the scripts: the ACL allows every command of all of them.
func TestACLAllowsEveryScript(t *testing.T) {
	acl := fmt.Sprint(documented(t, aclOfServers)...)
	scripts, err := filepath.Glob(filepath.Join("..", "*", "*.lua"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		source, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, call := range regexp.MustCompile(`redis\.p?call\(['"](\w+)['"]`).FindAllSubmatch(source, -1) {
			if command := strings.ToLower(string(call[1])); !strings.Contains(acl+"+", "+"+command+"+") {
				t.Errorf("%s calls %s, which the ACL of docs/redis.md lacks", script, command)
			}
		}
	}
}

func TestWholeIncidentUnderTheDocumentedACL(t *testing.T) {
	t.Parallel()
	one := boot(t, promised...)
	n := bootCluster(t, true, "--min-replicas-to-write", "1")
	used := map[string]bool{}
	for _, row := range []struct {
		name    string
		servers []*server
		config  config.Redis
	}{
		{"one server", []*server{one}, config.Redis{URL: "redis://" + one.addr}},
		{"cluster", append(n.masters[:3:3], n.replicas...), n.config()},
	} {
		t.Run(row.name, func(t *testing.T) {
			for _, s := range row.servers {
				s.do(documented(t, aclOfServers)...)
				s.do("CONFIG", "RESETSTAT")
			}
			row.config.Username, row.config.Password = aclUser, aclPassword
			o := newOutage(t, row.config)
			o.ready()
			o.fail()
			o.heal()
			o.scraped()
			for _, s := range row.servers {
				for _, refusal := range refusals(s) {
					t.Errorf("%s refused: %s", s.addr, refusal)
				}
				for command := range parseInfo(s.own.Info(context.Background(), "commandstats").Val()) {
					used[strings.TrimPrefix(command, "cmdstat_")] = true
				}
			}
		})
	}
	for _, word := range documented(t, aclOfServers) {
		command, ok := strings.CutPrefix(word.(string), "+")
		if _, known := rare[command]; ok && !used[command] && !known {
			t.Errorf("nothing used %s: take it out of the ACL, or say in rare when it is needed", command)
		}
	}
}

// refusals are what the server's ACL denied, but for CONFIG, which the bot may be refused once.
func refusals(s *server) (list []string) {
	log, err := s.own.ACLLog(context.Background(), 100).Result()
	if err != nil {
		return []string{err.Error()}
	}
	for _, entry := range log {
		if entry.Reason == "command" && entry.Object == "config|get" && entry.Count == 1 {
			continue
		}
		list = append(list, fmt.Sprintf("%s %s, %d times, from %s", entry.Reason, entry.Object, entry.Count, entry.ClientInfo.Addr))
	}
	return list
}

// scraped reads the metrics once: the depth of the queue is a script of its own.
func (o *outage) scraped() {
	o.t.Helper()
	answer, err := http.Get("http://" + o.app.Addr() + "/metrics")
	o.check(err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	o.check(err)
	if !strings.Contains(string(text), `cdcbot_jobs{state="dead"} 0`) {
		o.t.Errorf("the metrics lack the depth of the queue:\n%s", o.warnings())
	}
}

// The Sentinels' user may ask who the master is, and hear of another; a failover is survived with that.
func TestSentinelsUnderTheDocumentedACL(t *testing.T) {
	t.Parallel()
	s := bootTrio(t, "--min-replicas-to-write", "1")
	for _, each := range append(s.replicas[:2:2], s.master) {
		each.do(documented(t, aclOfServers)...)
	}
	for _, each := range s.sentinels {
		each.do(documented(t, aclOfSentinels)...)
	}
	c := s.config()
	c.Username, c.Password, c.Sentinel.Username, c.Sentinel.Password = aclUser, aclPassword, aclUser, aclPassword
	rdb := open(t, c)
	if err := ping(t.Context(), rdb); err != nil {
		t.Fatal(err)
	}
	wrong := c
	wrong.Sentinel.Password = "wrong"
	if err := ping(t.Context(), open(t, wrong)); err == nil {
		t.Error("the Sentinels took a wrong password")
	}
	s.master.kill()
	s.promoted()
	eventually(t, "the next master is found", func() bool { return ping(t.Context(), rdb) == nil })
	for _, each := range append(s.replicas[:2:2], s.sentinels...) {
		for _, refusal := range refusals(each) {
			if !strings.HasPrefix(refusal, "auth") { // the wrong password above
				t.Errorf("%s refused: %s", each.addr, refusal)
			}
		}
	}
}
