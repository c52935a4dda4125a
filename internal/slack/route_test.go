package slack

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cdcbot/internal/commands"
)

func blockAction(actionID, value string) string {
	action := map[string]any{"action_id": actionID, "block_id": "b", "type": "button", "value": value}
	if actionID == moreAction {
		action = map[string]any{"action_id": actionID, "block_id": "b", "type": "overflow", "selected_option": map[string]any{"value": value}}
	}
	js, _ := json.Marshal(map[string]any{"type": "block_actions", "trigger_id": "t1", "response_url": "http://r/", "user": map[string]any{"id": "UONCALL", "username": "oncall"},
		"channel": map[string]any{"id": "C1"}, "message": map[string]any{"ts": "2.0", "thread_ts": "1.0"}, "container": map[string]any{"message_ts": "2.0", "thread_ts": "1.0", "channel_id": "C1"}, "actions": []any{action}})
	return string(js)
}

var presser = commands.User{ID: "UONCALL", Name: "oncall"}

func TestPressedButtons(t *testing.T) {
	at := func(c commands.Command) *commands.Command {
		c.User, c.Channel, c.Thread = presser, "C1", "1.0"
		return &c
	}
	for _, row := range []struct {
		name, action, value string
		want                *commands.Command
		problem             string
	}{
		{"fix", "cdc:fix:0", `{"i":"INC-42","c":"cause-1","o":2}`, at(commands.Command{Verb: commands.VerbFix, Incident: "INC-42", Section: "cause-1", Option: 2}), ""},
		{"approve", "cdc:approve:0", `{"i":"INC-42","r":"REQ-1","d":"abc"}`, at(commands.Command{Verb: commands.VerbApprove, Incident: "INC-42", Request: "REQ-1", Digest: "abc"}), ""},
		{"menu", "cdc:more", `{"v":"export","i":"INC-42","f":"md"}`, at(commands.Command{Verb: commands.VerbExport, Incident: "INC-42", Format: "md"}), ""},
		{"done", "cdc:done", `{"i":"INC-42","n":"RUN-5","s":2}`, at(commands.Command{Verb: commands.VerbDone, Incident: "INC-42", Run: "RUN-5", Step: 2}), ""},
		{"status needs nothing", "cdc:status:0", `{}`, at(commands.Command{Verb: commands.VerbStatus}), ""},
		{"a link is only acknowledged", "cdc:link", ``, nil, ""},
		{"unknown action", "other:fix", `{}`, nil, "not one of mine"},
		{"unknown verb", "cdc:destroy", `{"i":"INC-42"}`, nil, "destroy"},
		{"menu without verb", "cdc:more", `{"i":"INC-42"}`, nil, "unknown button"},
		{"no JSON", "cdc:fix", `INC-42`, nil, "does not decode"},
		{"empty", "cdc:fix", ``, nil, "does not decode"},
		{"more after it", "cdc:status", `{}{}`, nil, "goes on"},
		{"unknown field", "cdc:status", `{"admin":true}`, nil, "does not decode"},
		{"wrong type", "cdc:done", `{"i":"INC-42","n":"RUN-5","s":"2"}`, nil, "does not decode"},
		{"missing incident", "cdc:fix", `{"c":"x"}`, nil, "incident"},
		{"forged incident", "cdc:fix", `{"i":"INC-42 ; DROP","c":"x"}`, nil, "incident"},
		{"missing digest", "cdc:approve", `{"r":"REQ-1"}`, nil, "digest"},
		{"forged digest", "cdc:approve", `{"r":"REQ-1","d":"<!channel>"}`, nil, "digest"},
		{"negative step", "cdc:done", `{"i":"INC-42","n":"RUN-5","s":-1}`, nil, "step"},
		{"no step", "cdc:done", `{"i":"INC-42","n":"RUN-5"}`, nil, "step"},
		{"strange format", "cdc:export", `{"i":"INC-42","f":"exe"}`, nil, "format"},
		{"control characters", "cdc:fix", `{"i":"INC-42","c":"a\u0000b"}`, nil, "section"},
		{"channel in a button", "cdc:status", `{"ch":"C2"}`, nil, "only a modal"},
		{"words in a button", "cdc:status", `{"t":"restart x"}`, nil, "only a modal"},
		{"oversized", "cdc:fix", `{"i":"INC-42","c":"` + strings.Repeat("x", 3000) + `"}`, nil, "bytes"},
		{"oversized option", "cdc:more", `{"v":"fix","i":"INC-42","c":"` + strings.Repeat("x", 200) + `"}`, nil, "bytes"},
		{"broken UTF-8", "cdc:fix", "{\"i\":\"INC-\xff\"}", nil, "incident"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := route(envelope{Type: "interactive", ID: "e", Payload: json.RawMessage(blockAction(row.action, row.value))}, "UBOT")
			if diff := cmp.Diff(row.want, o.command); diff != "" {
				t.Errorf("%s %s: %s", row.action, row.value, diff)
			}
			if (row.problem == "") != (o.problem == "") || !strings.Contains(o.problem, row.problem) {
				t.Errorf("%s %s: problem %q, want %q", row.action, row.value, o.problem, row.problem)
			}
			if o.command != nil && (o.place.Thread != "1.0" || o.place.Channel != "C1" || o.seen != "trigger:t1" || o.lane == "") {
				t.Errorf("place %+v, seen %q, lane %q", o.place, o.seen, o.lane)
			}
		})
	}
}

// TestEveryButtonComesBack: what cards draw is what routing understands.
func TestEveryButtonComesBack(t *testing.T) {
	for name, v := range views() {
		for _, c := range cards(v) {
			js, _ := json.Marshal(c.blocks)
			var blocks any
			_ = json.Unmarshal(js, &blocks)
			walk(blocks, func(o map[string]any) {
				id, _ := o["action_id"].(string)
				var values []string
				if value, ok := o["value"].(string); ok && o["type"] == "button" {
					values = append(values, value)
				}
				if options, ok := o["options"].([]any); ok {
					for _, option := range options {
						values = append(values, option.(map[string]any)["value"].(string))
					}
				}
				for _, value := range values {
					got := route(envelope{Type: "interactive", Payload: json.RawMessage(blockAction(id, value))}, "UBOT")
					if got.command == nil || got.problem != "" {
						t.Errorf("%s/%s: %s %s is not understood: %s", name, c.key, id, value, got.problem)
					}
				}
			})
		}
	}
}

func submission(metadata string, values map[string]string) string {
	state := map[string]any{}
	for block, value := range values {
		state[block] = map[string]any{fieldAction: map[string]any{"type": "plain_text_input", "value": value}}
	}
	js, _ := json.Marshal(map[string]any{"type": "view_submission", "trigger_id": "t2", "user": map[string]any{"id": "UONCALL", "username": "oncall"},
		"view": map[string]any{"callback_id": questionView, "private_metadata": metadata, "state": map[string]any{"values": state}}})
	return string(js)
}

func TestSubmittedModals(t *testing.T) {
	about := encode(wire{Verb: "fix", Incident: "INC-42", Section: "cause-2", Channel: "C1", Thread: "1.0"})
	filled := &commands.Command{User: presser, Channel: "C1", Thread: "1.0", Verb: commands.VerbFix, Incident: "INC-42", Section: "cause-2", Reason: "because", Inputs: map[string]string{"lease_id": "database/creds/x"}}
	for _, row := range []struct {
		name, metadata string
		values         map[string]string
		want           *commands.Command
		ack, problem   string
	}{
		{"filled", about, map[string]string{"f:lease_id": " database/creds/x ", "f?:reason": "because"}, filled, "", ""},
		{"blank stays with the field", about, map[string]string{"f:lease_id": "   "}, nil, "f:lease_id", ""},
		{"too long", about, map[string]string{"f:lease_id": strings.Repeat("ü", 3001)}, nil, "At most 3000", ""},
		{"optional blank", about, map[string]string{"f?:reason": ""}, &commands.Command{User: presser, Channel: "C1", Thread: "1.0", Verb: commands.VerbFix, Incident: "INC-42", Section: "cause-2"}, "", ""},
		{"forged metadata", `{"v":"fix"}`, nil, nil, "", "incident"},
		{"no metadata", ``, nil, nil, "", "does not decode"},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := route(envelope{Type: "interactive", Payload: json.RawMessage(submission(row.metadata, row.values))}, "UBOT")
			if diff := cmp.Diff(row.want, o.command); diff != "" {
				t.Error(diff)
			}
			js, _ := json.Marshal(o.ack)
			if (row.ack == "") != (o.ack == nil) || !strings.Contains(string(js), row.ack) {
				t.Errorf("ack %s, want %q", js, row.ack)
			}
			if !strings.Contains(o.problem, row.problem) || (row.problem == "") != (o.problem == "") {
				t.Errorf("problem %q, want %q", o.problem, row.problem)
			}
		})
	}
}

func TestSlashWords(t *testing.T) {
	for _, row := range []struct{ name, text, want string }{
		{"plain", "status postgres-sink-connector", "status postgres-sink-connector"},
		{"escaped", "note INC-1 a &lt; b &amp;&amp; c", "note INC-1 a < b && c"},
		{"a name that looks like a host", "status <http://orders.example.com|orders.example.com>", "status orders.example.com"},
		{"a person", "assign <@U123|oncall>", "assign @oncall"},
		{"a channel", "in <#C1|cdc-ops>", "in #cdc-ops"},
		{"a bare link", "see <https://x.example/y>", "see https://x.example/y"},
		{"a broadcast", "note <!here> x", "note @here x"},
	} {
		js, _ := json.Marshal(map[string]any{"text": row.text, "user_id": "UONCALL", "user_name": "oncall", "channel_id": "C1", "trigger_id": "t", "is_enterprise_install": "false"})
		o := route(envelope{Type: "slash_commands", Payload: js}, "UBOT")
		if o.command == nil || o.command.Text != row.want {
			t.Errorf("%s: %q became %+v, want %q", row.name, row.text, o.command, row.want)
		}
	}
}

func happened(inner string) envelope {
	return envelope{Type: "events_api", ID: "e", Payload: json.RawMessage(fmt.Sprintf(`{"event_id":"Ev1","event":%s}`, inner))}
}

func TestEvents(t *testing.T) {
	for _, row := range []struct {
		name, inner string
		said        Change
		text        string // of what was said, or of the command
	}{
		{"mention", `{"type":"app_mention","user":"U1","text":"<@UBOT> status x","channel":"C1","ts":"1.0"}`, "", "status x"},
		{"mention in the middle", `{"type":"app_mention","user":"U1","text":"hey <@UBOT> status","channel":"C1","ts":"1.0"}`, "", "status"},
		{"mention by a bot", `{"type":"app_mention","user":"U1","bot_id":"B2","text":"<@UBOT> status","channel":"C1","ts":"1.0"}`, "", ""},
		{"posted", `{"type":"message","user":"U1","text":"db is back","channel":"C1","ts":"2.0","thread_ts":"1.0","event_ts":"2.0"}`, Posted, "db is back"},
		{"with a file", `{"type":"message","subtype":"file_share","user":"U1","text":"see","channel":"C1","ts":"2.0","thread_ts":"1.0"}`, Posted, "see"},
		{"edited", `{"type":"message","subtype":"message_changed","channel":"C1","event_ts":"3.0","message":{"user":"U1","text":"db is up","ts":"2.0","thread_ts":"1.0"},"previous_message":{"user":"U1","text":"db is back","ts":"2.0","thread_ts":"1.0"}}`, Edited, "db is up"},
		{"unfurled, not edited", `{"type":"message","subtype":"message_changed","channel":"C1","message":{"user":"U1","text":"a","ts":"2.0","thread_ts":"1.0"},"previous_message":{"user":"U1","text":"a","ts":"2.0","thread_ts":"1.0"}}`, "", ""},
		{"deleted", `{"type":"message","subtype":"message_deleted","channel":"C1","deleted_ts":"2.0","previous_message":{"user":"U1","text":"db is back","ts":"2.0","thread_ts":"1.0"}}`, Deleted, ""},
		{"outside a thread", `{"type":"message","user":"U1","text":"x","channel":"C1","ts":"2.0"}`, "", ""},
		{"our own", `{"type":"message","user":"UBOT","text":"x","channel":"C1","ts":"2.0","thread_ts":"1.0"}`, "", ""},
		{"a bot's", `{"type":"message","user":"U1","bot_id":"B2","text":"x","channel":"C1","ts":"2.0","thread_ts":"1.0"}`, "", ""},
		{"joined", `{"type":"message","subtype":"channel_join","user":"U1","text":"x","channel":"C1","ts":"2.0","thread_ts":"1.0"}`, "", ""},
		{"unknown", `{"type":"brand_new"}`, "", ""},
		{"no inner event", `null`, "", ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			o := route(happened(row.inner), "UBOT")
			switch {
			case row.said != "":
				if o.said == nil || o.said.Change != row.said || o.said.Text != row.text || o.said.Thread != "1.0" || o.said.TS != "2.0" || o.seen != "event:Ev1" {
					t.Errorf("got %+v (seen %q)", o.said, o.seen)
				}
			case row.text != "":
				if o.command == nil || o.command.Text != row.text || o.command.User.ID != "U1" {
					t.Errorf("got %+v, want the words %q", o.command, row.text)
				}
			case o.said != nil || o.command != nil:
				t.Errorf("got %+v %+v, want nothing", o.said, o.command)
			}
		})
	}
}

func TestShortcutKeepsAMessage(t *testing.T) {
	js := `{"type":"message_action","callback_id":"timeline_add","trigger_id":"t","user":{"id":"UONCALL","name":"oncall"},"channel":{"id":"C1"},"message":{"ts":"2.0","thread_ts":"1.0","text":"db &amp; disk\nfull"}}`
	o := route(envelope{Type: "interactive", Payload: json.RawMessage(js)}, "UBOT")
	if o.command == nil || o.command.Verb != commands.VerbNote || o.command.Thread != "1.0" || o.command.Reason != "db & disk full" {
		t.Errorf("got %+v", o.command)
	}
}

func FuzzRoute(f *testing.F) {
	f.Add("slash_commands", `{"text":"x","user_id":"U1"}`)
	f.Add("interactive", blockAction("cdc:fix", `{"i":"INC-42","c":"x"}`))
	f.Add("interactive", submission(`{"v":"note","i":"INC-1"}`, map[string]string{"f:reason": "x"}))
	f.Add("events_api", `{"event_id":"Ev1","event":{"type":"message","text":"<@"}}`)
	f.Add("other", `[`)
	f.Fuzz(func(t *testing.T, kind, payload string) {
		o := route(envelope{Type: kind, ID: "e", Payload: json.RawMessage(payload)}, "UBOT")
		if o.command != nil && o.command.Verb != "" && o.command.Verb != commands.VerbNote {
			if w := toWire(*o.command); w.check() != nil {
				t.Errorf("%s became a command that does not check: %+v", payload, o.command)
			}
		}
	})
}

func FuzzPlain(f *testing.F) {
	f.Add("<@U1|a> &lt; <!date^1^{x}|y> <http://a|b>")
	f.Fuzz(func(t *testing.T, s string) { _ = clean(plain(s)); _ = cut(line(s), 5) })
}
