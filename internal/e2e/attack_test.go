package e2e

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/rogpeppe/go-internal/testscript"

	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
	"cdcbot/internal/slacksim"
)

// What attackers do, as words of the scripts.

type word = func(ts *testscript.TestScript, neg bool, args []string)

var attacks = map[string]word{
	"group":    group,
	"join":     join,
	"keep":     keep,
	"repeat":   repeat,
	"fail":     failTask,
	"plant":    plant,
	"markup":   markup,
	"restart":  restart,
	"hold":     hold,
	"release":  func(ts *testscript.TestScript, _ bool, _ []string) { ts.Check(of(ts).lease.Release(within(patient))) },
	"job":      job,
	"never":    never,
	"huge":     huge,
	"slow":     slow,
	"files":    files,
	"anywhere": anywhere,
}

// worldOf is the world of a script: what it calls world are settings.
func worldOf(env *testscript.Env) (*world, error) {
	text, err := os.ReadFile(filepath.Join(env.WorkDir, "world"))
	if err != nil && !os.IsNotExist(err) {
		return nil, err
	}
	w := &world{}
	around, read := "", func(name string) string {
		content, _ := os.ReadFile(filepath.Join(env.WorkDir, name)) // not every script has one
		return string(content)
	}
	if strings.Contains(string(text), "$AROUND") {
		server := surroundings{read("vault-credentials"), read("vault-refusal"), read("worker-log")}.start()
		env.Defer(server.Close)
		around = strings.TrimPrefix(server.URL, "http://")
	}
	collector := ""
	if strings.Contains(string(text), "$COLLECTOR") {
		collector = w.collect(env)
	}
	if file := filepath.Join(env.WorkDir, "config.yaml"); read("config.yaml") != "" {
		w.file = file
	}
	for line := range strings.Lines(strings.NewReplacer("$WORK", env.WorkDir, "$AROUND", around, "$COLLECTOR", collector).Replace(string(text))) {
		key, value, _ := strings.Cut(strings.TrimSpace(line), "=")
		if key == "APPROVAL_TTL" {
			if w.ttl, err = time.ParseDuration(value); err != nil {
				return nil, err
			}
			continue
		}
		if key != "" {
			w.settings = append(w.settings, key+"="+value)
		}
	}
	return w, w.start()
}

// approvers is the user group of the scripts.
const approvers = "S0APPROVERS"

func group(ts *testscript.TestScript, _ bool, args []string) {
	var ids []string
	for name := range strings.SplitSeq(strings.Join(args, ","), ",") {
		ids = append(ids, "U0"+strings.ToUpper(name))
	}
	ts.Check(of(ts).slack.SetUsergroup(slacksim.Usergroup{ID: approvers, Handle: "cdc-approvers", Users: ids}))
}

func join(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).slack.SetUser(slacksim.User{ID: "U0" + strings.ToUpper(args[0]), Name: args[0], RealName: args[0],
		Guest: slices.Contains(args[1:], "guest"), Deleted: slices.Contains(args[1:], "deactivated")}))
}

// keep sets $NAME to the value of a button, and $NAME_r, $NAME_d and so on to its parts.
func keep(ts *testscript.TestScript, _ bool, args []string) {
	w, button := of(ts), strings.Join(args[1:], " ")
	value := ""
	err := w.slack.Wait(within(patient), "the button "+button, func() bool {
		m, ok := w.holder(button)
		value = valueOf(m.Blocks, button)
		return ok && value != ""
	})
	if err != nil {
		ts.Fatalf("%v; the thread says:\n%s", err, w.words())
	}
	ts.Setenv(args[0], value)
	var parts map[string]any
	ts.Check(json.Unmarshal([]byte(value), &parts))
	for key, part := range parts {
		ts.Setenv(args[0]+"_"+key, fmt.Sprint(part))
	}
}

func valueOf(blocks json.RawMessage, button string) string {
	var found string
	var tree any
	_ = json.Unmarshal(blocks, &tree) // no blocks, no value
	each(tree, func(o map[string]any) {
		label, _ := o["text"].(map[string]any)
		if value, ok := o["value"].(string); ok && o["type"] == "button" && label["text"] == button {
			found = value
		}
	})
	return found
}

// each visits every object of a JSON tree.
func each(tree any, see func(map[string]any)) {
	switch x := tree.(type) {
	case []any:
		for _, e := range x {
			each(e, see)
		}
	case map[string]any:
		see(x)
		for _, e := range x {
			each(e, see)
		}
	}
}

func repeat(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).slack.Inject(slacksim.Fault{Kind: "duplicate", Envelopes: args[0], Count: number(ts, args[1])}))
}

func failTask(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).worker.Fail(args[0], 0, ts.ReadFile(args[1])))
}

// markup reports whether Slack would take a text for markup anywhere: in a text of type mrkdwn, in a message's own text,
// or as a link, mention or call of a rich text. Plain text is only shown.
func markup(ts *testscript.TestScript, neg bool, args []string) {
	w, text := of(ts), strings.Join(args, " ")
	live := func(s any) bool { t, ok := s.(string); return ok && strings.Contains(t, text) }
	var found []string
	for place, tree := range w.shown() {
		each(tree, func(o map[string]any) {
			kind, _ := o["type"].(string)
			if kind == "mrkdwn" && live(o["text"]) || kind == "link" && live(o["url"]) || kind == "user" && live(o["user_id"]) || kind == "broadcast" && live(o["range"]) || kind == "message" && live(o["text"]) {
				found = append(found, fmt.Sprintf("%s: %v", place, o))
			}
		})
	}
	if neg == (len(found) > 0) {
		ts.Fatalf("%q is live markup %d times: %s", text, len(found), strings.Join(found, "\n"))
	}
}

// shown is everything of the bot's that people see, by place.
func (w *world) shown() map[string]any {
	all := map[string]any{}
	for _, m := range w.said() {
		var blocks any
		_ = json.Unmarshal(m.Blocks, &blocks) // a message may have none
		all["message "+m.TS] = map[string]any{"type": "message", "text": m.Text, "blocks": blocks}
	}
	for _, name := range people {
		who := w.slack.As(name)
		all["modal of "+name], all["home of "+name] = plainTree(who.Modal()), plainTree(who.Home())
		for i, text := range who.Ephemerals() {
			all[fmt.Sprintf("what only %s sees %d", name, i)] = map[string]any{"type": "whisper", "text": text}
		}
	}
	return all
}

var people = []string{"oncall", "approver", "manager"}

func plainTree(v any) (tree any) {
	text, err := json.Marshal(v)
	if err != nil || json.Unmarshal(text, &tree) != nil {
		return nil
	}
	return tree
}

// said is every message of the bot in every thread and direct conversation.
func (w *world) said() []slacksim.Said {
	var list []slacksim.Said
	places := []string{channel, "C0GENERAL"}
	for _, name := range people {
		places = append(places, "D0"+strings.ToUpper(name))
	}
	for _, name := range places {
		for _, root := range w.slack.Messages(name) {
			list = append(list, w.slack.Thread(name, root.TS)...)
		}
	}
	return slices.DeleteFunc(list, func(m slacksim.Said) bool { return m.User != w.slack.Bot().ID })
}

func restart(ts *testscript.TestScript, _ bool, _ []string) {
	w := of(ts)
	w.end()
	ts.Check(w.slack.Wait(within(patient), "no socket", func() bool { return w.slack.Connected() == 0 }))
	ts.Check(w.begin())
}

// hold takes the pipeline as another run would, so that what is approved has to wait.
func hold(ts *testscript.TestScript, _ bool, _ []string) {
	var err error
	w := of(ts)
	store := &incident.Store{Redis: w.hand, Now: time.Now}
	w.lease, err = store.Lease(within(patient), "pipeline:warehouse", "another run", time.Minute)
	ts.Check(err)
}

// byHand writes to Redis past the bot.
func byHand(ts *testscript.TestScript, args []string) {
	w, key := of(ts), args[1]
	switch args[0] {
	case "do":
		var call []any
		for _, a := range args[1:] {
			call = append(call, a)
		}
		ts.Check(w.hand.Do(within(patient), call...).Err())
	case "take":
		fields, err := w.hand.HGetAll(within(patient), key).Result()
		ts.Check(err)
		text, err := json.Marshal(fields)
		ts.Check(err)
		ts.Check(os.WriteFile(ts.MkAbs(args[2]), text, 0o600))
	case "put":
		var fields map[string]string
		ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[2])), &fields))
		ts.Check(w.hand.Del(within(patient), key).Err())
		ts.Check(w.hand.HSet(within(patient), key, fields).Err())
	case "edit":
		text, err := w.hand.HGet(within(patient), key, args[2]).Result()
		ts.Check(err)
		edited := strings.ReplaceAll(text, args[3], args[4])
		if edited == text {
			ts.Fatalf("%s of %s holds no %q: %s", args[2], key, args[3], text)
		}
		ts.Check(w.hand.HSet(within(patient), key, args[2], edited).Err())
	}
}

// job puts a job into the queue: whoever can write to Redis can.
func job(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(of(ts).app.Flow().Queue.Enqueue(within(patient), remediation.Job{Kind: remediation.JobKind(args[0]), Incident: args[1], Request: args[2], Run: args[3]}, time.Now()))
}

func never(ts *testscript.TestScript, _ bool, args []string) {
	if n := count(ts, args[0]); n != 0 {
		ts.Fatalf("the timeline holds %d events %s, want none", n, args[0])
	}
}

func huge(ts *testscript.TestScript, _ bool, args []string) {
	body := `{"version":"4","alerts":[{"status":"firing","labels":{"alertname":"` + strings.Repeat("x", number(ts, args[1])) + `"}}]}`
	status, _, err := of(ts).webhook(body, token)
	ts.Check(err)
	if status != number(ts, args[0]) {
		ts.Fatalf("a body of %d bytes is answered with %d, want %s", len(body), status, args[0])
	}
}

// halves are the beginnings of a call that never ends.
var halves = map[string]string{
	"header": "POST /alerts HTTP/1.1\r\nHost: bot\r\nX-Slow: ",
	"body":   "POST /alerts HTTP/1.1\r\nHost: bot\r\nAuthorization: Bearer " + token + "\r\nContent-Type: application/json\r\nContent-Length: 1000\r\n\r\n{",
}

// slow opens fifty calls that never end. Others are answered meanwhile, and all of the fifty are put out.
func slow(ts *testscript.TestScript, _ bool, args []string) {
	w := of(ts)
	var crowd sync.WaitGroup
	errs := make(chan error, 50)
	for range cap(errs) {
		conn, err := net.Dial("tcp", w.app.Addr())
		ts.Check(err)
		_, err = io.WriteString(conn, halves[args[0]])
		ts.Check(err)
		crowd.Go(func() { errs <- putOut(conn) })
	}
	answer, err := http.Get("http://" + w.app.Addr() + "/healthz")
	ts.Check(err)
	_ = answer.Body.Close() // the status is all
	if answer.StatusCode != http.StatusOK {
		ts.Fatalf("others are answered with %d meanwhile", answer.StatusCode)
	}
	crowd.Wait()
	close(errs)
	for err := range errs {
		ts.Check(err)
	}
}

// putOut waits until the server ends a connection.
func putOut(conn net.Conn) error {
	defer func() { _ = conn.Close() }() // the server has
	if err := conn.SetReadDeadline(time.Now().Add(40 * time.Second)); err != nil {
		return err
	}
	_, err := io.Copy(io.Discard, conn)
	if ne, ok := err.(net.Error); ok && ne.Timeout() {
		return fmt.Errorf("a client that never finishes is still connected after 40 s: %w", err)
	}
	return nil
}

var ourFile = regexp.MustCompile(`^INC-[0-9]+-[a-z-]+\.(md|html|json|csv|txt|log|svg|png)$`)

func files(ts *testscript.TestScript, _ bool, _ []string) {
	n := 0
	for _, m := range of(ts).said() {
		for _, name := range m.Files {
			if n++; !ourFile.MatchString(name) {
				ts.Fatalf("a file is called %q", name)
			}
		}
	}
	if n == 0 {
		ts.Fatalf("there is no file")
	}
}

// anywhere looks for a text at every exit, also as JSON and URLs spell it.
func anywhere(ts *testscript.TestScript, neg bool, args []string) {
	w, text := of(ts), strings.Join(args, " ")
	quoted, err := json.Marshal(text)
	ts.Check(err)
	spelled := []string{text, strings.Trim(string(quoted), `"`), url.QueryEscape(text), url.PathEscape(text)}
	exits, err := w.exits()
	ts.Check(err)
	var found []string
	for _, place := range slices.Sorted(maps.Keys(exits)) {
		if slices.ContainsFunc(spelled, func(s string) bool { return strings.Contains(exits[place], s) }) {
			found = append(found, place)
		}
	}
	if neg == (len(found) > 0) {
		ts.Fatalf("%q is at %d of %d exits: %s", text, len(found), len(exits), strings.Join(found, ", "))
	}
}

// exits is everything that leaves the bot, by place.
func (w *world) exits() (map[string]string, error) {
	all := map[string]string{"log": w.log.String()}
	for place, tree := range w.shown() {
		text, err := json.Marshal(tree)
		if err != nil {
			return nil, err
		}
		all[place] = string(text)
	}
	for _, m := range w.said() {
		for _, name := range m.Files {
			all["file "+name] = string(w.slack.File(name))
		}
	}
	for _, path := range []string{"/metrics", "/healthz", "/readyz", "/alerts", "/nothing"} {
		answer, err := http.Get("http://" + w.app.Addr() + path)
		if err != nil {
			return nil, err
		}
		body, err := io.ReadAll(answer.Body)
		if err = cmp.Or(err, answer.Body.Close()); err != nil {
			return nil, err
		}
		all["GET "+path] = string(body)
	}
	return all, w.stored(within(patient), all)
}

// stored adds every key of Redis with what it holds.
func (w *world) stored(ctx context.Context, all map[string]string) error {
	keys, err := w.hand.Keys(ctx, "*").Result()
	if err != nil {
		return err
	}
	for _, key := range keys {
		kind, err := w.hand.Type(ctx, key).Result()
		if err != nil {
			return err
		}
		held, err := readers[kind](ctx, w.hand, key)
		if err != nil {
			return fmt.Errorf("reading %s, a %s: %w", key, kind, err)
		}
		all["redis "+key] = fmt.Sprint(held)
	}
	return nil
}

var readers = map[string]func(context.Context, *redis.Client, string) (any, error){
	"string": func(ctx context.Context, r *redis.Client, key string) (any, error) { return r.Get(ctx, key).Result() },
	"hash": func(ctx context.Context, r *redis.Client, key string) (any, error) {
		return r.HGetAll(ctx, key).Result()
	},
	"list": func(ctx context.Context, r *redis.Client, key string) (any, error) {
		return r.LRange(ctx, key, 0, -1).Result()
	},
	"set": func(ctx context.Context, r *redis.Client, key string) (any, error) {
		return r.SMembers(ctx, key).Result()
	},
	"zset": func(ctx context.Context, r *redis.Client, key string) (any, error) {
		return r.ZRange(ctx, key, 0, -1).Result()
	},
	"stream": func(ctx context.Context, r *redis.Client, key string) (any, error) {
		return r.XRange(ctx, key, "-", "+").Result()
	},
	"none": func(context.Context, *redis.Client, string) (any, error) { return "", nil }, // it has just run out
}

// choose takes an entry of the newest menu that has it.
func choose(w *world, person slacksim.Actor, option string) error {
	var err error
	waited := w.slack.Wait(within(patient), "the entry "+option, func() bool {
		list := w.thread()
		i := len(list) - 1
		for i >= 0 && !strings.Contains(string(list[i].Blocks), option) {
			i--
		}
		if i < 0 {
			return false
		}
		err = person.Choose(within(patient), channel, list[i].TS, option)
		return !redrawn(err)
	})
	return cmp.Or(waited, err)
}

// redrawn says that a card was drawn anew between the look and the press; a person would press again.
func redrawn(err error) bool { return err != nil && strings.Contains(err.Error(), "here any more") }

// home opens the app's Home and waits until it is drawn.
func home(w *world, person slacksim.Actor) error {
	if err := person.OpenHome(); err != nil {
		return err
	}
	return w.slack.Wait(within(patient), "the Home", func() bool { return person.Home() != nil })
}

// Every script and test that docs/security.md names is there: no claim outlives its proof.
func TestSecurityPageNamesItsProofs(t *testing.T) {
	page, err := os.ReadFile("../../docs/security.md")
	if err != nil {
		t.Fatal(err)
	}
	tests, err := testNames("..")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range regexp.MustCompile(`\bTest[A-Z]\w+`).FindAllString(string(page), -1) {
		if !tests[name] {
			t.Errorf("docs/security.md names %s, which is no test", name)
		}
	}
	for _, name := range regexp.MustCompile(`[a-z-]+\.txtar`).FindAllString(string(page), -1) {
		if _, err := os.Stat(filepath.Join("testdata", name)); err != nil {
			t.Errorf("docs/security.md names %s: %v", name, err)
		}
	}
}

// testNames are all tests below a folder.
func testNames(dir string) (map[string]bool, error) {
	names := map[string]bool{}
	find := regexp.MustCompile(`(?m)^func (Test\w+)\(`)
	err := filepath.WalkDir(dir, func(path string, _ os.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, "_test.go") {
			return err
		}
		text, err := os.ReadFile(path)
		for _, found := range find.FindAllStringSubmatch(string(text), -1) {
			names[found[1]] = true
		}
		return err
	})
	return names, err
}
