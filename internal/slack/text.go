package slack

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"cdcbot/internal/commands"
)

// clean removes what must not reach a reader: broken UTF-8, control characters, and the invisible characters that turn
// the direction of text around, which could make a plan read as another.
func clean(s string) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\r\n", "\n")
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return r
		case unicode.IsControl(r), r >= 0x202A && r <= 0x202E, r >= 0x2066 && r <= 0x2069, r == 0x200E, r == 0x200F:
			return -1
		}
		return r
	}, s)
}

// line makes text one line.
func line(s string) string { return strings.Join(strings.Fields(clean(s)), " ") }

// cut shortens to n characters, whole ones, and shows that it did.
func cut(s string, n int) string {
	if utf8.RuneCountInString(s) <= n {
		return s
	}
	runes := []rune(s)
	return strings.TrimRightFunc(string(runes[:n-1]), unicode.IsSpace) + "…"
}

// Slack's three entities (docs.slack.dev, formatting message text), both ways.
var (
	entities   = strings.NewReplacer("&", "&amp;", "<", "&lt;", ">", "&gt;")
	characters = strings.NewReplacer("&lt;", "<", "&gt;", ">", "&amp;", "&")
)

// escape disarms mentions and links of Slack's markup; nothing else needs it.
func escape(s string) string {
	return entities.Replace(s)
}

// token is a moment that each reader sees in their own time zone; clients that cannot show it fall back to UTC.
func token(t time.Time) string {
	if t.IsZero() {
		return unknownTime
	}
	return fmt.Sprintf("<!date^%d^{date_short_pretty} {time}|%s>", t.Unix(), utc(t))
}

const unknownTime = "an unknown time"

func utc(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 UTC") }

// span says a duration as people do: 45 s, 12 min, 3 h 20 min, 2 d 4 h.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 0:
		return "0 s"
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return strings.TrimSuffix(fmt.Sprintf("%d h %d min", int(d.Hours()), int(d.Minutes())%60), " 0 min")
	}
	return strings.TrimSuffix(fmt.Sprintf("%d d %d h", int(d.Hours())/24, int(d.Hours())%24), " 0 h")
}

func count(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

var mentioned = regexp.MustCompile(`<@([UW][A-Z0-9]+)(?:\|([^<>]*))?>`)

// mentions are the people that text as Slack sends it mentions; a name that Slack does not tell is the ID.
func mentions(s string) []commands.User {
	var list []commands.User
	for _, m := range mentioned.FindAllStringSubmatch(s, -1) {
		u := commands.User{ID: m[1], Name: m[2]}
		if u.Name == "" {
			u.Name = u.ID
		}
		list = append(list, u)
	}
	return list
}

var markup = regexp.MustCompile(`<([^<>]*)>`)

// plain reads text that Slack sends: its markup becomes what the person saw.
func plain(s string) string {
	s = markup.ReplaceAllStringFunc(s, func(m string) string {
		inner := m[1 : len(m)-1]
		target, label, labelled := strings.Cut(inner, "|")
		switch {
		case strings.HasPrefix(target, "@"), strings.HasPrefix(target, "#"):
			if labelled && label != "" {
				return target[:1] + strings.TrimPrefix(label, target[:1])
			}
			return target
		case strings.HasPrefix(target, "!"):
			if labelled {
				return label
			}
			return "@" + strings.TrimPrefix(target, "!")
		case labelled && label != "":
			return label
		}
		return strings.TrimPrefix(target, "mailto:")
	})
	return characters.Replace(s)
}
