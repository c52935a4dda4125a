package app

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/breaker"
	"cdcbot/internal/config"
	"cdcbot/internal/doctor"
	"cdcbot/internal/redact"
	"cdcbot/internal/slack"
)

// checkDeadline bounds one check: nobody who looks after a bot at night waits longer.
const checkDeadline = 6 * time.Second

// checkup is what an examination looks at: a bot that runs, or what one would be made of.
type checkup struct {
	config   *config.Config
	redis    redis.UniversalClient // nil when it could not be opened
	bot      *slack.Bot            // nil without usable tokens
	worlds   map[string]*world     // by pipeline; none for one that could not be opened
	books    func() (library, error)
	breakers *breaker.Set   // nil when nothing is guarded
	fixed    []doctor.Check // what was found out while opening
	brief    bool           // within a bot that runs: what it already holds is not made again
}

// Doctor examines what a configuration needs, with the bot's own credentials: `bot doctor`. Done is told after each check;
// nil for nobody. It changes nothing and calls nobody.
func Doctor(ctx context.Context, c *config.Config, done func(done, of int)) doctor.Report {
	u := &checkup{config: c, worlds: map[string]*world{}, books: func() (library, error) { return openLibrary(c.Runbooks.Dir) }}
	u.check("configuration", "", func(context.Context) []doctor.Finding { return complaints(servable(Options{Config: c}), "") })
	redis.SetLogger(muted{})
	var err error
	if u.redis, err = openRedis(c.Redis); err != nil {
		u.redis = nil
		u.check("redis", "", broken(err, "mend the key"))
	} else {
		defer func() { _ = u.redis.Close() }() // it was only looked at
	}
	if c.Slack.BotToken != "" && c.Slack.AppToken != "" {
		if u.bot, err = slack.New(slack.Options{AppToken: c.Slack.AppToken, BotToken: c.Slack.BotToken, APIURL: c.Slack.APIURL}); err != nil {
			u.check("slack tokens", "", broken(err, "mend the token"))
		}
	}
	for _, name := range c.Names() {
		w, err := openWorld(c, name, nil, nil, around{})
		if err != nil {
			u.check("configuration", "pipelines."+name, broken(err, "mend the key"))
			continue
		}
		defer w.close()
		u.worlds[name] = w
	}
	return u.examine(ctx, done)
}

// muted is the log of Redis's client, which would tell on standard error what is a finding already.
type muted struct{}

// Printf does nothing.
func (muted) Printf(context.Context, string, ...any) {}

// Doctor examines the bot that runs, over the connections it has: `/cdc doctor`.
func (a *App) Doctor(ctx context.Context) doctor.Report {
	u := &checkup{config: a.config, redis: a.redis, bot: a.slack, worlds: a.worlds, breakers: a.breakers, brief: true, books: a.books.judged}
	return u.examine(ctx, nil)
}

func (u *checkup) examine(ctx context.Context, done func(done, of int)) doctor.Report {
	e := doctor.Examination{Deadline: checkDeadline, Redact: redact.New(u.config.Secrets()...).Text, Done: done}
	return e.Run(ctx, slices.Concat(u.fixed, u.files(), u.slackChecks(), u.redisChecks(), u.pipelineChecks(), u.commonChecks(), u.bookChecks(), u.breakerChecks()))
}

func (u *checkup) check(name, target string, look func(context.Context) []doctor.Finding) {
	u.fixed = append(u.fixed, doctor.Check{Name: name, Target: target, Look: look})
}

// broken is a check whose end is known before it begins.
func broken(err error, mend string) func(context.Context) []doctor.Finding {
	return func(context.Context) []doctor.Finding { return []doctor.Finding{doctor.Bad(mend, "%v", err)} }
}

// Complaints are the problems of a configuration as findings, for one that could not even be read.
func Complaints(err error) doctor.Report {
	return doctor.Report{Findings: complaints(err, "configuration")}
}

func complaints(err error, check string) []doctor.Finding {
	var e *config.Error
	if err == nil {
		return []doctor.Finding{doctor.Fine("every key is understood, and the bot could serve with it")}
	}
	if !errors.As(err, &e) {
		f := doctor.Bad("mend the file, or name another with --config", "%v", err)
		f.Check = check
		return []doctor.Finding{f}
	}
	list := make([]doctor.Finding, len(e.Problems))
	for i, p := range e.Problems {
		what := "missing"
		if p.Value != "" {
			what = fmt.Sprintf("%q (from %s) does not fit", p.Value, p.From)
		}
		list[i] = doctor.Bad("set it to "+p.Expect, "%s", what)
		list[i].Check, list[i].Target = check, p.Key
	}
	return list
}

// files looks who else on this machine may read or change the files with secrets. A configuration without secrets may be
// read by anybody.
func (u *checkup) files() []doctor.Check {
	var checks []doctor.Check
	named := u.config.Files()
	for _, key := range slices.Sorted(maps.Keys(named)) {
		if key == "" && !u.inline(named) {
			continue
		}
		checks = append(checks, doctor.Check{Name: "file mode", Target: named[key], Look: func(context.Context) []doctor.Finding {
			return []doctor.Finding{private(named[key], cmp.Or(key, "the configuration, which holds secrets"))}
		}})
	}
	return checks
}

// inline says whether secrets stand in the configuration itself: there are more of them than files.
func (u *checkup) inline(named map[string]string) bool {
	count := 0
	for key := range named {
		if key != "" {
			count++
		}
	}
	return len(u.config.Secrets()) > count
}

func private(path, key string) doctor.Finding {
	info, err := os.Stat(path)
	if err != nil {
		return doctor.Bad("see whether it was mounted", "%s cannot be looked at: %v", key, err)
	}
	mode := info.Mode().Perm()
	switch {
	case mode&0o022 != 0:
		return doctor.Bad("chmod 0600 "+path, "mode %s: others of this machine may change %s", mode, key)
	case mode&0o004 != 0:
		return doctor.Poor("chmod 0600 "+path, "mode %s: everybody on this machine may read %s", mode, key)
	}
	return doctor.Fine("mode %s", mode)
}

// slackChecks: tokens, scopes, channels, approvers, and Slack's clock.
func (u *checkup) slackChecks() []doctor.Check {
	if u.bot == nil {
		return []doctor.Check{{Name: "slack", Look: func(context.Context) []doctor.Finding {
			return []doctor.Finding{doctor.Skip("slack.bot_token and slack.app_token are not both there")}
		}}}
	}
	checks := []doctor.Check{{Name: "slack bot token", Target: "slack.bot_token", Look: u.identity}, {Name: "slack app token", Target: "slack.app_token", Look: u.opens}}
	for _, channel := range u.channels() {
		checks = append(checks, doctor.Check{Name: "slack channel", Target: channel, Look: func(ctx context.Context) []doctor.Finding {
			return []doctor.Finding{u.member(ctx, channel)}
		}})
	}
	if group := u.config.Approval.Group; group != "" {
		checks = append(checks, doctor.Check{Name: "approvers", Target: group, Look: func(ctx context.Context) []doctor.Finding {
			return []doctor.Finding{u.approvers(ctx, group)}
		}})
	}
	return checks
}

const slackMend = "see api.slack.com/apps → the app → OAuth & Permissions, and deploy/slack/manifest.yaml"

// identity is three findings from one question: who the token is, what it was granted, and how far our clock is off.
func (u *checkup) identity(ctx context.Context) []doctor.Finding {
	who, err := u.bot.Identify(ctx)
	if err != nil {
		return []doctor.Finding{doctor.Bad(slackMend, "%v", err)}
	}
	scopes := doctor.Fine("all %d scopes are granted", len(slack.Scopes))
	switch {
	case len(who.Missing) > 0:
		scopes = doctor.Bad("compare the app with deploy/slack/manifest.yaml and install it again", "not granted: %s", strings.Join(who.Missing, ", "))
	case len(who.Spare) > 0:
		scopes = doctor.Poor("take them away in the app's settings", "granted and not needed: %s", strings.Join(who.Spare, ", "))
	}
	scopes.Check, scopes.Target = "slack scopes", who.Team
	list := []doctor.Finding{doctor.Fine("Slack knows it as %s in %s", who.User, who.Team), scopes}
	if !who.At.IsZero() {
		list = append(list, clock("slack", time.Now(), who.At))
	}
	return list
}

func (u *checkup) opens(ctx context.Context) []doctor.Finding {
	if err := u.bot.Opens(ctx); err != nil {
		return []doctor.Finding{doctor.Bad("see Basic Information → App-Level Tokens, and Socket Mode, of the app", "%v", err)}
	}
	if !u.brief {
		return []doctor.Finding{doctor.Fine("Slack offers it a Socket Mode connection")}
	}
	if err := u.bot.Ready(); err != nil {
		return []doctor.Finding{doctor.Bad("see the bot's log", "Slack offers a connection, but none stands: %v", err)}
	}
	return []doctor.Finding{doctor.Fine("Slack offers it a Socket Mode connection, and at least one stands")}
}

// channels are all that are configured, each once.
func (u *checkup) channels() []string {
	var list []string
	if c := u.config.Slack.Channel; c != "" {
		list = append(list, c)
	}
	for _, name := range u.config.Names() {
		if c := u.config.Pipelines[name].Channel; c != "" {
			list = append(list, c)
		}
	}
	slices.Sort(list)
	return slices.Compact(list)
}

func (u *checkup) member(ctx context.Context, channel string) doctor.Finding {
	found, err := u.bot.Membership(ctx, channel)
	invite := "say /invite @cdc-ops in the channel (the app's own name)"
	switch {
	case err != nil:
		return doctor.Bad(invite, "%v", err)
	case found.Member:
		return doctor.Fine("the bot is in #%s", found.Name)
	case found.Public:
		return doctor.Poor(invite, "the bot is not in #%s; it joins by itself when it first has to write, and hears nothing until then", found.Name)
	}
	return doctor.Bad(invite, "the bot is not in #%s, which is private: nobody would be told", found.Name)
}

func (u *checkup) approvers(ctx context.Context, group string) doctor.Finding {
	n, err := u.bot.Approvers(ctx, group)
	most := max(2, u.config.Approval.High+1) // a requester, and who approves
	switch {
	case err != nil:
		return doctor.Bad("see approval.group, and whether the app has usergroups:read", "%v", err)
	case n == 0:
		return doctor.Bad("put people into it", "nobody is in the group, so that nobody can approve")
	case n < most:
		return doctor.Poor("put more people into it", "%d in the group; a requester of the group and %d who approve a plan of high risk need %d", n, u.config.Approval.High, most)
	}
	return doctor.Fine("%d people may decide", n)
}

// redisChecks: whether it keeps what it acknowledges, and its clock.
func (u *checkup) redisChecks() []doctor.Check {
	if u.redis == nil {
		return nil
	}
	return []doctor.Check{
		{Name: "redis", Target: "durability", Look: func(ctx context.Context) []doctor.Finding { return []doctor.Finding{u.durability(ctx)} }},
		{Name: "clock", Target: "redis", Look: func(ctx context.Context) []doctor.Finding {
			before := time.Now()
			at, err := u.redis.Time(ctx).Result()
			if err != nil {
				return []doctor.Finding{doctor.Skip("redis did not tell the time: %v", err)}
			}
			return []doctor.Finding{clock("redis", before.Add(time.Since(before)/2), at)}
		}},
	}
}

func (u *checkup) durability(ctx context.Context) doctor.Finding {
	err := durable(ctx, u.redis)
	switch {
	case err == nil && len(u.config.Redis.Accept) > 0:
		return doctor.Poor("see docs/redis.md", "it keeps what it acknowledges, but for the risks that redis.accept bears: %s", strings.Join(u.config.Redis.Accept, ", "))
	case err == nil:
		return doctor.Fine("it keeps what it acknowledges")
	case errors.Is(err, errNotDurable), errors.Is(err, errRedisPoor):
		return doctor.Bad("see docs/redis.md", "%v", err)
	}
	return doctor.Bad("see redis.url, its password and its ACL (docs/redis.md), and whether it runs", "%v", err)
}

// How far clocks may differ: beyond the first, requests seem to expire at other times than cards say; beyond the second
// also codes of a second factor are refused.
const (
	skewWarns = 30 * time.Second
	skewFails = 5 * time.Minute
)

// clock compares ours with another one, which may be cut to the second.
func clock(whose string, ours, theirs time.Time) doctor.Finding {
	off := ours.Sub(theirs).Round(time.Second)
	const mend = "let a time daemon (chrony, systemd-timesyncd) set this machine's clock, and the other's"
	word := "ahead of"
	if off < 0 {
		word = "behind"
	}
	f := doctor.Fine("%s %s it", off.Abs(), word)
	switch {
	case off.Abs() > skewFails:
		f = doctor.Bad(mend, "this machine's clock is %s %s that of %s: requests expire at the wrong time, and codes of a second factor do not fit", off.Abs(), word, whose)
	case off.Abs() > skewWarns:
		f = doctor.Poor(mend, "this machine's clock is %s %s that of %s", off.Abs(), word, whose)
	}
	f.Check, f.Target = "clock", whose
	return f
}

// bookChecks: runbooks compile, and what they name is configured for every pipeline.
func (u *checkup) bookChecks() []doctor.Check {
	return []doctor.Check{{Name: "runbooks", Target: cmp.Or(u.config.Runbooks.Dir, "those that ship"), Look: func(context.Context) []doctor.Finding {
		books, err := u.books()
		if err != nil {
			return []doctor.Finding{doctor.Bad("see bot lint, and runbooks.dir", "%v", err)}
		}
		return u.resolved(books)
	}}}
}

func (u *checkup) resolved(books library) []doctor.Finding {
	list := []doctor.Finding{doctor.Fine("%d compile: %s", len(books), strings.Join(books.names(), ", "))}
	for _, pipeline := range u.config.Names() {
		targets := Targets(u.config, pipeline)
		for _, book := range books.list() {
			var lines []string
			for _, f := range book.Resolve(targets) {
				if f.Level == "error" {
					lines = append(lines, fmt.Sprintf("line %d: %s", f.Line, f.Text))
				}
			}
			if len(lines) == 0 {
				continue
			}
			more := ""
			if rest := len(lines) - mostLines; rest > 0 {
				more = fmt.Sprintf("; and %d more", rest)
			}
			f := doctor.Poor("configure what is named, or add an alias to it; bot lint tells all", "%s names what is not configured: %s%s", book.Name, strings.Join(lines[:min(len(lines), mostLines)], "; "), more)
			f.Target = pipeline
			list = append(list, f)
		}
	}
	return list
}

// breakerChecks tell which targets the bot leaves alone for a moment, because they failed too often.
func (u *checkup) breakerChecks() []doctor.Check {
	if u.breakers == nil {
		return nil
	}
	return []doctor.Check{{Name: "breakers", Look: func(context.Context) []doctor.Finding {
		all := u.breakers.All()
		var list []doctor.Finding
		for _, b := range all {
			if state := b.State(); state != breaker.Closed {
				f := doctor.Poor("mend the target; it is asked again by itself", "%s", state)
				if err := b.Err(); err != nil {
					f.What = err.Error()
				}
				f.Target = b.Target()
				list = append(list, f)
			}
		}
		if len(list) == 0 {
			return []doctor.Finding{doctor.Fine("all %d are closed", len(all))}
		}
		return list
	}}}
}

// mostLines of a runbook that one finding names.
const mostLines = 3
