package slack

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"cdcbot/internal/commands"
)

// interaction is the part of block_actions, view_submission and message_action payloads that we read.
type interaction struct {
	Type        string `json:"type"`
	CallbackID  string `json:"callback_id"`
	TriggerID   string `json:"trigger_id"`
	ResponseURL string `json:"response_url"`
	User        struct {
		ID       string `json:"id"`
		Name     string `json:"name"`
		Username string `json:"username"`
	} `json:"user"`
	Channel struct {
		ID string `json:"id"`
	} `json:"channel"`
	Message struct {
		TS       string `json:"ts"`
		ThreadTS string `json:"thread_ts"`
		Text     string `json:"text"`
		User     string `json:"user"`
	} `json:"message"`
	Container struct {
		ChannelID   string `json:"channel_id"`
		MessageTS   string `json:"message_ts"`
		ThreadTS    string `json:"thread_ts"`
		IsEphemeral bool   `json:"is_ephemeral"`
	} `json:"container"`
	Actions []pressed `json:"actions"`
	View    struct {
		Type            string `json:"type"` // home or modal
		CallbackID      string `json:"callback_id"`
		PrivateMetadata string `json:"private_metadata"`
		State           struct {
			Values map[string]map[string]filled `json:"values"`
		} `json:"state"`
	} `json:"view"`
}

// filled is what somebody put into a blank: text, a person or one of several words.
type filled struct {
	Value    string `json:"value"`
	User     string `json:"selected_user"`
	Selected struct {
		Value string `json:"value"`
	} `json:"selected_option"`
}

func (f filled) text() string {
	return strings.TrimSpace(clean(cmp.Or(f.Value, f.User, f.Selected.Value)))
}

type pressed struct {
	ActionID string `json:"action_id"`
	Value    string `json:"value"`
	Selected struct {
		Value string `json:"value"`
	} `json:"selected_option"`
}

func routeInteraction(e envelope) order {
	var p interaction
	if json.Unmarshal(e.Payload, &p) != nil || p.User.ID == "" {
		return order{}
	}
	o := order{seen: seenOf(p.TriggerID, e), place: p.place(e.At)}
	switch p.Type {
	case "block_actions":
		o = p.press(o)
	case "view_submission":
		o = p.submit(o)
	case "message_action":
		o = p.shortcut(o)
	}
	o.lane = laneOf(o)
	return o
}

func (p interaction) place(at time.Time) place {
	name := p.User.Username
	if name == "" {
		name = p.User.Name
	}
	channel := p.Channel.ID
	if channel == "" {
		channel = p.Container.ChannelID
	}
	thread := p.Container.ThreadTS
	if thread == "" {
		thread = p.Message.ThreadTS
	}
	if thread == p.Message.TS {
		thread = "" // pressed on the thread's first message, which stands in the channel
	}
	return place{User: commands.User{ID: p.User.ID, Name: name}, Channel: channel, Thread: thread,
		ResponseURL: p.ResponseURL, TriggerID: p.TriggerID, At: at, Home: p.View.Type == "home"}
}

// thread is the thread that the interaction belongs to, also when it was on the thread's first message.
func (p interaction) thread(at place) string {
	if at.Thread != "" || p.Container.IsEphemeral {
		return at.Thread
	}
	if p.Message.TS != "" {
		return p.Message.TS
	}
	return p.Container.MessageTS
}

func (p interaction) press(o order) order {
	if len(p.Actions) == 0 {
		return o
	}
	a := p.Actions[0]
	if a.ActionID == linkAction || strings.HasPrefix(a.ActionID, linkAction+":") {
		return o
	}
	w, err := a.wire()
	if err != nil {
		o.problem = sentence(err)
		return o
	}
	c := w.command()
	c.User, c.Channel, c.Thread = o.place.User, o.place.Channel, p.thread(o.place)
	o.command = &c
	return o
}

// wire is what was pressed: a button names its verb in its action ID, a menu's option in its value.
func (a pressed) wire() (wire, error) {
	verb, ours := verbOf(a.ActionID)
	if !ours {
		return wire{}, fmt.Errorf("%w (unknown button %q)", errForeign, cut(line(a.ActionID), 40))
	}
	value, longest := a.Value, longestValue
	if a.ActionID == moreAction {
		value, longest = a.Selected.Value, longestOption
	}
	w, err := decode(value, longest)
	if err != nil {
		return wire{}, err
	}
	if a.ActionID != moreAction {
		w.Verb = verb
	}
	if w.Channel != "" || w.Thread != "" || w.Text != "" || w.Home || len(w.Must) > 0 {
		return wire{}, fmt.Errorf("%w (button %q carries what only a modal may)", errForeign, cut(verb, 40))
	}
	return w, w.check()
}

// submit reads a filled modal. Blanks that hold only spaces are sent back to their fields.
func (p interaction) submit(o order) order {
	if p.View.CallbackID != questionView {
		return o
	}
	w, err := decode(p.View.PrivateMetadata, longestView)
	if err == nil && w.Text == "" {
		err = w.check()
	}
	if err != nil {
		o.problem = sentence(err)
		return o
	}
	c := w.command()
	if problems := p.fill(&c, w.Must); len(problems) > 0 {
		o.ack = map[string]any{"response_action": "errors", "errors": problems}
		return o
	}
	o.place.Channel, o.place.Thread, o.place.Home = c.Channel, c.Thread, w.Home
	c.User = o.place.User
	o.command = &c
	return o
}

const (
	fieldPrefix   = "f:" // block_id of a blank is f:<name>; a blank that may stay empty is f?:<name>
	optionalField = "f?:"
	fieldAction   = "value"
	longestField  = 3000
)

// fill puts what was typed into the command and returns what is wrong by block_id. must is what some blanks have to hold.
func (p interaction) fill(c *commands.Command, must map[string]string) map[string]string {
	problems := map[string]string{}
	for block, actions := range p.View.State.Values {
		name, optional := strings.CutPrefix(block, optionalField)
		if !optional {
			name = strings.TrimPrefix(block, fieldPrefix)
		}
		value := actions[fieldAction].text()
		switch {
		case value == "" && !optional:
			problems[block] = "Please fill this in; spaces alone are not enough."
		case len([]rune(value)) > longestField:
			problems[block] = fmt.Sprintf("At most %d characters.", longestField)
		case must[name] != "" && !strings.EqualFold(value, must[name]):
			problems[block] = fmt.Sprintf("Type %s to go on.", cut(line(must[name]), 100))
		case name == "reason":
			c.Reason = value
		case value != "":
			if c.Inputs == nil {
				c.Inputs = map[string]string{}
			}
			c.Inputs[name] = value
		}
	}
	return problems
}

// shortcut adds a message to the timeline of the incident whose thread it stands in.
func (p interaction) shortcut(o order) order {
	if p.CallbackID != noteShortcut {
		o.problem = "I do not know this shortcut; it may come from another version of me."
		return o
	}
	text := line(plain(p.Message.Text))
	if text == "" {
		o.problem = "This message has no text to keep."
		return o
	}
	o.command = &commands.Command{User: o.place.User, Channel: o.place.Channel, Thread: p.thread(o.place), Verb: commands.VerbNote, Reason: cut(text, 2000)}
	return o
}

// laneOf keeps what happens in one incident in order. What opens a modal has a lane of its own, because its trigger
// lives three seconds and must not wait behind a slow command.
func laneOf(o order) string {
	c := o.command
	switch {
	case c == nil:
		return "user:" + o.place.User.ID
	case opensModal(*c):
		return "modal:" + c.User.ID
	case c.Thread != "":
		return "thread:" + c.Channel + ":" + c.Thread
	case c.Incident != "":
		return "incident:" + c.Incident
	}
	return "user:" + c.User.ID
}

// opensModal: these may answer with a modal.
func opensModal(c commands.Command) bool {
	switch c.Verb {
	case commands.VerbReject, commands.VerbNote, commands.VerbGlass, commands.VerbReview, commands.VerbSilence:
		return c.Reason == ""
	case commands.VerbAssign:
		return len(c.Inputs) == 0
	case commands.VerbFix:
		return len(c.Inputs) == 0
	case commands.VerbApprove:
		return c.Option == asksFirst && len(c.Inputs) == 0
	case commands.VerbShowPlan:
		return true
	}
	return false
}
