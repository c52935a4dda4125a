package slacksim

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// sdk is one of Slack's own SDKs, as lab/sdk/install.sh puts it into the lab.
type sdk struct {
	name    string
	program []string // relative to the lab's folder sdk; a name without a slash is looked for in PATH
	env     string
}

var sdks = []sdk{
	{"bolt for Node", []string{"node", "conversation.js"}, "NODE_PATH=node/node_modules"},
	{"bolt for Python", []string{"python/bin/python", "conversation.py"}, ""},
}

// installed is the lab's folder with the SDKs. Without it the test is left out by name, and fails where the lab is
// meant to be whole.
func installed(t *testing.T) string {
	t.Helper()
	home := os.Getenv("CDCBOT_LAB_HOME")
	if home == "" {
		home = filepath.Join("..", "..", ".lab")
	}
	folder, err := filepath.Abs(filepath.Join(home, "sdk"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(folder, "stamp")); err == nil {
		return folder
	}
	if os.Getenv("CI") == "true" || os.Getenv("CDCBOT_LAB") == "1" {
		t.Fatalf("Slack's SDKs are missing in %s (lab/install.sh)", folder)
	}
	t.Skip("left out: Slack's SDKs (lab/install.sh)")
	return ""
}

// command is a script, of lab/sdk unless its path is whole, run by the SDK's interpreter.
func (k sdk) command(ctx context.Context, t *testing.T, script string, env ...string) *exec.Cmd {
	t.Helper()
	folder := installed(t)
	program := k.program[0]
	if strings.Contains(program, "/") {
		program = filepath.Join(folder, program)
	}
	if !filepath.IsAbs(script) {
		path, err := filepath.Abs(filepath.Join("..", "..", "lab", "sdk", script))
		if err != nil {
			t.Fatal(err)
		}
		script = path
	}
	cmd := exec.CommandContext(ctx, program, script)
	cmd.Env = append(os.Environ(), env...)
	if name, value, ok := strings.Cut(k.env, "="); ok {
		cmd.Env = append(cmd.Env, name+"="+filepath.Join(folder, value))
	}
	return cmd
}

// run starts the SDK's side of the conversation and waits until it is connected. What it complains about fails the test.
func (k sdk) run(t *testing.T, s *Server) {
	t.Helper()
	life, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), time.Minute)
	cmd := k.command(life, t, k.program[1], "SLACKSIM_API_URL="+s.APIURL(), "SLACKSIM_BOT_TOKEN="+s.BotToken(), "SLACKSIM_APP_TOKEN="+s.AppToken())
	var complaints bytes.Buffer
	cmd.Stdout, cmd.Stderr = &complaints, &complaints
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		defer cancel()
		_ = stdin.Close() // this is how it is told to end
		if err := cmd.Wait(); err != nil || complaints.Len() > 0 {
			t.Errorf("%s: %v\n%s", k.name, err, complaints.String())
		}
	})
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	if err := s.Wait(ctx, k.name+" to connect", func() bool { return s.Connected() > 0 }); err != nil {
		t.Fatal(err)
	}
}

// talk is a conversation: the workspace, and who fails the test when something does not come.
type talk struct {
	*testing.T
	s *Server
}

func (c talk) must(err error) {
	c.Helper()
	if err != nil {
		c.Fatal(err)
	}
}

// await waits for what the app does after its ack.
func (c talk) await(what string, cond func() bool) {
	c.Helper()
	ctx, cancel := context.WithTimeout(c.Context(), 10*time.Second)
	defer cancel()
	if err := c.s.Wait(ctx, what, cond); err != nil {
		for _, m := range c.s.Messages(room) {
			c.Logf("%s %s", m.TS, m.Words)
		}
		for _, call := range c.s.Recorded() {
			c.Logf("%s %s", call.Method, call.Error)
		}
		c.Fatal(err)
	}
}

// reply waits for a reply in a thread that holds words.
func (c talk) reply(ts, words string) {
	c.Helper()
	c.await("the reply “"+words+"”", func() bool {
		for _, m := range c.s.Thread(room, ts)[1:] {
			if strings.Contains(m.Words, words) {
				return true
			}
		}
		return false
	})
}

// TestOfficialSDKs plays the same conversation with both SDKs that Slack publishes: what one of them does not understand
// is not Slack.
func TestOfficialSDKs(t *testing.T) {
	for _, k := range sdks {
		t.Run(k.name, func(t *testing.T) {
			s, _ := start(t, Options{})
			k.run(t, s)
			c := talk{t, s}
			card := c.commandBringsACard()
			c.messageElements(card)
			c.modalAsksWhy(card)
			c.homeIsPublishedAndUpdated()
			c.eventsArrive()
			c.shortcuts(card)
			c.nothingWasRefused()
		})
	}
}

func (c talk) commandBringsACard() string {
	c.must(c.s.As("oncall").Command(c.Context(), room, "/cdc talk"))
	if got := c.s.As("oncall").Ephemerals(); len(got) != 1 || strings.TrimSpace(got[0]) != "on it" {
		c.Errorf("the ack's answer: got %q, want “on it”", got)
	}
	c.await("the card", func() bool { return len(c.s.Messages(room)) == 1 })
	card := c.s.Messages(room)[0]
	if got := strings.Join(Buttons(card.Blocks), ","); got != "Restart" {
		c.Errorf("buttons: got %s", got)
	}
	return card.TS
}

func (c talk) messageElements(card string) {
	c.must(c.s.As("oncall").Choose(c.Context(), room, card, "Show the trace"))
	c.await("the answer by response_url", func() bool { return len(c.s.As("oncall").Ephemerals()) == 2 })
	c.must(c.s.As("oncall").Pick(c.Context(), room, card, "room", "C0GENERAL"))
	c.reply(card, "moved to C0GENERAL")
}

func (c talk) modalAsksWhy(card string) {
	oncall := c.s.As("oncall")
	open := func() {
		c.must(oncall.Press(c.Context(), room, card, "Restart"))
		c.await("the modal", func() bool { return oncall.Modal() != nil })
	}
	open()
	c.must(oncall.CloseModal(c.Context()))
	c.await("what is said of a closed modal", func() bool { return len(oncall.Ephemerals()) == 3 })
	open()
	for _, row := range []struct{ name, why, want string }{{"nothing", " ", "complete this required field"}, {"too little", "so", "say a little more"}, {"enough", "the task has failed", ""}} {
		problems, err := oncall.Submit(c.Context(), row.why, "worker two")
		c.must(err)
		if got := problems["why"]; (row.want == "") != (got == "") || !strings.Contains(got, row.want) {
			c.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
	if oncall.Modal() != nil {
		c.Error("the modal is still open")
	}
	c.reply(card, "<@U0ONCALL>: the task has failed (two)")
	c.await("the file", func() bool { return c.s.File("trace.txt") != nil && len(c.s.Thread(room, card)) == 4 })
	thread := c.s.Thread(room, card)
	if thread[0].Text != "postgres-sink-connector is being restarted" || len(Buttons(thread[0].Blocks)) != 0 {
		c.Errorf("the card after the update: %s, buttons %v", thread[0].Text, Buttons(thread[0].Blocks))
	}
	if got := string(c.s.File("trace.txt")); !strings.HasPrefix(got, "java.net.ConnectException") {
		c.Errorf("the file holds %q", got)
	}
}

func (c talk) homeIsPublishedAndUpdated() {
	manager := c.s.As("manager")
	c.must(manager.OpenHome())
	c.await("the Home", func() bool { return manager.Home() != nil })
	first := view(manager.Home()).text("hash")
	c.must(manager.PressHome(c.Context(), "Look again"))
	c.await("the new Home", func() bool { return view(manager.Home()).text("hash") != first })
	if got := Words("", frozen(manager.Home()["blocks"])); !strings.Contains(got, "All pipelines are well") {
		c.Errorf("Home says %q", got)
	}
}

func (c talk) eventsArrive() {
	approver := c.s.As("approver")
	ts, err := approver.Post(room, "", "who is here, @cdcbot?")
	c.must(err)
	c.reply(ts, "Approver: 4")
	c.await("the app's reaction to its mention", func() bool { return c.s.Calls("reactions.add") == 1 })
	c.must(approver.Edit(room, ts, "thanks"))
	c.must(approver.React(room, ts, "pushpin"))
	c.await("the pin", func() bool { return c.s.Calls("pins.add") == 1 })
}

func (c talk) shortcuts(card string) {
	manager := c.s.As("manager")
	ts, err := manager.Post(room, card, "it was the failover")
	c.must(err)
	c.must(manager.Shortcut(c.Context(), room, ts, "timeline_add"))
	c.reply(card, "kept: it was the failover")
	c.must(manager.GlobalShortcut(c.Context(), "report"))
	c.await("the report", func() bool { return manager.Modal() != nil })
}

func (c talk) nothingWasRefused() {
	for _, call := range c.s.Recorded() {
		if call.Error != "" {
			c.Errorf("%s was refused: %s", call.Method, call.Error)
		}
	}
}
