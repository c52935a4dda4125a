package approval

import (
	"errors"
	"strings"
	"testing"
	"time"
)

func TestMayDecide(t *testing.T) {
	member := Person{ID: "U1", Name: "approver", Human: true, Active: true, Groups: []string{"S1"}}
	noon := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	since := func(d time.Duration) Person {
		p := member
		p.At, p.Since = noon, map[string]time.Time{"S1": noon.Add(-d)}
		return p
	}
	with := func(change func(*Person)) Person { p := member; change(&p); return p }
	for _, row := range []struct {
		name   string
		policy Policy
		who    Person
		want   string // "" when allowed, else a part of the reason
	}{
		{"any member", Policy{}, member, ""},
		{"bot", Policy{}, with(func(p *Person) { p.Human = false }), "bots"},
		{"deactivated", Policy{}, with(func(p *Person) { p.Active = false }), "deactivated"},
		{"guest", Policy{}, with(func(p *Person) { p.Guest = true }), "guests"},
		{"nobody", Policy{}, Person{}, "user ID"},
		{"no ID", Policy{}, with(func(p *Person) { p.ID = "" }), "user ID"},
		{"listed", Policy{Approvers: []string{"U2", "U1"}}, member, ""},
		{"listed in another spelling", Policy{Approvers: []string{" u1 "}}, member, ""},
		{"not listed", Policy{Approvers: []string{"U2"}}, member, "not among"},
		{"a blank entry lists nobody", Policy{Approvers: []string{""}}, member, "not among"},
		{"in the group", Policy{Group: "S1"}, member, ""},
		{"not in the group", Policy{Group: "S2"}, member, "not among"},
		{"no groups known", Policy{Group: "S1"}, with(func(p *Person) { p.Groups = nil }), "not among"},
		{"listed, not in the group", Policy{Approvers: []string{"U1"}, Group: "S2"}, member, ""},
		{"a listed bot", Policy{Approvers: []string{"U1"}}, with(func(p *Person) { p.Human = false }), "bots"},
		{"a guest in the group", Policy{Group: "S1"}, with(func(p *Person) { p.Guest = true }), "guests"},
		{"long enough in the group", Policy{Group: "S1", MemberFor: time.Hour}, since(time.Hour), ""},
		{"not long enough in the group", Policy{Group: "S1", MemberFor: time.Hour}, since(time.Hour - time.Millisecond), "approval.member_for"},
		{"nobody knows for how long", Policy{Group: "S1", MemberFor: time.Hour}, member, "approval.member_for"},
		{"known since no time at all", Policy{Group: "S1", MemberFor: time.Hour}, with(func(p *Person) { p.At, p.Since = noon, map[string]time.Time{"S1": {}} }), "approval.member_for"},
		{"long enough in another group", Policy{Group: "S1", MemberFor: time.Hour}, with(func(p *Person) { p.At, p.Since = noon, map[string]time.Time{"S2": noon.Add(-2 * time.Hour)} }), "approval.member_for"},
		{"long in the group, and not any more", Policy{Group: "S1", MemberFor: time.Hour}, with(func(p *Person) {
			p.At, p.Since, p.Groups = noon, map[string]time.Time{"S1": noon.Add(-2 * time.Hour)}, nil
		}), "not among"},
		{"listed, and new in the group", Policy{Approvers: []string{"U1"}, Group: "S1", MemberFor: time.Hour}, since(0), ""},
	} {
		err := row.policy.MayDecide(t.Context(), row.who, "change")
		if row.want == "" && err != nil || row.want != "" && (!errors.Is(err, ErrPolicy) || !strings.Contains(err.Error(), row.want)) {
			t.Errorf("%s: %+v: %v, want %q", row.name, row.who, err, row.want)
		}
	}
}

// A change of member_for is a change of the policy; a policy without it is the one it was.
func TestFingerprintOfMemberFor(t *testing.T) {
	plain := Policy{Group: "S1"}
	if short, long := (Policy{Group: "S1", MemberFor: time.Hour}), (Policy{Group: "S1", MemberFor: 2 * time.Hour}); plain.Fingerprint() == short.Fingerprint() || short.Fingerprint() == long.Fingerprint() {
		t.Error("policies that differ have one fingerprint")
	}
}

func TestNeeded(t *testing.T) {
	for _, row := range []struct {
		name   string
		policy Policy
		risk   string
		byBot  bool
		want   int
	}{
		{"change", Policy{}, "change", false, 1},
		{"read", Policy{}, "read", false, 1},
		{"unknown risk", Policy{}, "", false, 1},
		{"the bot proposes", Policy{}, "change", true, 2},
		{"high", Policy{}, "high", false, 2},
		{"high by configuration", Policy{High: 3}, "high", false, 3},
		{"high where there are few people", Policy{High: 1}, "high", false, 1},
		{"high and the bot", Policy{High: 1}, "high", true, 2},
		{"nonsense is one", Policy{High: -4}, "high", false, 1},
	} {
		if got := row.policy.Needed(row.risk, row.byBot); got != row.want {
			t.Errorf("%s: Needed(%q, %t) of %+v = %d, want %d", row.name, row.risk, row.byBot, row.policy, got, row.want)
		}
	}
}

func FuzzNormal(f *testing.F) {
	for _, s := range []string{"U1", " u1 ", "U1\u200b", "\u0423" + "1", "", "\x00", "U 1", "oncall", "ſ1", "ı1"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		id, err := normal(s)
		if err != nil {
			return
		}
		again, err := normal(id)
		if err != nil || again != id || strings.ToLower(id) == id && strings.ContainsAny(id, "abcdefghijklmnopqrstuvwxyz") {
			t.Errorf("normal(%q) = %q, then %q, %v", s, id, again, err)
		}
	})
}
