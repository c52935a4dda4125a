package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"

	"cdcbot/internal/approval"
)

// People tells who somebody is. What Slack said is kept for a minute, and Anew asks again; when Slack cannot be asked there
// is no answer, and nobody is let through on an old one.
type People struct {
	bot    *Bot
	groups []string
	TTL    time.Duration

	// Members remembers since when people are in the groups; a nil one does not.
	Members *approval.Members

	mu      sync.Mutex
	persons map[string]kept[approval.Person]
	members map[string]kept[map[string]time.Time] // group → who is in it, and since when
	handles kept[map[string]string]
}

type kept[T any] struct {
	value T
	until time.Time
}

// People returns a directory that also knows who is in the given user groups: IDs ("S…") or handles ("@cdc-approvers").
func (b *Bot) People(groups ...string) *People {
	return &People{bot: b, groups: groups, TTL: time.Minute, persons: map[string]kept[approval.Person]{}, members: map[string]kept[map[string]time.Time]{}}
}

// Regroup changes the groups that are looked at.
func (p *People) Regroup(groups ...string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.groups = groups
}

// Person looks a user up. Groups holds those of the configured groups that the user is in, as they were configured.
func (p *People) Person(ctx context.Context, id string) (approval.Person, error) {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	now := p.bot.options.Now()
	if k, known := p.persons[id]; known && now.Before(k.until) {
		return p.in(ctx, k.value)
	}
	u, err := p.bot.api.GetUserInfoContext(ctx, id)
	if err != nil {
		return approval.Person{}, fmt.Errorf("looking up slack user %s: %w", id, lookup(err, p.bot))
	}
	who := p.describe(u)
	p.persons[id] = kept[approval.Person]{who, now.Add(p.TTL)}
	p.clean(now)
	return p.in(ctx, who)
}

// Anew is Person with nothing that was kept: who decides is who Slack says they are at that moment.
func (p *People) Anew(ctx context.Context, id string) (approval.Person, error) {
	p.mu.Lock()
	delete(p.persons, id)
	clear(p.members)
	p.mu.Unlock()
	return p.Person(ctx, id)
}

// lookup says that Slack is away where it is.
func lookup(err error, b *Bot) error {
	var limited *slackapi.RateLimitedError
	if errors.As(err, &limited) {
		return &AwayError{RetryAt: b.options.Now().Add(limited.RetryAfter), Cause: err}
	}
	if isNetwork(err) {
		return &AwayError{RetryAt: b.options.Now().Add(awayFor), Cause: err}
	}
	return err
}

func (p *People) clean(now time.Time) {
	for id, k := range p.persons {
		if !now.Before(k.until) {
			delete(p.persons, id)
		}
	}
}

func (p *People) describe(u *slackapi.User) approval.Person {
	_, _, team := p.bot.Self()
	foreign := u.IsStranger || (team != "" && u.TeamID != "" && u.TeamID != team && u.Enterprise.ID == "")
	return approval.Person{
		ID: u.ID, Name: shownName(u),
		Human:  !u.IsBot && !u.IsAppUser && !u.IsWorkflowBot && !u.IsConnectorBot && u.ID != "USLACKBOT",
		Active: !u.Deleted && !u.IsInvitedUser,
		Guest:  u.IsRestricted || u.IsUltraRestricted || foreign,
	}
}

func shownName(u *slackapi.User) string {
	for _, name := range []string{u.Profile.DisplayName, u.Profile.RealName, u.RealName, u.Name} {
		if name != "" {
			return line(name)
		}
	}
	return u.ID
}

// in adds the groups that the person is in.
func (p *People) in(ctx context.Context, who approval.Person) (approval.Person, error) {
	who.Groups, who.Since = nil, nil
	for _, group := range p.groups {
		members, err := p.membersOf(ctx, group)
		if err != nil {
			return approval.Person{}, fmt.Errorf("looking up slack user group %s: %w", group, lookup(err, p.bot))
		}
		if since, in := members[who.ID]; in {
			who.Groups = append(who.Groups, group)
			who = p.settled(who, group, since)
		}
	}
	return who, nil
}

// settled adds since when the person is in a group, where that is remembered.
func (p *People) settled(who approval.Person, group string, since time.Time) approval.Person {
	if p.Members == nil {
		return who
	}
	who.At = p.bot.options.Now()
	if who.Since == nil {
		who.Since = map[string]time.Time{}
	}
	who.Since[group] = since
	return who
}

// Watch looks at the groups every now and then until ctx ends, so that who has long been in one is known when it matters.
func (p *People) Watch(ctx context.Context) error {
	ticker := time.NewTicker(p.TTL)
	defer ticker.Stop()
	for {
		if err := p.look(ctx); err != nil && ctx.Err() == nil {
			p.bot.log.Warn("not seen who is in the group of approvers; looking again", zap.Error(err))
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		}
	}
}

func (p *People) look(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, lookupTimeout)
	defer cancel()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, group := range p.groups {
		delete(p.members, group)
		if _, err := p.membersOf(ctx, group); err != nil {
			return fmt.Errorf("looking up slack user group %s: %w", group, err)
		}
	}
	return nil
}

func (p *People) membersOf(ctx context.Context, group string) (map[string]time.Time, error) {
	now := p.bot.options.Now()
	if k, known := p.members[group]; known && now.Before(k.until) {
		return k.value, nil
	}
	id, err := p.groupID(ctx, group)
	if err != nil {
		return nil, err
	}
	list, err := p.bot.api.GetUserGroupMembersContext(ctx, id)
	if err != nil {
		return nil, err
	}
	members := make(map[string]time.Time, len(list))
	for _, m := range list {
		members[m] = time.Time{}
	}
	if p.Members != nil {
		if members, err = p.Members.See(ctx, id, list); err != nil {
			return nil, err
		}
	}
	p.members[group] = kept[map[string]time.Time]{members, now.Add(p.TTL)}
	return members, nil
}

// groupID resolves a handle. A group without an ID is an error that says so: nobody is an approver by mistake.
func (p *People) groupID(ctx context.Context, group string) (string, error) {
	handle := strings.ToLower(strings.TrimPrefix(group, "@"))
	now := p.bot.options.Now()
	if !now.Before(p.handles.until) {
		list, err := p.bot.api.GetUserGroupsContext(ctx)
		if err != nil {
			return "", err
		}
		byHandle := make(map[string]string, 2*len(list))
		for _, g := range list {
			byHandle[strings.ToLower(g.Handle)] = g.ID
			byHandle[strings.ToLower(g.ID)] = g.ID
		}
		p.handles = kept[map[string]string]{byHandle, now.Add(p.TTL)}
	}
	if id, known := p.handles.value[handle]; known {
		return id, nil
	}
	return "", fmt.Errorf("%w: there is no user group %q in the workspace", approval.ErrPolicy, group)
}
