package slack

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/approval"
	"cdcbot/internal/commands"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
	"cdcbot/internal/slacksim"
)

const room = "cdc-incidents"

// office is a bot that works in a simulated workspace, which has Slack's rules.
type office struct {
	t      testing.TB
	sim    *slacksim.Server
	bot    *Bot
	board  *Board
	refs   RedisRefs
	asker  *asker
	heard  chan ThreadMessage
	answer func(commands.Command) commands.Reply
}

func openOffice(t testing.TB, o slacksim.Options, reply func(commands.Command) commands.Reply) *office {
	sim := slacksim.New(o)
	if _, err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	store := redis.NewClient(&redis.Options{Addr: miniredis.RunT(t).Addr()})
	t.Cleanup(func() { _ = store.Close() })
	f := &office{t: t, sim: sim, refs: RedisRefs{Redis: store}, asker: &asker{reply: reply}, heard: make(chan ThreadMessage, 100)}
	bot, err := New(Options{AppToken: sim.AppToken(), BotToken: sim.BotToken(), APIURL: sim.APIURL(), Seen: SeenRedis{Redis: store}, Threads: f.refs, Kinds: RedisKinds{Redis: store}})
	if err != nil {
		t.Fatal(err)
	}
	f.bot, f.board = bot, bot.Board(BoardOptions{Refs: f.refs, Owner: "a", Channel: func(string) string { return "#" + room }})
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- bot.Run(ctx, f.asker, &listener{heard: f.heard}) }()
	t.Cleanup(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("run ended with %v", err)
		}
	})
	f.until("both connections", func() bool { return sim.Connected() == 2 })
	return f
}

func (f *office) until(what string, ok func() bool) {
	f.t.Helper()
	eventually(f.t, what, ok)
}

func (f *office) show(v remediation.View) incident.Thread {
	f.t.Helper()
	thread, err := f.board.Show(context.Background(), v)
	if err != nil {
		f.t.Fatal(err)
	}
	return thread
}

// card is the message of the thread whose text contains some words.
func (f *office) card(thread incident.Thread, text string) slacksim.Said {
	f.t.Helper()
	for _, m := range f.sim.Thread(room, thread.TS) {
		if strings.Contains(m.Text, text) {
			return m
		}
	}
	f.t.Fatalf("no message of the thread says %q", text)
	return slacksim.Said{}
}

func TestSlackTakesEveryCard(t *testing.T) {
	t.Parallel()
	f := openOffice(t, slacksim.Options{Unlimited: true}, nil)
	f.board.posts["C0INCIDENTS"] = newGate(time.Millisecond, 1000)
	n := 100
	all := views()
	all["flow"] = flowingView()
	for name, v := range all {
		n++
		v.Incident.ID = fmt.Sprintf("INC-%d", n)
		for i := range v.Requests {
			v.Requests[i].Request.ID = fmt.Sprintf("REQ-%d", 10*n+i)
		}
		thread := f.show(v)
		said := f.sim.Thread(room, thread.TS)
		if len(said) != 1+len(v.Requests)+len(v.Runs) {
			t.Errorf("%s: %d messages", name, len(said))
		}
		for _, m := range said {
			if strings.Contains(m.Text, "could not be drawn") || len(m.Blocks) < 10 {
				t.Errorf("%s: slack did not take the blocks of %q", name, m.Text)
			}
		}
	}
}

// A workspace that does not have the newer blocks gets everything without them, and is asked for each kind once.
func TestOlderWorkspace(t *testing.T) {
	t.Parallel()
	status := statusOf(2, "FAILED")
	f := openOffice(t, slacksim.Options{Unlimited: true}, func(commands.Command) commands.Reply {
		return commands.Reply{Text: "2 of 2 connectors need attention", Status: &status}
	})
	f.board.posts["C0INCIDENTS"] = newGate(time.Millisecond, 1000)
	if err := f.sim.Inject(slacksim.Fault{Kind: "unsupported", Code: "table data_visualization plan"}); err != nil {
		t.Fatal(err)
	}
	v := views()["running"]
	v.Pace = flowingView().Pace
	thread := f.show(v)
	for _, m := range f.sim.Thread(room, thread.TS) {
		for _, kind := range newerKinds {
			if strings.Contains(string(m.Blocks), `"type":"`+kind+`"`) || strings.Contains(m.Text, "could not be drawn") {
				t.Errorf("%q was drawn with a %s: %s", m.Text, kind, m.Blocks)
			}
		}
	}
	refused, err := RedisKinds{Redis: f.refs.Redis.(*redis.Client)}.Refused(t.Context())
	if err != nil || len(refused) != 2 {
		t.Errorf("remembered %v, %v; expected the chart and the plan", refused, err)
	}
	posts := f.sim.Calls("chat.postMessage")
	v.Incident.ID = "INC-77"
	f.show(v)
	if n := f.sim.Calls("chat.postMessage") - posts; n != 1+len(v.Requests)+len(v.Runs) {
		t.Errorf("the second thread of %d messages took %d calls: slack was asked again", 1+len(v.Requests)+len(v.Runs), n)
	}
	for i := range 2 {
		if err := f.sim.As("oncall").Command(t.Context(), room, "/cdc status"); err != nil {
			t.Fatal(err)
		}
		f.until("an answer without a table", func() bool {
			said := f.sim.As("oncall").Ephemerals()
			return len(said) == i+1 && strings.Contains(said[i], "connector-0001") && !strings.Contains(said[i], "Connector")
		})
	}
}

func TestRefusalsAreTold(t *testing.T) {
	chart := drawing{blocks: []slackapi.Block{paragraph(words("x")), slackapi.NewPlanBlock("x"), slackapi.NewTableBlock("")}}
	for _, row := range []struct {
		name     string
		messages []string
		want     []string
	}{
		{"nothing is said", nil, []string{"plan", "table"}},
		{"no pointer", []string{"only_one_table_allowed"}, []string{"plan", "table"}},
		{"the type of one", []string{"[ERROR] unsupported type: plan [json-pointer:/blocks/1/type]"}, []string{"plan"}},
		{"one as a whole", []string{"[ERROR] failed to match all allowed schemas [json-pointer:/blocks/2]"}, []string{"table"}},
		{"inside one", []string{"[ERROR] must be more than 0 characters [json-pointer:/blocks/2/rows/0/0]"}, nil},
		{"another block", []string{"[ERROR] unsupported type: rich_text [json-pointer:/blocks/0/type]"}, nil},
		{"one that is not there", []string{"[ERROR] unsupported type: table [json-pointer:/blocks/9/type]"}, nil},
	} {
		refusal := slackapi.SlackErrorResponse{Err: "invalid_blocks", ResponseMetadata: slackapi.ResponseMetadata{Messages: row.messages}}
		if got := pointedAt(chart, refusal); !slices.Equal(got, row.want) {
			t.Errorf("%s: %v, want %v", row.name, got, row.want)
		}
	}
}

func TestPeopleAskAndAreAnswered(t *testing.T) {
	t.Parallel()
	status := statusOf(3, "FAILED")
	f := openOffice(t, slacksim.Options{Unlimited: true}, func(c commands.Command) commands.Reply {
		if c.Text == "status" {
			return commands.Reply{Text: "3 of 3 connectors need attention", Status: &status}
		}
		return commands.Reply{Text: "you said " + c.Text, Error: true, Suggest: []string{"/cdc help"}}
	})
	oncall := f.sim.As("oncall")
	for _, words := range []string{"status", `restart "my sink" <!channel> & co`} {
		if err := oncall.Command(t.Context(), room, "/cdc "+words); err != nil {
			t.Fatal(err)
		}
	}
	f.until("two answers", func() bool { return len(oncall.Ephemerals()) == 2 })
	all := strings.Join(oncall.Ephemerals(), "\n")
	for _, want := range []string{"3 of 3 connectors need attention", "FAILED", "1/2", "INC-42", `you said restart "my sink"`, "/cdc help"} {
		if !strings.Contains(all, want) {
			t.Errorf("answers do not say %q:\n%s", want, all)
		}
	}
	if len(f.sim.As("approver").Ephemerals()) != 0 {
		t.Error("somebody else reads the answers")
	}
	if _, err := oncall.Post(room, "", "@"+f.sim.Bot().Name+" status"); err != nil {
		t.Fatal(err)
	}
	f.until("an answer to the mention", func() bool { return len(oncall.Ephemerals()) == 3 })
}

func TestPeopleDecideInTheThread(t *testing.T) {
	t.Parallel()
	f := openOffice(t, slacksim.Options{Unlimited: true}, func(c commands.Command) commands.Reply {
		if c.Verb == commands.VerbReject && c.Reason == "" {
			return commands.Reply{Ask: &commands.Question{Title: "Reject the plan", Submit: "Reject", Then: c, Fields: []commands.Field{{Name: "reason", Label: "Why", Multiline: true, MaxLength: 500}}}}
		}
		return commands.Reply{Text: "heard: " + string(c.Verb)}
	})
	thread := f.show(askedView())
	approver := f.sim.As("approver")
	request := f.card(thread, "REQ-17")
	press := func(button string) {
		t.Helper()
		if err := approver.Press(t.Context(), room, request.TS, button); err != nil {
			t.Fatal(err)
		}
	}
	press("Approve")
	f.until("the approval", func() bool { return f.asker.count() == 1 })
	press("Reject")
	f.until("the modal", func() bool { return approver.Modal() != nil })
	if problems, err := approver.Submit(t.Context(), "   "); err != nil || len(problems) != 1 {
		t.Errorf("blank reason: %v %v, want a problem at its field", problems, err)
	}
	if problems, err := approver.Submit(t.Context(), "not at noon"); err != nil || len(problems) != 0 {
		t.Fatalf("%v %v", problems, err)
	}
	f.until("the rejection", func() bool { return f.asker.count() == 3 })
	if err := f.sim.As("oncall").Choose(t.Context(), room, request.TS, "Withdraw"); err != nil {
		t.Fatal(err)
	}
	if err := approver.Forge(t.Context(), room, request.TS, "cdc:approve:0", `{"r":"REQ-17","d":"x","admin":true}`); err != nil {
		t.Fatal(err)
	}
	f.until("the withdrawal and the word on the forgery", func() bool {
		return f.asker.count() == 4 && strings.Contains(strings.Join(approver.Ephemerals(), " "), "not one of mine")
	})
	f.asker.mu.Lock()
	defer f.asker.mu.Unlock()
	digest := pendingRequest().Request.Digest
	for i, want := range []commands.Command{
		{Verb: commands.VerbApprove, Digest: digest}, {Verb: commands.VerbReject, Digest: digest}, {Verb: commands.VerbReject, Digest: digest, Reason: "not at noon"}, {Verb: commands.VerbWithdraw},
	} {
		got := f.asker.asked[i]
		if got.Verb != want.Verb || got.Digest != want.Digest || got.Reason != want.Reason || got.Request != "REQ-17" || got.Thread != thread.TS || got.Channel != thread.Channel {
			t.Errorf("command %d: %+v, want %+v", i, got, want)
		}
	}
	if f.asker.asked[0].User.Name != "approver" || f.asker.asked[3].User.Name != "oncall" {
		t.Errorf("asked by %+v and %+v", f.asker.asked[0].User, f.asker.asked[3].User)
	}
}

func TestThreadIsHeard(t *testing.T) {
	t.Parallel()
	f := openOffice(t, slacksim.Options{Unlimited: true}, nil)
	thread := f.show(openView())
	oncall := f.sim.As("oncall")
	if _, err := oncall.Post(room, "", "not in the thread"); err != nil {
		t.Fatal(err)
	}
	ts := ""
	for _, step := range []struct {
		do           func() error
		change       Change
		text, before string
	}{
		{func() (err error) {
			ts, err = oncall.Post(room, thread.TS, "disk of db-1 is full & read only")
			return err
		}, Posted, "disk of db-1 is full & read only", ""},
		{func() error { return oncall.Edit(room, ts, "disk of db-1 was full") }, Edited, "disk of db-1 was full", "disk of db-1 is full & read only"},
		{func() error { return oncall.Delete(room, ts) }, Deleted, "", "disk of db-1 was full"},
	} {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		select {
		case m := <-f.heard:
			if m.Incident != "INC-42" || m.Change != step.change || m.Text != step.text || m.Before != step.before || m.TS != ts || m.User.ID != "U0ONCALL" || m.User.Name == "" {
				t.Errorf("heard %+v, want %s %q, before %q", m, step.change, step.text, step.before)
			}
		case <-time.After(10 * time.Second):
			t.Fatalf("never heard that it was %s", step.change)
		}
	}
}

func TestExportLandsInTheThread(t *testing.T) {
	t.Parallel()
	body := []byte("# Review of INC-42\n")
	f := openOffice(t, slacksim.Options{Unlimited: true}, func(commands.Command) commands.Reply {
		return commands.Reply{Text: "The timeline.", File: &remediation.File{Name: "INC-42.md", Title: "Review", Body: body}}
	})
	thread := f.show(resolvedView())
	if err := f.sim.As("oncall").Press(t.Context(), room, thread.TS, "Export review (md)"); err != nil {
		t.Fatal(err)
	}
	f.until("the file", func() bool {
		said := f.sim.Thread(room, thread.TS)
		return len(said[len(said)-1].Files) == 1
	})
	if got := f.sim.File("INC-42.md"); string(got) != string(body) {
		t.Errorf("file holds %q", got)
	}
}

// TestSlackGoesAwayAndComesBack: an outage and rate limits delay the thread, and lose or double nothing.
func TestSlackGoesAwayAndComesBack(t *testing.T) {
	t.Parallel()
	f := openOffice(t, slacksim.Options{}, nil)
	f.sim.RateLimitNext("chat.postMessage", 1, 1)
	f.sim.Down(500 * time.Millisecond)
	f.sim.DropSockets()
	v := askedView()
	v.Requests[0] = decided(approval.Used, approval.Approve)
	v.Runs = []remediation.Run{runOf(remediation.Running, step(remediation.StepRunning, "Restart the failed tasks"))}
	var thread incident.Thread
	f.until("the thread", func() bool {
		var err error
		thread, err = f.board.Show(t.Context(), v)
		return err == nil
	})
	if said := f.sim.Thread(room, thread.TS); len(said) != 3 || len(f.sim.Messages(room)) != 1 {
		t.Errorf("%d messages in %d threads, want 3 in one", len(said), len(f.sim.Messages(room)))
	}
	f.until("both connections again", func() bool { return f.sim.Connected() == 2 && f.bot.Ready() == nil })
}
