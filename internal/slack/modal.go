package slack

import (
	"context"
	"errors"
	"fmt"
	"time"

	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"

	"cdcbot/internal/commands"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
)

// triggerLives is how long after its arrival a trigger is worth trying; Slack gives it three seconds.
const triggerLives = 2900 * time.Millisecond

// open shows a modal. When the trigger is too old, the person gets a button that brings a fresh one; a plan is said.
func (b *Bot) open(ctx context.Context, o order, r commands.Reply) {
	view, err := viewOf(r, o.place)
	if err == nil {
		err = b.openView(ctx, o.place, view)
	}
	if err == nil {
		return
	}
	b.log.Warn("a modal did not open; answering in the channel", zap.String("user", o.place.User.ID), zap.Error(err))
	_ = b.say(ctx, o.place, insteadOf(r)) // logged by say
}

func (b *Bot) openView(ctx context.Context, at place, view slackapi.ModalViewRequest) error {
	if at.TriggerID == "" {
		return errors.New("opening a modal: nothing was pressed")
	}
	if age := time.Since(at.At); age > triggerLives {
		return fmt.Errorf("opening a modal: the trigger is %s old", age.Round(time.Millisecond))
	}
	_, err := b.api.OpenViewContext(ctx, at.TriggerID, view)
	b.count("views.open", err)
	if err != nil {
		return fmt.Errorf("opening a modal: %w", err)
	}
	return nil
}

// insteadOf is what is said when a modal could not be opened.
func insteadOf(r commands.Reply) says {
	if r.Plan != nil {
		return says{text: planTitle(*r.Plan), drawing: draw(planParts(*r.Plan))}
	}
	then := r.Ask.Then
	w := toWire(then)
	if then.Verb == "" || w.check() != nil || len(encode(w)) > longestValue {
		return says{text: "I need to ask you something first, but Slack gave me too little time to open the form. Please try again."}
	}
	button := press{label: "Open the form", style: slackapi.StylePrimary, command: then}
	return says{text: "I need to ask you something first.", drawing: draw([]part{
		must(paragraph(words("I need to ask you something first: "+line(r.Ask.Title)+".")), row([]press{button}, nil))})}
}

func viewOf(r commands.Reply, from place) (slackapi.ModalViewRequest, error) {
	if r.Plan != nil {
		return planView(*r.Plan), nil
	}
	return questionOf(*r.Ask, from)
}

func planView(a remediation.Asked) slackapi.ModalViewRequest {
	return slackapi.ModalViewRequest{Type: slackapi.VTModal, Title: text("The plan"), Close: text("Close"), Blocks: slackapi.Blocks{BlockSet: fit(planParts(a))}}
}

func planTitle(a remediation.Asked) string { return a.Request.ID + ": " + line(a.Request.Title) }

// planParts is everything there is to know about a plan before agreeing to it.
func planParts(a remediation.Asked) []part {
	parts := []part{must(header(planTitle(a)))}
	if a.Stale != "" {
		parts = append(parts, must(paragraph(words("⚠️ This plan can no longer run: "+cut(line(a.Stale), 500)))))
	}
	facts := [][]piece{
		{bold("Risk  "), words(riskWords(a.Request.Risk))},
		{bold("Digest  "), code(a.Request.Digest)},
	}
	if r := a.Request.Recipe; r.Runbook != "" {
		facts = append(facts, []piece{bold("Runbook  "), words(line(r.Runbook + " · " + r.Section)), words(versionOf(r.SHA256))})
	}
	parts = append(parts, must(lines(facts...)))
	for i, s := range a.Plan.Steps {
		parts = append(parts, spare(planStep(i+1, s)...))
		for _, l := range a.Looks {
			if l.Step == i+1 {
				parts = append(parts, spare(ahead(l, 2500)...))
			}
		}
	}
	return parts
}

func versionOf(sha string) string {
	if sha == "" {
		return ""
	}
	return " · version " + shortDigest(sha)
}

// questionOf draws a question. What was asked for travels in private_metadata, which Slack keeps from clients.
func questionOf(q commands.Question, from place) (slackapi.ModalViewRequest, error) {
	w := toWire(q.Then)
	w.Must = musts(q.Fields)
	w.Channel, w.Thread, w.Home = from.Channel, from.Thread, from.Home
	if from.Thread == "" && q.Then.Thread != "" {
		w.Channel, w.Thread = q.Then.Channel, q.Then.Thread
	}
	metadata := encode(w)
	if len(metadata) > longestView {
		return slackapi.ModalViewRequest{}, fmt.Errorf("drawing a question: what it is about takes %d bytes; a modal carries %d", len(metadata), longestView)
	}
	var blocks []slackapi.Block
	if q.Intro != "" {
		blocks = append(blocks, paragraph(words(cut(redact.Text(clean(q.Intro)), longestText))))
	}
	for _, f := range q.Fields {
		blocks = append(blocks, input(f))
	}
	return slackapi.ModalViewRequest{Type: slackapi.VTModal, CallbackID: questionView, PrivateMetadata: metadata,
		Title: text(cut(line(q.Title), 24)), Submit: text(cut(line(q.Submit), 24)), Close: text("Cancel"),
		Blocks: slackapi.Blocks{BlockSet: blocks[:min(len(blocks), mostBlocks)]}}, nil
}

// musts are the words that have to be typed as they are, by the blank's name.
func musts(fields []commands.Field) map[string]string {
	var m map[string]string
	for _, f := range fields {
		if f.Must != "" {
			if m == nil {
				m = map[string]string{}
			}
			m[f.Name] = f.Must
		}
	}
	return m
}

func input(f commands.Field) slackapi.Block {
	id := fieldPrefix + f.Name
	if f.Optional {
		id = optionalField + f.Name
	}
	var hint *slackapi.TextBlockObject
	if f.Hint != "" {
		hint = text(cut(line(f.Hint), 2000))
	}
	block := slackapi.NewInputBlock(cut(id, 255), text(cut(line(f.Label), 2000)), hint, element(f))
	block.Optional = f.Optional
	return block
}

// element is what a blank is filled with: a person, one of several words, or text.
func element(f commands.Field) slackapi.BlockElement {
	switch {
	case f.Person:
		return slackapi.NewOptionsSelectBlockElement(slackapi.OptTypeUser, nil, fieldAction)
	case len(f.Options) > 0:
		return choice(f)
	}
	e := slackapi.NewPlainTextInputBlockElement(nil, fieldAction)
	e.Multiline, e.MaxLength = f.Multiline, longestField
	if f.MaxLength > 0 {
		e.MaxLength = min(f.MaxLength, longestField)
	}
	e.InitialValue = cut(f.Value, e.MaxLength)
	return e
}

func choice(f commands.Field) slackapi.BlockElement {
	e := slackapi.NewOptionsSelectBlockElement(slackapi.OptTypeStatic, nil, fieldAction)
	for _, word := range f.Options[:min(len(f.Options), 100)] { // as many as Slack shows
		option := slackapi.NewOptionBlockObject(word, text(cut(line(word), 75)), nil)
		e.Options = append(e.Options, option)
		if word == f.Value {
			e.InitialOption = option
		}
	}
	return e
}
