package slack

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"strings"

	slackapi "github.com/slack-go/slack"

	"cdcbot/internal/approval"
	"cdcbot/internal/incident"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
)

// card is one message of an incident's thread. Drawing the same view gives the same card, byte by byte.
type card struct {
	key  string // "root", or the ID of a request or run
	text string // what notifications and clients without blocks show, escaped
	drawing
	rank int // what goes first when Slack lets only some through: lower
}

// The ranks. People wait for approvals; progress may be seconds old.
const (
	rankRoot = iota
	rankApproval
	rankResult
	rankProgress
)

// rootCard is the key of the thread's first message.
const rootCard = "root"

// cards draws everything that a view shows, the thread's first message first.
func cards(v remediation.View) []card {
	list := []card{{key: rootCard, text: rootText(v), drawing: draw(rootCardParts(v)), rank: rankRoot}}
	for _, a := range v.Requests {
		rank := rankResult
		if a.Request.State == approval.Pending {
			rank = rankApproval
		}
		list = append(list, card{key: a.Request.ID, text: requestText(a), drawing: draw(requestParts(a)), rank: rank})
	}
	for i, r := range v.Runs {
		rank := rankResult
		if r.EndedAt.IsZero() && r.State != remediation.Waiting {
			rank = rankProgress
		}
		list = append(list, card{key: r.ID, text: runText(r), drawing: draw(runParts(r, i == len(v.Runs)-1 && !ended(v.Incident.State))), rank: rank})
	}
	for _, n := range v.Notices {
		list = append(list, card{key: "notice:" + n.Key, text: noticeText(n), drawing: draw(noticeParts(n)), rank: rankApproval})
	}
	for i := range list {
		list[i].text = escape(cut(line(redact.Text(list[i].text)), 300))
	}
	return list
}

// hash is the same as long as the card looks the same.
func (c card) hash() string {
	sum := sha256.New()
	for _, blocks := range [][]slackapi.Block{c.blocks, c.plain} {
		if js, err := json.Marshal(blocks); err == nil && blocks != nil { // strings and numbers always encode
			sum.Write(js)
		}
	}
	sum.Write([]byte(c.text))
	return hex.EncodeToString(sum.Sum(nil)[:8])
}

// shortDigest is enough to compare by eye.
func shortDigest(d string) string { return cut(strings.TrimPrefix(d, "sha256:"), 13) }

func stateEmoji(s incident.State) string {
	switch s {
	case incident.Open:
		return "🔴"
	case incident.Acknowledged:
		return "🟠"
	case incident.Mitigating:
		return "🔧"
	case incident.Monitoring:
		return "🟡"
	case incident.Resolved:
		return "🟢"
	case incident.Closed:
		return "⚫"
	}
	return "⚪"
}

// risks says what a risk means, in the words of package action.
var risks = map[string]string{
	"read":   "👀 READ: looks, changes nothing",
	"change": "🟡 CHANGE: can be repeated or taken back",
	"high":   "🔴 HIGH: can lose data, position or schema",
}

func riskWords(risk string) string {
	if w, known := risks[risk]; known {
		return w
	}
	return "⚪ " + strings.ToUpper(line(risk))
}
