package slack

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"

	"cdcbot/internal/approval"
	"cdcbot/internal/commands"
	"cdcbot/internal/remediation"
)

// The App Home: what a person finds behind the bot's name, drawn for that person alone (docs.slack.dev, App Home).
const (
	mostYours     = 5  // requests to decide, each with its buttons
	mostOpen      = 8  // incidents
	mostPipelines = 10 // with what is wrong in each
	mostStanding  = 5
)

// homeView draws the Home. said is the answer to what the person pressed in it, "" when the person only looks.
func (b *Bot) homeView(ctx context.Context, h commands.Home, headline, said string) slackapi.HomeTabViewRequest {
	blocks := fit(append(homeParts(h, headline, said, b.linker(ctx)), must(note("As of "+token(h.At)), row([]press{{label: "Look again", command: commands.Command{Verb: commands.VerbHome}}}, nil))))
	return slackapi.HomeTabViewRequest{Type: slackapi.VTHomeTab, Blocks: slackapi.Blocks{BlockSet: blocks}}
}

// homeParts is everything but the time of day: what somebody waits for first, then what is broken, then the rest.
func homeParts(h commands.Home, headline, said string, link func(incident string) string) []part {
	parts := []part{must(header(headline))}
	if said != "" {
		parts = append(parts, must(paragraph(bold("→ "), words(cut(line(said), 600)))))
	}
	for _, p := range h.Problems {
		parts = append(parts, must(paragraph(words("⚠️ "+cut(line(p), 300)))))
	}
	parts = append(parts, yoursParts(h.Yours, link)...)
	parts = append(parts, askedParts("You asked; somebody else has to approve", h.Asked, link)...)
	if len(h.Incidents) > 0 {
		title := count(len(h.Incidents), "open incident", "open incidents")
		shown := h.Incidents[:min(len(h.Incidents), mostOpen)]
		rows := make([][]piece, len(shown))
		for i, inc := range shown {
			rows[i] = append([]piece{words(stateEmoji(inc.State) + " "), linked(inc.ID, link(inc.ID)), words(" · " + line(subject(inc, nil)) + " · ")}, incidentFacts(inc)...)
		}
		parts = append(parts, must(divider(), titled(title, slackapi.RTEListBullet, rows...)))
	}
	parts = append(parts, pipelineParts(h.Status)...)
	parts = append(parts, standingParts(h.Standing)...)
	if len(h.Links) > 0 {
		parts = append(parts, must(linkLine(h.Links)))
	}
	return parts
}

func divider() slackapi.Block { return slackapi.NewDividerBlock() }

// yoursParts are what this person can decide here and now, as in the thread: what would run, the risk, the buttons.
func yoursParts(list []remediation.Asked, link func(string) string) []part {
	if len(list) == 0 {
		return []part{must(paragraph(words("✓ Nothing waits for your approval.")))}
	}
	parts := []part{must(header(count(len(list), "plan waits", "plans wait") + " for you"))}
	for i, a := range list {
		if i == mostYours {
			return append(parts, must(paragraph(italic(fmt.Sprintf("%d more wait in their threads.", len(list)-mostYours)))))
		}
		who := append([]piece{bold(a.Request.ID + " " + cut(line(a.Request.Title), 150)), words(" · "), linked(a.Request.Incident, link(a.Request.Incident)), words("\n")}, whoAsks(a.Request)...)
		visible, _ := requestButtons(a.Request)
		parts = append(parts,
			must(paragraph(who...)),
			spare(titled("Exactly this will run", slackapi.RTEListOrdered, effects(a.Plan)...)),
			must(paragraph(requestFacts(a.Request)...), row(visible, nil)))
	}
	return parts
}

func askedParts(title string, list []remediation.Asked, link func(string) string) []part {
	var rows [][]piece
	for _, a := range list[:min(len(list), mostOpen)] {
		rows = append(rows, []piece{words(a.Request.ID + " " + cut(line(a.Request.Title), 150) + " · "), linked(a.Request.Incident, link(a.Request.Incident)), words(" · expires "), at(a.Request.ExpiresAt)})
	}
	if len(rows) == 0 {
		return nil
	}
	return []part{must(titled(title, slackapi.RTEListBullet, rows...))}
}

// pipelineParts is one line for each pipeline, and below it what is wrong.
func pipelineParts(s commands.Status) []part {
	rows := make([][]piece, 0, len(s.Clusters))
	for i, c := range s.Clusters {
		if i == mostPipelines {
			rows = append(rows, []piece{italic(fmt.Sprintf("%d more: /cdc status", len(s.Clusters)-mostPipelines))})
			break
		}
		rows = append(rows, pipelineLine(c))
	}
	if len(rows) == 0 {
		rows = append(rows, []piece{words("No pipeline is configured.")})
	}
	return []part{must(divider(), titled("Pipelines", slackapi.RTEListBullet, rows...))}
}

func pipelineLine(c commands.ClusterStatus) []piece {
	if c.Err != "" {
		return []piece{words("⚠️ "), bold(line(c.Pipeline)), words(" NO ANSWER " + cut(line(c.Err), 200))}
	}
	var sick []string
	for _, r := range c.Rows {
		if r.Status.Unhealthy() {
			sick = append(sick, cut(line(r.Status.Name), 60)+" "+string(worst(r.Status)))
		}
	}
	if len(sick) == 0 {
		return []piece{words("🟢 "), bold(line(c.Pipeline)), words(" · " + count(len(c.Rows), "connector runs", "connectors run"))}
	}
	shown := strings.Join(sick[:min(len(sick), 3)], ", ")
	if more := len(sick) - 3; more > 0 {
		shown += fmt.Sprintf(" and %d more", more)
	}
	return []piece{words("🔴 "), bold(line(c.Pipeline)), words(fmt.Sprintf(" · %d of %d need attention: %s", len(sick), len(c.Rows), shown))}
}

// standingParts are what the bot may do by itself, each with the way to end that.
func standingParts(list []approval.Standing) []part {
	if len(list) == 0 {
		return nil
	}
	parts := []part{must(divider(), paragraph(bold("I may do by myself, because two people agreed to it")))}
	for _, st := range list[:min(len(list), mostStanding)] {
		facts := []piece{words(st.ID + " · " + cut(line(st.Title), 150) + fmt.Sprintf(" · used %d of %d times · until ", st.Used, st.Most)), at(st.Until), words(" · agreed by ")}
		facts = append(facts, people(append([]string{st.Requester}, st.Approvers...))...)
		parts = append(parts, must(paragraph(facts...), row([]press{{label: "Revoke " + st.ID, command: commands.Command{Verb: commands.VerbRevoke, Standing: st.ID}}}, nil)))
	}
	if more := len(list) - mostStanding; more > 0 {
		parts = append(parts, must(paragraph(italic(fmt.Sprintf("%d more: /cdc standing list", more)))))
	}
	return parts
}

// atHome answers in the person's Home: the newest state, and above it what the press did.
func (b *Bot) atHome(ctx context.Context, o order, r commands.Reply) {
	said := ""
	if r.Home == nil {
		said = r.Text
		if r.Error {
			said = "⚠️ " + said
		}
		r = b.safely(ctx, commands.Command{Verb: commands.VerbHome, User: o.place.User})
	}
	if r.Home == nil {
		_ = b.say(ctx, o.place, says{text: strings.TrimSpace(said + " " + r.Text)}) // logged by say
		return
	}
	if err := b.publish(ctx, o.place.User, r, said); err != nil && said != "" {
		_ = b.say(ctx, o.place, says{text: said}) // logged by say
	}
}

func (b *Bot) publish(ctx context.Context, u commands.User, r commands.Reply, said string) error {
	view := b.homeView(ctx, *r.Home, r.Text, said)
	err := b.patiently(ctx, "views.publish", func() error {
		_, err := b.api.PublishViewContext(ctx, slackapi.PublishViewContextRequest{UserID: u.ID, View: view})
		return err
	})
	if err != nil {
		b.log.Warn("an App Home was not published", zap.String("user", u.ID), zap.Error(err))
		return fmt.Errorf("publishing the home of %s: %w", u.ID, err)
	}
	b.homes.shown(u.ID, r)
	return nil
}

// A Home that somebody opened is kept true for a while: Slack tells when a Home is opened, not when it is left.
const (
	homeEvery = 20 * time.Second
	homeFor   = 5 * time.Minute
	mostHomes = 20 // kept true at once; the others see the newest state when they open theirs
)

// homes remembers who may be looking at a Home now, and what it shows.
type homes struct {
	mu     sync.Mutex
	opened map[string]*viewer
}

type viewer struct {
	user  commands.User
	at    time.Time
	shows string
}

// watch notes that somebody opened a Home, or pressed something in it.
func (h *homes) watch(u commands.User, now time.Time) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.opened == nil {
		h.opened = map[string]*viewer{}
	}
	if v, known := h.opened[u.ID]; known {
		v.at = now
	} else if len(h.opened) < mostHomes {
		h.opened[u.ID] = &viewer{user: u, at: now}
	}
}

func (h *homes) viewers(now time.Time) []commands.User {
	h.mu.Lock()
	defer h.mu.Unlock()
	var list []commands.User
	for id, v := range h.opened {
		if now.Sub(v.at) > homeFor {
			delete(h.opened, id)
			continue
		}
		list = append(list, v.user)
	}
	return list
}

func (h *homes) shown(id string, r commands.Reply) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if v, known := h.opened[id]; known {
		v.shows = looksLike(r)
	}
}

func (h *homes) differs(id string, r commands.Reply) bool {
	h.mu.Lock()
	defer h.mu.Unlock()
	v, known := h.opened[id]
	return known && v.shows != looksLike(r)
}

// looksLike is the same as long as a Home would look the same, whatever the time of day.
func looksLike(r commands.Reply) string {
	parts := homeParts(*r.Home, r.Text, "", func(string) string { return "" })
	return card{drawing: draw(parts)}.hash()
}

// keepHomes draws the Homes anew that people may be looking at, until ctx ends.
func (b *Bot) keepHomes(ctx context.Context) error {
	tick := time.NewTicker(homeEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-tick.C:
		}
		for _, u := range b.homes.viewers(b.options.Now()) {
			b.lanes.offer("user:"+u.ID, func() { b.lookAtHome(ctx, u) })
		}
	}
}

// lookAtHome publishes a Home when what it would show is no longer what it shows.
func (b *Bot) lookAtHome(ctx context.Context, u commands.User) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTime)
	defer cancel()
	r := b.safely(ctx, commands.Command{Verb: commands.VerbHome, User: u})
	if r.Home != nil && b.homes.differs(u.ID, r) {
		_ = b.publish(ctx, u, r, "") // logged by publish
	}
}
