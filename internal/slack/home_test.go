package slack

import (
	"encoding/json"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"cdcbot/internal/commands"
	"cdcbot/internal/remediation"
	"cdcbot/internal/slacksim"
)

// A person opens the Home, approves there and reads there what came of it.
func TestHomeAnswersWhereItWasPressed(t *testing.T) {
	t.Parallel()
	var decided atomic.Pointer[commands.Command]
	f := openOffice(t, slacksim.Options{Unlimited: true}, func(c commands.Command) commands.Reply {
		switch {
		case c.Verb != commands.VerbHome && c.Verb != commands.VerbReject:
			decided.Store(&c)
			return commands.Reply{Text: "You approved REQ-1. It starts now; the thread shows each step."}
		case c.Verb == commands.VerbReject && c.Reason == "":
			return commands.Reply{Ask: &commands.Question{Title: "Reject the plan", Submit: "Reject", Then: c, Fields: []commands.Field{{Name: "reason", Label: "Why"}}}}
		case c.Verb == commands.VerbReject:
			return commands.Reply{Text: "You rejected " + c.Request + ": " + c.Reason}
		}
		return commands.Reply{Text: "all 3 connectors are well", Home: &commands.Home{At: noon, Status: statusOf(3, "RUNNING"), Waiting: commands.Waiting{Yours: []remediation.Asked{pendingRequest()}}}}
	})
	oncall := f.sim.As("oncall")
	if err := oncall.OpenHome(); err != nil {
		t.Fatal(err)
	}
	f.until("the home", func() bool { return homeSays(oncall, "all 3 connectors are well") })
	if !homeSays(oncall, "plan waits for you") {
		t.Error("the home does not show what waits")
	}
	if err := oncall.PressHome(t.Context(), "Approve"); err != nil {
		t.Fatal(err)
	}
	f.until("the answer", func() bool { return homeSays(oncall, "You approved REQ-1") })
	if c := decided.Load(); c.Verb != commands.VerbApprove || c.Request == "" || c.Digest == "" || c.User.Name != "oncall" {
		t.Errorf("the press arrived as %+v", c)
	}
	if err := oncall.PressHome(t.Context(), "Reject"); err != nil {
		t.Fatal(err)
	}
	f.until("the form", func() bool { return oncall.Modal() != nil })
	if _, err := oncall.Submit(t.Context(), "not now"); err != nil {
		t.Fatal(err)
	}
	f.until("the answer to the form", func() bool { return homeSays(oncall, "not now") })
}

func homeSays(a slacksim.Actor, words string) bool {
	js, _ := json.Marshal(a.Home())
	return strings.Contains(string(js), words)
}

// A Home is kept true while somebody may look at it, and published only when it would look otherwise.
func TestHomeIsKeptTrue(t *testing.T) {
	t.Parallel()
	var sick atomic.Bool
	f, b, _ := desk(t, func(commands.Command) commands.Reply {
		if sick.Load() {
			return commands.Reply{Text: "1 of 3 connectors needs attention", Home: &commands.Home{At: time.Now(), Status: statusOf(3, "FAILED")}}
		}
		return commands.Reply{Text: "all 3 connectors are well", Home: &commands.Home{At: time.Now(), Status: statusOf(3, "RUNNING")}}
	})
	u := commands.User{ID: "UONCALL", Name: "oncall"}
	published := func() int { return f.count("views.publish") }
	b.handle(t.Context(), order{seen: "event:1", command: &commands.Command{User: u, Verb: commands.VerbHome}, place: place{User: u, Home: true}})
	for _, step := range []struct {
		sick bool
		want int
	}{{false, 1}, {true, 2}, {true, 2}, {false, 3}} {
		sick.Store(step.sick)
		b.lookAtHome(t.Context(), u)
		if published() != step.want {
			t.Errorf("published %d times, want %d", published(), step.want)
		}
	}
	if left := b.homes.viewers(time.Now().Add(homeFor + time.Minute)); len(left) != 0 {
		t.Errorf("%d still count as looking long after", len(left))
	}
}

// In a channel that it is brought into the bot says hello, aloud and once.
func TestHelloOnce(t *testing.T) {
	t.Parallel()
	f := openOffice(t, slacksim.Options{Unlimited: true, Channels: []slacksim.Channel{{ID: "C0INCIDENTS", Name: room}, {ID: "C0OTHER", Name: "other", Closed: true}}}, func(c commands.Command) commands.Reply {
		return commands.Reply{Text: string(c.Verb) + " " + c.Channel, Choices: []commands.Choice{{Label: "Status", Command: commands.Command{Verb: commands.VerbStatus}}}}
	})
	for range 2 {
		if _, _, _, err := f.bot.api.JoinConversationContext(t.Context(), "C0OTHER"); err != nil {
			t.Fatal(err)
		}
		f.until("hello", func() bool { return len(f.sim.Messages("other")) > 0 })
		if _, err := f.bot.api.LeaveConversationContext(t.Context(), "C0OTHER"); err != nil {
			t.Fatal(err)
		}
	}
	time.Sleep(200 * time.Millisecond) // a second hello would come at once
	var hellos int
	for _, m := range f.sim.Messages("other") {
		if strings.Contains(m.Text, "greet C0OTHER") {
			hellos++
		}
	}
	if hellos != 1 {
		t.Errorf("%d hellos, want 1", hellos)
	}
}
