package slack

import (
	"context"
	"fmt"
	"strings"

	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"

	"cdcbot/internal/commands"
	"cdcbot/internal/incident"
	"cdcbot/internal/timeline"
)

// draw turns a reply into text and blocks.
func (b *Bot) draw(ctx context.Context, r commands.Reply) says {
	s := says{text: r.Text}
	if r.Error {
		s.text = "⚠️ " + r.Text
	}
	parts := []part{}
	switch {
	case r.Status != nil:
		parts = statusParts(*r.Status, s.text, b.linker(ctx))
	case len(r.Incidents) > 0:
		parts = incidentParts(r.Incidents, s.text, b.permalink)
	case r.Incident != nil:
		s.text, parts = rootText(*r.Incident), append(rootParts(*r.Incident), b.wayTo(r.Incident.Incident.Thread)...)
	case len(r.Help) > 0:
		parts = helpParts(r.Help, s.text)
	case r.Waiting != nil:
		parts = waitingParts(*r.Waiting, s.text, b.linker(ctx))
	case r.Verbatim != "":
		parts = append(parts, must(paragraph(bold(cut(s.text, longestText))), verbatim(r.Verbatim, longestText)))
	case len(r.Timeline) > 0:
		parts = timelineParts(r.Timeline, s.text)
	default:
		parts = append(parts, must(paragraph(words(cut(s.text, longestText)))))
	}
	if len(r.Suggest) > 0 {
		parts = append(parts, must(suggestions(r.Suggest)))
	}
	if len(r.Choices) > 0 {
		parts = append(parts, must(choices(r.Choices)))
	}
	s.drawing = draw(parts)
	return s
}

// choices are buttons below an answer: three, and the rest behind "…" when it holds them.
func choices(list []commands.Choice) slackapi.Block {
	presses := make([]press, len(list))
	for i, c := range list {
		presses[i] = press{label: c.Label, command: c.Command}
	}
	n := min(3, len(presses))
	if len(presses) > n+mostOptions {
		n = len(presses)
	}
	return row(presses[:n], presses[n:])
}

// waitingParts are the requests that wait, those that the reader can decide first.
func waitingParts(w commands.Waiting, title string, link func(string) string) []part {
	parts := append([]part{must(paragraph(bold(title)))}, yoursParts(w.Yours, link)...)
	parts = append(parts, askedParts("You asked; somebody else has to approve", w.Asked, link)...)
	return append(parts, askedParts("Waiting for others", w.Others, link)...)
}

func suggestions(list []string) slackapi.Block {
	pieces := []piece{words("Try ")}
	for i, s := range list[:min(len(list), 5)] {
		if i > 0 {
			pieces = append(pieces, words(" or "))
		}
		pieces = append(pieces, code(cut(line(s), 150)))
	}
	return paragraph(pieces...)
}

// permalink is the web address of a message, "" while the workspace is unknown.
func (b *Bot) permalink(t incident.Thread) string {
	who := b.self.Load()
	if who == nil || !strings.HasPrefix(who.URL, "http") || t.TS == "" {
		return ""
	}
	return strings.TrimSuffix(who.URL, "/") + "/archives/" + t.Channel + "/p" + strings.ReplaceAll(t.TS, ".", "")
}

// linker finds the address of an incident's thread by its ID.
func (b *Bot) linker(ctx context.Context) func(id string) string {
	return func(id string) string {
		if b.options.Threads == nil || id == "" {
			return ""
		}
		thread, err := b.options.Threads.Thread(ctx, id)
		if err != nil {
			b.log.Warn("thread of an incident unknown", zap.String("incident", id), zap.Error(err))
			return ""
		}
		return b.permalink(thread)
	}
}

func (b *Bot) wayTo(t incident.Thread) []part {
	if url := b.permalink(t); url != "" {
		return []part{must(paragraph(anchor(url, "Open the thread")))}
	}
	return nil
}

// linked names an incident, with the way to its thread where known.
func linked(id, url string) piece {
	if url == "" {
		return bold(id)
	}
	return anchor(url, id)
}

func incidentParts(list []incident.Incident, title string, permalink func(incident.Thread) string) []part {
	const most = 30
	parts := []part{must(paragraph(bold(title)))}
	for i, inc := range list {
		if i == most {
			parts = append(parts, must(paragraph(italic(fmt.Sprintf("%d more are not shown.", len(list)-most)))))
			break
		}
		parts = append(parts, spare(lines(
			[]piece{words(stateEmoji(inc.State) + " " + strings.ToUpper(string(inc.State)) + " "), linked(inc.ID, permalink(inc.Thread)), words(" · " + line(subject(inc, nil)))},
			incidentFacts(inc),
		)))
	}
	return parts
}

func incidentFacts(inc incident.Incident) []piece {
	facts := []piece{words("since "), at(inc.StartedAt), words(" · " + line(inc.Pipeline))}
	if inc.Owner != "" {
		facts = append(facts, words(" · "), user(inc.Owner))
	}
	return facts
}

func helpParts(list []commands.HelpLine, title string) []part {
	parts := []part{must(paragraph(bold(title)))}
	for _, h := range list {
		rows := [][]piece{{code(h.Usage)}, {words(line(h.Text))}}
		if h.Example != "" && len(list) <= 3 {
			rows = append(rows, []piece{words("For example "), code(h.Example)})
		}
		parts = append(parts, must(lines(rows...)))
	}
	return parts
}

func timelineParts(events []timeline.Event, title string) []part {
	const most = 20
	parts := []part{must(paragraph(bold(title)))}
	first := max(0, len(events)-most)
	if first > 0 {
		parts = append(parts, must(paragraph(italic(fmt.Sprintf("%d earlier events are in the export.", first)))))
	}
	for _, e := range events[first:] {
		parts = append(parts, spare(paragraph(at(e.Time), words(" · "+cut(line(e.Text), 300)))))
	}
	return parts
}
