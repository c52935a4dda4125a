package slack

import (
	"fmt"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/commands"
)

// press is something to press: a button, or a line of the "…" menu.
type press struct {
	label   string
	style   slackapi.Style
	command commands.Command
	confirm string // asks again with these words
}

// row draws what can be pressed: visible ones as buttons, the others in a menu. What does not fit a menu's option, whose
// value holds 150 characters, stays a button as long as there is room.
func row(visible, more []press) slackapi.Block {
	var elements []slackapi.BlockElement
	for i, p := range visible {
		elements = append(elements, p.button(i))
	}
	var options []*slackapi.OptionBlockObject
	for _, p := range more {
		value := encode(toWire(p.command))
		switch {
		case len([]rune(value)) > longestOption:
			elements = append(elements, p.button(len(elements)))
		case len(options) < mostOptions:
			options = append(options, slackapi.NewOptionBlockObject(value, text(cut(line(p.label), longestButton)), nil))
		}
	}
	if len(options) > 0 {
		elements = append(elements, slackapi.NewOverflowBlockElement(moreAction, options...))
	}
	return slackapi.NewActionBlock("", elements[:min(len(elements), 25)]...)
}

func (p press) button(i int) *slackapi.ButtonBlockElement {
	w := toWire(p.command)
	w.Verb = "" // the action ID says it
	b := slackapi.NewButtonBlockElement(fmt.Sprintf("%s%s:%d", actionPrefix, p.command.Verb, i), encode(w), text(cut(line(p.label), longestButton)))
	b.Style = p.style
	if p.confirm != "" {
		b.Confirm = slackapi.NewConfirmationBlockObject(text("Are you sure?"), text(cut(line(p.confirm), longestConfirm)), text("Yes, do it"), text("Not yet"))
	}
	return b
}
