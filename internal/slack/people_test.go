package slack

import (
	"errors"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/google/go-cmp/cmp"
	"github.com/redis/go-redis/v9"

	"cdcbot/internal/approval"
)

func TestPeople(t *testing.T) {
	for _, row := range []struct {
		name string
		user map[string]any
		want approval.Person
	}{
		{"member", map[string]any{"id": "U1", "team_id": "T1", "name": "oncall", "profile": map[string]any{"display_name": "On call"}}, approval.Person{ID: "U1", Name: "On call", Human: true, Active: true}},
		{"bot", map[string]any{"id": "U1", "is_bot": true, "name": "b"}, approval.Person{ID: "U1", Name: "b", Active: true}},
		{"app", map[string]any{"id": "U1", "is_app_user": true, "name": "b"}, approval.Person{ID: "U1", Name: "b", Active: true}},
		{"slackbot", map[string]any{"id": "USLACKBOT", "name": "slackbot"}, approval.Person{ID: "USLACKBOT", Name: "slackbot", Active: true}},
		{"deactivated", map[string]any{"id": "U1", "deleted": true, "name": "b"}, approval.Person{ID: "U1", Name: "b", Human: true}},
		{"invited only", map[string]any{"id": "U1", "is_invited_user": true, "name": "b"}, approval.Person{ID: "U1", Name: "b", Human: true}},
		{"guest", map[string]any{"id": "U1", "is_restricted": true, "name": "b"}, approval.Person{ID: "U1", Name: "b", Human: true, Active: true, Guest: true}},
		{"single-channel guest", map[string]any{"id": "U1", "is_ultra_restricted": true, "name": "b"}, approval.Person{ID: "U1", Name: "b", Human: true, Active: true, Guest: true}},
		{"from another organisation", map[string]any{"id": "U1", "team_id": "T2", "name": "b"}, approval.Person{ID: "U1", Name: "b", Human: true, Active: true, Guest: true}},
	} {
		t.Run(row.name, func(t *testing.T) {
			f, b, _ := desk(t, nil)
			f.answer("users.info", func(url.Values) (int, any) { return http.StatusOK, map[string]any{"ok": true, "user": row.user} })
			got, err := b.People().Person(t.Context(), row.want.ID)
			if diff := cmp.Diff(row.want, got); err != nil || diff != "" {
				t.Errorf("%v %s", err, diff)
			}
		})
	}
}

func TestPeopleFailClosedAndForgetAfterAMinute(t *testing.T) {
	f := newFake(t)
	now := noon
	b := f.bot(func(o *Options) { o.Now = func() time.Time { return now } })
	members := []string{"U1"}
	f.answer("usergroups.list", func(url.Values) (int, any) {
		return http.StatusOK, map[string]any{"ok": true, "usergroups": []any{map[string]any{"id": "S1", "handle": "cdc-approvers"}}}
	})
	f.answer("usergroups.users.list", func(url.Values) (int, any) { return http.StatusOK, map[string]any{"ok": true, "users": members} })
	p := b.People("@cdc-approvers")
	in := func() []string {
		t.Helper()
		who, err := p.Person(t.Context(), "U1")
		if err != nil {
			t.Fatal(err)
		}
		return who.Groups
	}
	if got := in(); len(got) != 1 || got[0] != "@cdc-approvers" {
		t.Fatalf("groups %v", got)
	}
	asked := f.count("users.info")
	members = nil
	if in(); f.count("users.info") != asked {
		t.Error("asked again within a minute")
	}
	if who, err := p.Anew(t.Context(), "U1"); err != nil || len(who.Groups) != 0 || f.count("users.info") != asked+1 {
		t.Errorf("anew: groups %v, %v, after the person left; asked %d times more, want 1", who.Groups, err, f.count("users.info")-asked)
	}
	now = now.Add(61 * time.Second)
	if got := in(); len(got) != 0 {
		t.Errorf("groups %v after the person left", got)
	}
	now = now.Add(61 * time.Second)
	for _, method := range []string{"users.info", "usergroups.users.list"} {
		f.answer(method, func(url.Values) (int, any) { return http.StatusServiceUnavailable, map[string]any{} })
		if who, err := p.Person(t.Context(), "U1"); !errors.Is(err, ErrAway) {
			t.Errorf("%s away: got %+v %v, want no answer", method, who, err)
		}
		f.answer(method, nil)
		now = now.Add(61 * time.Second)
	}
	if _, err := b.People("@nobody").Person(t.Context(), "U1"); err == nil {
		t.Error("a group that does not exist let somebody through")
	}
}

// Since when somebody is in a group is since the bot first looked, by itself, and without the memory nobody is told of.
func TestPeopleKnowSinceWhenSomebodyIsInAGroup(t *testing.T) {
	f := newFake(t)
	now := noon
	b := f.bot(func(o *Options) { o.Now = func() time.Time { return now } })
	members := []string{"U1"}
	f.answer("usergroups.list", func(url.Values) (int, any) {
		return http.StatusOK, map[string]any{"ok": true, "usergroups": []any{map[string]any{"id": "S1", "handle": "cdc-approvers"}}}
	})
	f.answer("usergroups.users.list", func(url.Values) (int, any) { return http.StatusOK, map[string]any{"ok": true, "users": members} })
	server := miniredis.RunT(t)
	client := redis.NewClient(&redis.Options{Addr: server.Addr()})
	t.Cleanup(func() { _ = client.Close() }) // the test ends
	p := b.People("@cdc-approvers")
	p.Members = &approval.Members{Redis: client, Now: func() time.Time { return now }}
	if err := p.look(t.Context()); err != nil {
		t.Fatal(err)
	}
	now, members = now.Add(time.Hour), []string{"U1", "U2"}
	for id, want := range map[string]time.Duration{"U1": time.Hour, "U2": 0} {
		who, err := p.Anew(t.Context(), id)
		if err != nil {
			t.Fatal(err)
		}
		if got := who.At.Sub(who.Since["@cdc-approvers"]); got != want {
			t.Errorf("%s is known for %s, want %s", id, got, want)
		}
	}
	server.Close()
	if who, err := p.Anew(t.Context(), "U1"); !errors.Is(err, approval.ErrUnavailable) {
		t.Errorf("without memory: %+v, %v; want ErrUnavailable", who, err)
	}
}
