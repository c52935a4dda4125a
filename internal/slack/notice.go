package slack

import (
	"regexp"
	"strings"

	"cdcbot/internal/remediation"
)

// groupID is a Slack user group. Handles such as @cdc-approvers are resolved where people are looked up; a mention needs the ID.
var groupID = regexp.MustCompile(`^S[A-Z0-9]{6,}$`)

func noticeText(n remediation.Notice) string {
	if n.Loud {
		return "🚨 " + n.Text
	}
	return "🔔 " + n.Text
}

// noticeParts is a message that calls people: a mention in its text notifies them, which an edit of a card does not.
func noticeParts(n remediation.Notice) []part {
	pieces := []piece{words(noticeText(n))}
	for _, id := range n.Call {
		switch {
		case userID.MatchString(id):
			pieces = append(pieces, words(" "), user(id))
		case groupID.MatchString(id):
			pieces = append(pieces, words(" "), group(id))
		case strings.HasPrefix(id, "@"):
			pieces = append(pieces, words(" "+line(id)))
		}
	}
	return []part{must(paragraph(pieces...))}
}
