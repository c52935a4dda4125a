package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/commands"
	"cdcbot/internal/remediation"
)

// desk is a bot that handles orders in the test's own goroutine.
func desk(t *testing.T, reply func(commands.Command) commands.Reply) (*fake, *Bot, *asker) {
	f := newFake(t)
	b := f.bot(nil)
	if err := b.identify(t.Context()); err != nil {
		t.Fatal(err)
	}
	a := &asker{reply: reply}
	b.ask = a
	return f, b, a
}

func (f *fake) form(method string) url.Values {
	f.mu.Lock()
	defer f.mu.Unlock()
	for i := len(f.calls) - 1; i >= 0; i-- {
		if f.calls[i].method == method {
			return f.calls[i].form
		}
	}
	return nil
}

func typed(f *fake, text string) order {
	js, _ := json.Marshal(map[string]any{"text": text, "user_id": "UONCALL", "user_name": "oncall", "channel_id": "C1", "trigger_id": "t-" + text, "response_url": f.URL + "/response/1"})
	return route(envelope{Type: "slash_commands", Payload: js, At: time.Now()}, "UBOT")
}

func pressedOn(f *fake, action, value string) order {
	return route(envelope{Type: "interactive", Payload: json.RawMessage(strings.ReplaceAll(blockAction(action, value), "http://r/", f.URL+"/response/1")), At: time.Now()}, "UBOT")
}

func TestAnswersGoToTheAskerAlone(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, nil)
	b.handle(t.Context(), typed(f, "status"))
	b.handle(t.Context(), pressedOn(f, "cdc:status:0", "{}"))
	if len(f.said) != 2 {
		t.Fatalf("%d answers", len(f.said))
	}
	for i, thread := range []any{nil, "1.0"} {
		if f.said[i]["response_type"] != "ephemeral" || f.said[i]["replace_original"] != false || f.said[i]["thread_ts"] != thread {
			t.Errorf("answer %d: %v", i, f.said[i])
		}
	}
}

func TestAnswerWithoutResponseURLIsWhispered(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, nil)
	b.handle(t.Context(), route(happened(`{"type":"app_mention","user":"U1","text":"<@UBOT> status","channel":"C1","ts":"2.0","thread_ts":"1.0"}`), "UBOT"))
	form := f.form("chat.postEphemeral")
	if form.Get("user") != "U1" || form.Get("channel") != "C1" || form.Get("thread_ts") != "1.0" || form.Get("text") != "done" {
		t.Errorf("whispered %v", form)
	}
}

func TestDeadResponseURLIsWhispered(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, nil)
	o := typed(f, "status")
	o.place.ResponseURL = "http://127.0.0.1:1/response/secret"
	began := time.Now()
	b.handle(t.Context(), o)
	if f.form("chat.postEphemeral").Get("user") != "UONCALL" || time.Since(began) > 10*time.Second {
		t.Errorf("whispered %v after %s", f.form("chat.postEphemeral"), time.Since(began))
	}
}

func TestSlowCommandSaysSoAndIsReplaced(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, func(commands.Command) commands.Reply {
		timer := time.NewTimer(progressTime + 200*time.Millisecond)
		<-timer.C
		return commands.Reply{Text: "at last"}
	})
	b.handle(t.Context(), typed(f, "status"))
	if len(f.said) != 2 || f.said[0]["text"] != "Working on it…" || f.said[1]["text"] != "at last" || f.said[1]["replace_original"] != true {
		t.Errorf("said %v", f.said)
	}
}

func TestQuestionOpensAModal(t *testing.T) {
	t.Parallel()
	ask := func(c commands.Command) commands.Reply {
		return commands.Reply{Ask: &commands.Question{Title: "Reject the plan", Submit: "Reject", Then: c, Fields: []commands.Field{{Name: "reason", Label: "Why"}}}}
	}
	value := `{"i":"INC-42","r":"REQ-1","d":"abc"}`
	t.Run("in time", func(t *testing.T) {
		f, b, _ := desk(t, ask)
		b.handle(t.Context(), pressedOn(f, "cdc:reject:1", value))
		form := f.form("views.open")
		if form.Get("trigger_id") != "t1" || !strings.Contains(form.Get("view"), questionView) || len(f.said) != 0 {
			t.Errorf("opened %v, said %v", form, f.said)
		}
	})
	t.Run("trigger expired", func(t *testing.T) {
		f, b, _ := desk(t, ask)
		f.answer("views.open", func(url.Values) (int, any) { return http.StatusOK, no("expired_trigger_id") })
		b.handle(t.Context(), pressedOn(f, "cdc:reject:1", value))
		js, _ := json.Marshal(f.said)
		if len(f.said) != 1 || !strings.Contains(string(js), "Open the form") || !strings.Contains(string(js), "cdc:reject") {
			t.Errorf("said %s, want a button that opens the form", js)
		}
	})
	t.Run("too old to try", func(t *testing.T) {
		f, b, _ := desk(t, ask)
		o := pressedOn(f, "cdc:reject:1", value)
		o.place.At = time.Now().Add(-3 * time.Second)
		b.handle(t.Context(), o)
		if f.count("views.open") != 0 || len(f.said) != 1 {
			t.Errorf("said %v", f.said)
		}
	})
	t.Run("plan is said instead", func(t *testing.T) {
		f, b, _ := desk(t, func(commands.Command) commands.Reply { return commands.Reply{Plan: ptr(pendingRequest())} })
		f.answer("views.open", func(url.Values) (int, any) { return http.StatusOK, no("expired_trigger_id") })
		b.handle(t.Context(), pressedOn(f, "cdc:plan:2", value))
		js, _ := json.Marshal(f.said)
		if !strings.Contains(string(js), "Restarts the failed tasks of postgres-sink-connector.") {
			t.Errorf("said %s", js)
		}
	})
}

func TestForgedButtonIsToldAndNothingRuns(t *testing.T) {
	t.Parallel()
	f, b, a := desk(t, nil)
	b.handle(t.Context(), pressedOn(f, "cdc:approve", `{"r":"REQ-1"}`))
	if a.count() != 0 || len(f.said) != 1 || !strings.Contains(f.said[0]["text"].(string), "nothing was done") {
		t.Errorf("asked %d, said %v", a.count(), f.said)
	}
}

func TestDoubleDeliveryRunsOnce(t *testing.T) {
	t.Parallel()
	f, b, a := desk(t, nil)
	o := typed(f, "restart x")
	b.handle(t.Context(), o)
	b.handle(t.Context(), o)
	if a.count() != 1 || len(f.said) != 1 {
		t.Errorf("ran %d times, %d answers", a.count(), len(f.said))
	}
}

func TestPanicIsAnAnswer(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, func(commands.Command) commands.Reply { panic("boom") })
	b.handle(t.Context(), typed(f, "status"))
	if len(f.said) != 1 || !strings.Contains(f.said[0]["text"].(string), "went wrong") {
		t.Errorf("said %v", f.said)
	}
}

func TestFiles(t *testing.T) {
	t.Parallel()
	export := commands.Reply{Text: "The timeline.", File: &remediation.File{Name: "INC-42.md", Title: "Review", Body: []byte("# x")}}
	for _, row := range []struct{ name, channel, thread, where string }{{"button", "C1", "1.0", "in the thread"}, {"typed", "D1", "", "direct message"}} {
		t.Run(row.name, func(t *testing.T) {
			f, b, _ := desk(t, func(commands.Command) commands.Reply { return export })
			f.answer("files.getUploadURLExternal", func(url.Values) (int, any) {
				return http.StatusOK, map[string]any{"ok": true, "upload_url": f.URL + "/upload/1", "file_id": "F1"}
			})
			f.answer("files.completeUploadExternal", func(url.Values) (int, any) {
				return http.StatusOK, map[string]any{"ok": true, "files": []any{map[string]any{"id": "F1"}}}
			})
			o := typed(f, "incident export INC-42")
			if row.name == "button" {
				o = pressedOn(f, "cdc:export:0", `{"i":"INC-42","f":"md"}`)
			}
			b.handle(t.Context(), o)
			form := f.form("files.completeUploadExternal")
			if form.Get("channel_id") != row.channel || form.Get("thread_ts") != row.thread || !strings.Contains(f.said[0]["text"].(string), row.where) {
				t.Errorf("shared with %v, said %v", form, f.said)
			}
		})
	}
}

func TestShortcutOutsideAnIncident(t *testing.T) {
	t.Parallel()
	f, b, a := desk(t, nil)
	js := `{"type":"message_action","callback_id":"timeline_add","trigger_id":"t","response_url":"` + f.URL + `/response/1","user":{"id":"UONCALL","name":"oncall"},"channel":{"id":"C1"},"message":{"ts":"2.0","text":"x"}}`
	o := route(envelope{Type: "interactive", Payload: json.RawMessage(js), At: time.Now()}, "UBOT")
	b.handle(t.Context(), o)
	if a.count() != 0 || !strings.Contains(f.said[0]["text"].(string), "not in the thread of an incident") {
		t.Errorf("said %v", f.said)
	}
	b.options.Threads = oneThread{}
	o.seen = "another"
	b.handle(context.Background(), o)
	if a.count() != 1 || a.asked[0].Incident != "INC-1" || a.asked[0].Reason != "x" {
		t.Errorf("asked %+v", a.asked)
	}
}

func TestResponseURLHonoursRetryAfter(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, nil)
	f.responses = []int{http.StatusTooManyRequests}
	began := time.Now()
	b.handle(t.Context(), typed(f, "status"))
	if len(f.said) != 1 || time.Since(began) < 900*time.Millisecond || f.count("chat.postEphemeral") != 0 {
		t.Errorf("said %v after %s", f.said, time.Since(began))
	}
}

func TestUsedUpResponseURLIsWhispered(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, nil)
	f.responses = []int{http.StatusNotFound}
	b.handle(t.Context(), typed(f, "status"))
	if len(f.said) != 0 || f.count("chat.postEphemeral") != 1 {
		t.Errorf("said %v, whispered %d times", f.said, f.count("chat.postEphemeral"))
	}
}

func TestWhisperIsPatient(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, nil)
	refused := false
	f.answer("chat.postEphemeral", func(url.Values) (int, any) {
		if !refused {
			refused = true
			return http.StatusTooManyRequests, no("ratelimited")
		}
		return http.StatusOK, nil
	})
	if err := b.whisper(t.Context(), place{Channel: "C1"}, says{text: "x"}); err != nil || f.count("chat.postEphemeral") != 2 {
		t.Errorf("%v after %d calls", err, f.count("chat.postEphemeral"))
	}
}

// brokenSeen is a memory that is away.
type brokenSeen struct{ Seen }

func (brokenSeen) Begin(context.Context, string) (Standing, error) {
	return "", errors.New("redis is away")
}
func (brokenSeen) Done(context.Context, string) error { return errors.New("redis is away") }

func TestMemoryAwayStillAnswers(t *testing.T) {
	t.Parallel()
	f, b, a := desk(t, nil)
	b.options.Seen = brokenSeen{}
	b.handle(t.Context(), typed(f, "status"))
	if a.count() != 1 || len(f.said) != 1 {
		t.Errorf("asked %d, said %v", a.count(), f.said)
	}
	b.listen = &listener{heard: make(chan ThreadMessage, 1)}
	b.hear(t.Context(), route(happened(`{"type":"message","user":"U1","text":"x","channel":"C1","ts":"2.0","thread_ts":"1.0"}`), "UBOT"), func() { t.Error("a message was acknowledged although nothing remembers it") })
}

func TestAnswerThatFitsNowhereElseIsADirectMessage(t *testing.T) {
	t.Parallel()
	f, b, _ := desk(t, nil)
	f.answer("chat.postEphemeral", func(url.Values) (int, any) { return http.StatusOK, no("channel_not_found") })
	o := typed(f, "status")
	o.place.ResponseURL = ""
	b.handle(t.Context(), o)
	if form := f.form("chat.postMessage"); form.Get("channel") != "D1" || form.Get("text") != "done" {
		t.Errorf("messaged %v", form)
	}
}
