package slack

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

type world struct {
	*fake
	refs RedisRefs
}

func newWorld(t *testing.T) world {
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() })
	return world{newFake(t), RedisRefs{Redis: client}}
}

// board is one replica's board; change may alter its options.
func (w world) board(owner string, change func(*Options, *BoardOptions)) *Board {
	o := BoardOptions{Refs: w.refs, Owner: owner, Channel: func(string) string { return "C1" }}
	b := w.bot(func(bo *Options) {
		if change != nil {
			change(bo, &o)
		}
	})
	b.self.Store(&slackapi.AuthTestResponse{URL: "https://team.slack.com/", UserID: "UBOT", BotID: "BBOT", TeamID: "T1"})
	return b.Board(o)
}

func (w world) cards() map[string]int {
	w.mu.Lock()
	defer w.mu.Unlock()
	found := map[string]int{}
	for _, m := range w.messages {
		var meta slackapi.SlackMetadata
		_ = json.Unmarshal([]byte(m.metadata), &meta)
		card, _ := meta.EventPayload["card"].(string)
		found[card]++
	}
	return found
}

func show(t *testing.T, b *Board, v remediation.View) incident.Thread {
	t.Helper()
	thread, err := b.Show(t.Context(), v)
	if err != nil {
		t.Fatal(err)
	}
	return thread
}

func askedView() remediation.View {
	v := diagnosedView()
	v.Requests = []remediation.Asked{pendingRequest()}
	return v
}

func TestShowPostsOnceAndUpdatesWhatChanged(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	thread := show(t, b, askedView())
	if thread.Channel != "C1" || thread.TS == "" || w.count("chat.postMessage") != 2 {
		t.Fatalf("thread %+v after %d posts", thread, w.count("chat.postMessage"))
	}
	for _, c := range w.fake.calls {
		if c.method == "chat.postMessage" && (c.form.Get("unfurl_links") != "false" || c.form.Get("unfurl_media") != "false" || c.form.Get("link_names") == "true") {
			t.Errorf("links would unfurl: %v", c.form)
		}
	}
	if got := w.messages[1].thread; got != thread.TS {
		t.Errorf("request stands in thread %q, want %q", got, thread.TS)
	}
	show(t, b, askedView())
	show(t, w.board("b", nil), askedView())
	if n := w.count("chat.postMessage") + w.count("chat.update"); n != 2 {
		t.Errorf("showing the same again made %d calls", n-2)
	}
	v := askedView()
	v.Requests[0] = decided(approval.Rejected, approval.Reject)
	v.Now = v.Now.Add(time.Minute)
	show(t, b, v)
	if w.count("chat.update") != 2 || !strings.Contains(w.messages[1].blocks, "REJECTED") { // the root no longer says that it waits
		t.Errorf("%d updates; request shows %s", w.count("chat.update"), w.messages[1].text)
	}
	if id, err := w.refs.Incident(t.Context(), thread.Channel, thread.TS); err != nil || id != "INC-42" {
		t.Errorf("thread belongs to %q %v", id, err)
	}
	if got, err := w.refs.Thread(t.Context(), "INC-42"); err != nil || got != thread {
		t.Errorf("thread of INC-42 is %+v %v", got, err)
	}
}

// forgetful loses what is put, as a crash between posting and storing does.
type forgetful struct{ Refs }

func (forgetful) Put(context.Context, string, string, Ref) error {
	return errors.New("crash")
}

func TestCrashBetweenPostingAndStoring(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		name, owner string
		later       time.Duration
	}{{"same replica at once", "a", 0}, {"another replica after a while", "b", time.Minute}} {
		t.Run(row.name, func(t *testing.T) {
			w := newWorld(t)
			dying := w.board("a", func(_ *Options, o *BoardOptions) { o.Refs = forgetful{w.refs} })
			if _, err := dying.Show(t.Context(), openView()); err == nil {
				t.Fatal("the crash was not seen")
			}
			next := w.board(row.owner, func(o *Options, _ *BoardOptions) { o.Now = func() time.Time { return time.Now().Add(row.later) } })
			thread := show(t, next, openView())
			if n := w.cards()[rootCard]; n != 1 || thread.TS != w.messages[0].ts {
				t.Errorf("%d roots; thread %+v", n, thread)
			}
		})
	}
}

func TestAnotherReplicaIsPosting(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	dying := w.board("a", func(_ *Options, o *BoardOptions) { o.Refs = forgetful{w.refs} })
	_, _ = dying.Show(t.Context(), openView())
	_, err := w.board("b", nil).Show(t.Context(), openView())
	var away *AwayError
	if !errors.As(err, &away) || !errors.Is(err, ErrAway) || time.Until(away.RetryAt) > claimedBy {
		t.Errorf("got %v, want to be told to wait for the other replica", err)
	}
}

func TestReplicasRacingPostOnce(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	var group sync.WaitGroup
	for _, owner := range []string{"a", "b", "c", "d"} {
		b := w.board(owner, nil)
		group.Go(func() { _, _ = b.Show(context.Background(), askedView()) })
	}
	group.Wait()
	show(t, w.board("e", func(o *Options, _ *BoardOptions) { o.Now = func() time.Time { return time.Now().Add(time.Minute) } }), askedView())
	for card, n := range w.cards() {
		if n != 1 {
			t.Errorf("card %s was posted %d times", card, n)
		}
	}
}

func TestLostAnswerIsLookedForNotRepeated(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	w.answer("chat.postMessage", func(form url.Values) (int, any) {
		w.builtin("chat.postMessage", form) // Slack took it, the answer is lost
		return http.StatusBadGateway, map[string]any{}
	})
	if _, err := b.Show(t.Context(), openView()); !errors.Is(err, ErrAway) {
		t.Fatalf("got %v, want that slack is away", err)
	}
	w.answer("chat.postMessage", nil)
	show(t, b, openView())
	if n := w.cards()[rootCard]; n != 1 {
		t.Errorf("%d roots", n)
	}
}

// TestAnswerLostBeforeSlackTookIt: right after a lost answer the message may still be under way, so nothing is posted.
func TestAnswerLostBeforeSlackTookIt(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer("chat.postMessage", func(url.Values) (int, any) { return http.StatusBadGateway, map[string]any{} })
	if _, err := w.board("a", nil).Show(t.Context(), openView()); !errors.Is(err, ErrAway) {
		t.Fatalf("got %v", err)
	}
	w.answer("chat.postMessage", nil)
	_, err := w.board("a", nil).Show(t.Context(), openView())
	var away *AwayError
	if !errors.As(err, &away) || w.cards()[rootCard] != 0 || time.Until(away.RetryAt) > settled {
		t.Errorf("got %v with %d roots, want to wait", err, w.cards()[rootCard])
	}
	show(t, w.board("a", func(o *Options, _ *BoardOptions) { o.Now = func() time.Time { return time.Now().Add(settled) } }), openView())
	if n := w.cards()[rootCard]; n != 1 {
		t.Errorf("%d roots", n)
	}
}

func TestRateLimitIsHonoured(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	show(t, b, openView())
	var refusedAt time.Time
	w.answer("chat.update", func(url.Values) (int, any) {
		w.mu.Lock()
		defer w.mu.Unlock()
		if refusedAt.IsZero() {
			refusedAt = time.Now()
			return http.StatusTooManyRequests, no("ratelimited")
		}
		if time.Since(refusedAt) < 900*time.Millisecond {
			t.Errorf("tried again after %s, Retry-After was 1 s", time.Since(refusedAt))
		}
		return http.StatusOK, nil
	})
	v := diagnosedView()
	_, err := b.Show(t.Context(), v)
	var away *AwayError
	if !errors.As(err, &away) || time.Until(away.RetryAt) < 500*time.Millisecond {
		t.Fatalf("got %v, want when to try again", err)
	}
	show(t, b, v)
	if w.messages[0].edits != 1 {
		t.Errorf("%d edits", w.messages[0].edits)
	}
}

func TestBlocksThatSlackRefusesBecomeText(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	w.answer("chat.postMessage", func(form url.Values) (int, any) {
		if form.Get("blocks") != "[]" && form.Get("blocks") != "" {
			return http.StatusOK, map[string]any{"ok": false, "error": "invalid_blocks", "response_metadata": map[string]any{"messages": []string{"[ERROR] too long"}}}
		}
		return http.StatusOK, nil
	})
	show(t, b, openView())
	if !strings.Contains(w.messages[0].text, "could not be drawn") {
		t.Errorf("shown: %s", w.messages[0].text)
	}
}

func TestDeletedMessagesComeBack(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	show(t, b, askedView())
	w.mu.Lock()
	w.messages[1].ts = "deleted" // the request's card
	w.mu.Unlock()
	v := askedView()
	v.Requests[0] = decided(approval.Used, approval.Approve)
	v.Now = v.Now.Add(time.Second)
	first := show(t, b, v)
	if w.cards()["REQ-17"] != 2 || w.cards()[rootCard] != 1 {
		t.Errorf("cards %v, want the request again and the root as it was", w.cards())
	}
	w.mu.Lock()
	w.messages[0].ts = "deleted" // the whole thread
	w.mu.Unlock()
	v.Incident.State, v.Now = incident.Resolved, v.Now.Add(time.Second)
	if second := show(t, b, v); second == first || w.cards()[rootCard] != 2 || w.cards()["REQ-17"] != 3 {
		t.Errorf("thread %+v, cards %v, want a new thread with everything", second, w.cards())
	}
}

func TestChannelTroubles(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	for _, code := range []string{"channel_not_found", "is_archived", "restricted_action"} {
		w.answer("chat.postMessage", func(url.Values) (int, any) { return http.StatusOK, no(code) })
		if _, err := w.board("a", nil).Show(t.Context(), openView()); !errors.Is(err, ErrChannel) || !strings.Contains(err.Error(), code) {
			t.Errorf("%s: got %v", code, err)
		}
	}
	joined := false
	w.answer("conversations.join", func(url.Values) (int, any) { joined = true; return http.StatusOK, nil })
	w.answer("chat.postMessage", func(url.Values) (int, any) {
		if !joined {
			return http.StatusOK, no("not_in_channel")
		}
		return http.StatusOK, nil
	})
	show(t, w.board("a", nil), openView())
	nowhere := w.board("a", func(_ *Options, o *BoardOptions) { o.Channel = func(string) string { return "" } })
	v := openView()
	v.Incident.ID = "INC-43"
	if _, err := nowhere.Show(t.Context(), v); !errors.Is(err, ErrChannel) || !strings.Contains(err.Error(), "warehouse") {
		t.Errorf("got %v, want an error that names the pipeline", err)
	}
}

func TestChannelByName(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	w.answer("conversations.list", func(form url.Values) (int, any) {
		if form.Get("cursor") == "" {
			return http.StatusOK, map[string]any{"ok": true, "channels": []any{map[string]any{"id": "C8", "name": "general"}}, "response_metadata": map[string]any{"next_cursor": "more"}}
		}
		return http.StatusOK, map[string]any{"ok": true, "channels": []any{map[string]any{"id": "C9", "name": "cdc-ops"}}}
	})
	b := w.board("a", nil)
	for _, row := range []struct{ in, want string }{{"#cdc-ops", "C9"}, {"cdc-ops", "C9"}, {"C0123ABC", "C0123ABC"}} {
		if got, err := b.ChannelID(t.Context(), row.in); err != nil || got != row.want {
			t.Errorf("%s: got %q %v, want %q", row.in, got, err, row.want)
		}
	}
	if _, err := b.ChannelID(t.Context(), "#nope"); !errors.Is(err, ErrChannel) || !strings.Contains(err.Error(), "#nope") {
		t.Errorf("got %v", err)
	}
}

func TestOlderViewDoesNotWin(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	newer := diagnosedView()
	show(t, b, newer)
	show(t, b, func() remediation.View { v := openView(); v.Now = newer.Now.Add(-time.Second); return v }())
	if !strings.Contains(w.messages[0].blocks, "PostgreSQL refused") || w.count("chat.update") != 0 {
		t.Error("an older view was drawn over a newer one")
	}
}

func TestEditsOfOneMessageAreASecondApart(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	v := openView()
	show(t, b, v)
	began := time.Now()
	for i := range 3 {
		v.Incident.Reopened, v.Now = i+1, v.Now.Add(time.Second)
		show(t, b, v)
	}
	if took := time.Since(began); took < 2*editEvery || w.messages[0].edits != 3 {
		t.Errorf("%d edits in %s", w.messages[0].edits, took)
	}
}

func TestAttach(t *testing.T) {
	t.Parallel()
	w := newWorld(t)
	b := w.board("a", nil)
	thread := incident.Thread{Channel: "C1", TS: "1.0"}
	w.answer("files.getUploadURLExternal", func(url.Values) (int, any) {
		return http.StatusOK, map[string]any{"ok": true, "upload_url": w.URL + "/upload/1", "file_id": "F1"}
	})
	var shared url.Values
	w.answer("files.completeUploadExternal", func(form url.Values) (int, any) {
		shared = form
		return http.StatusOK, map[string]any{"ok": true, "files": []any{map[string]any{"id": "F1", "title": "t"}}}
	})
	f := remediation.File{Name: "INC-42.md", Title: "Review", Body: []byte("# Review\n"), Comment: "<!channel> here"}
	if err := b.Attach(t.Context(), thread, f); err != nil {
		t.Fatal(err)
	}
	if shared.Get("channel_id") != "C1" || shared.Get("thread_ts") != "1.0" || strings.Contains(shared.Get("initial_comment"), "<!channel>") {
		t.Errorf("shared with %v", shared)
	}
	if err := b.Attach(t.Context(), thread, remediation.File{Name: "empty"}); err == nil || !strings.Contains(err.Error(), "empty") {
		t.Errorf("got %v", err)
	}
	if err := b.Attach(t.Context(), incident.Thread{}, f); err == nil {
		t.Error("attached to no thread")
	}
}
