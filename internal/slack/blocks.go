package slack

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"time"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/redact"
)

// Limits of Block Kit (docs.slack.dev/reference/block-kit), with room to spare. Characters are code points.
const (
	longestText    = 2900  // of 3000 in a section, and of 4000 in a message
	longestHead    = 140   // of 150 in a header
	longestButton  = 75    // button
	longestConfirm = 290   // of 300 in a confirmation
	mostBlocks     = 45    // of 50
	mostOptions    = 5     // of a "…" menu
	biggestMessage = 12500 // characters of all blocks; Slack refuses at about 13,200 (undocumented)
	biggestExcerpt = 1500
)

// Everything that others wrote (names, reasons, traces, output) stands in rich text or plain text elements, which Slack
// never reads as markup: no mention, link or format can hide in it.

func text(s string) *slackapi.TextBlockObject {
	return slackapi.NewTextBlockObject(slackapi.PlainTextType, s, true, false)
}

// piece is a part of a paragraph.
type piece = slackapi.RichTextSectionElement

func styled(s string, style *slackapi.RichTextSectionTextStyle) piece {
	return slackapi.NewRichTextSectionTextElement(redact.Text(clean(s)), style)
}

func words(s string) piece  { return styled(s, nil) }
func bold(s string) piece   { return styled(s, &slackapi.RichTextSectionTextStyle{Bold: true}) }
func italic(s string) piece { return styled(s, &slackapi.RichTextSectionTextStyle{Italic: true}) }
func code(s string) piece   { return styled(s, &slackapi.RichTextSectionTextStyle{Code: true}) }

var userID = regexp.MustCompile(`^[UW][A-Z0-9]+$`)

// user mentions a person; an ID that is none of Slack's is shown as it is, because Slack would refuse the whole message.
func user(id string) piece {
	if !userID.MatchString(id) {
		return words(line(id))
	}
	return slackapi.NewRichTextSectionUserElement(id, nil)
}

// group mentions a user group.
func group(id string) piece { return slackapi.NewRichTextSectionUserGroupElement(id) }

// anchor is a link; what is no web address is shown by its label alone.
func anchor(address, label string) piece {
	u, err := url.Parse(address)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || len(address) > 3000 {
		return words(label)
	}
	return slackapi.NewRichTextSectionLinkElement(u.String(), label, nil)
}

// at is a moment in the reader's own time zone.
func at(t time.Time) piece {
	if t.IsZero() {
		return words(unknownTime)
	}
	fallback := utc(t)
	return slackapi.NewRichTextSectionDateElement(t.Unix(), "{date_short_pretty} {time}", nil, &fallback)
}

func paragraph(pieces ...piece) slackapi.Block {
	return slackapi.NewRichTextBlock("", section(pieces))
}

// section leaves empty texts out; Slack refuses them.
func section(pieces []piece) *slackapi.RichTextSection {
	var full []piece
	for _, p := range pieces {
		if t, ok := p.(*slackapi.RichTextSectionTextElement); !ok || t.Text != "" {
			full = append(full, p)
		}
	}
	if len(full) == 0 {
		full = append(full, words("–"))
	}
	return slackapi.NewRichTextSection(full...)
}

// lines are paragraphs below each other in one block.
func lines(rows ...[]piece) slackapi.Block {
	var all []piece
	for i, row := range rows {
		if i > 0 {
			all = append(all, words("\n"))
		}
		all = append(all, row...)
	}
	return paragraph(all...)
}

func list(style slackapi.RichTextListElementType, rows ...[]piece) slackapi.RichTextElement {
	items := make([]slackapi.RichTextElement, len(rows))
	for i, row := range rows {
		items[i] = section(row)
	}
	return slackapi.NewRichTextList(style, 0, items...)
}

// titled is a bold line with a list below it.
func titled(title string, style slackapi.RichTextListElementType, rows ...[]piece) slackapi.Block {
	return slackapi.NewRichTextBlock("", section([]piece{bold(title)}), list(style, rows...))
}

// verbatim shows text exactly as it is, in type of fixed width.
func verbatim(s string, longest int) slackapi.Block {
	return slackapi.NewRichTextBlock("", &slackapi.RichTextPreformatted{Type: slackapi.RTEPreformatted,
		Elements: []slackapi.RichTextSectionElement{words(cut(redact.Text(clean(s)), longest))}})
}

func header(s string) slackapi.Block {
	return slackapi.NewHeaderBlock(text(cut(line(redact.Text(s)), longestHead)))
}

// note is a small grey line of our own words; tokens such as dates work in it.
func note(markdown string) slackapi.Block {
	return slackapi.NewContextBlock("", slackapi.NewTextBlockObject(slackapi.MarkdownType, cut(markdown, longestText), false, false))
}

func size(blocks []slackapi.Block) int {
	js, err := json.Marshal(blocks)
	if err != nil {
		return biggestMessage + 1
	}
	return len([]rune(string(js)))
}

// part is a piece of a card. Spare parts are left out, last first, when the whole would be too big.
type part struct {
	blocks []slackapi.Block
	spare  bool
	plain  []part // what is shown instead where Slack does not take the blocks; it belongs to newer parts only
	newer  bool
}

func must(blocks ...slackapi.Block) part  { return part{blocks: blocks} }
func spare(blocks ...slackapi.Block) part { return part{blocks: blocks, spare: true} }

// newer is what not every workspace shows yet, and what is shown there instead, which may be nothing.
func newer(block slackapi.Block, plain ...part) part {
	return part{blocks: []slackapi.Block{block}, plain: plain, newer: true}
}

// drawing is what a message shows: its blocks, and where newer ones are among them, the message without those.
type drawing struct {
	blocks []slackapi.Block
	plain  []slackapi.Block // nil when every workspace takes the blocks
}

// draw joins parts into what Slack takes. Where newer blocks make the message too big, it does without them.
func draw(parts []part) drawing {
	if !slices.ContainsFunc(parts, func(p part) bool { return p.newer }) {
		return drawing{blocks: fit(parts)}
	}
	d := drawing{blocks: fit(parts), plain: fit(older(parts))}
	if tooBig(d.blocks) {
		return drawing{blocks: d.plain}
	}
	return d
}

// older replaces newer parts by their plain ones.
func older(parts []part) []part {
	var all []part
	for _, p := range parts {
		if p.newer {
			all = append(all, p.plain...)
		} else {
			all = append(all, p)
		}
	}
	return all
}

func tooBig(blocks []slackapi.Block) bool {
	return len(blocks) > mostBlocks || size(blocks) > biggestMessage
}

// fit joins parts, and leaves out spare ones until the whole is small enough.
func fit(parts []part) []slackapi.Block {
	for {
		blocks := joined(parts)
		if !tooBig(blocks) {
			return blocks
		}
		last := -1
		for i, p := range parts {
			if p.spare && len(p.blocks) > 0 {
				last = i
			}
		}
		if last < 0 {
			return blocks[:min(len(blocks), mostBlocks)]
		}
		parts = append(append([]part{}, parts[:last]...), parts[last+1:]...)
	}
}

func joined(parts []part) []slackapi.Block {
	var blocks []slackapi.Block
	for _, p := range parts {
		blocks = append(blocks, p.blocks...)
	}
	return blocks
}
