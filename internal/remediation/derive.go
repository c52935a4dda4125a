package remediation

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/runbook"
)

// deriveWithin bounds how long a press waits for inputs that the bot can find by itself: the modal that asks for the
// others must open within three seconds.
const deriveWithin = 1500 * time.Millisecond

// derive fills inputs that nobody need type: the date, and the lease that Vault can be asked for. What cannot be found
// stays open and is asked for.
func (f *Flow) derive(ctx context.Context, p Pipeline, r approval.Recipe) approval.Recipe {
	book, ok := f.Library.Book(r.Runbook)
	if !ok {
		return r
	}
	inputs := maps.Clone(r.Inputs)
	if inputs == nil {
		inputs = map[string]string{}
	}
	ctx, cancel := context.WithTimeout(ctx, deriveWithin)
	defer cancel()
	for name, d := range book.Derived(r.Section, r.Option) {
		if strings.TrimSpace(inputs[name]) != "" {
			continue
		}
		switch d.Kind {
		case "date":
			inputs[name] = strftime(f.Now().UTC(), d.Of)
		case "lease":
			if lease, err := soonest(ctx, p.World, d.Of); err == nil {
				inputs[name] = strings.TrimPrefix(lease, d.Of+"/")
			}
		}
	}
	if len(inputs) > 0 {
		r.Inputs = inputs
	}
	return r
}

// mostLeases bounds how many leases are looked at.
const mostLeases = 20

// soonest is the lease under a prefix that ends first: it is the one that matters.
func soonest(ctx context.Context, w action.World, prefix string) (string, error) {
	v, err := w.Vault()
	if err != nil {
		return "", err
	}
	leases, err := v.Leases(ctx, prefix)
	if err != nil {
		return "", err
	}
	best, least := "", time.Duration(0)
	for _, lease := range leases[:min(len(leases), mostLeases)] {
		ttl, renewable, err := v.Lookup(ctx, lease)
		if err == nil && renewable && (best == "" || ttl < least) {
			best, least = lease, ttl
		}
	}
	if best == "" {
		return "", fmt.Errorf("no lease under %s can be renewed", prefix)
	}
	return best, nil
}

// dateLetters are the letters of date(1) that runbooks use, in Go's reference time.
var dateLetters = map[byte]string{'Y': "2006", 'm': "01", 'd': "02", 'H': "15", 'M': "04", 'S': "05", 'F': "2006-01-02", 'T': "15:04:05", 'Z': "MST", 'z': "-0700", 'y': "06", 'j': "002", 'b': "Jan", 'a': "Mon", 'e': "_2", 'p': "PM", 'I': "03", 'B': "January", 'A': "Monday", 'D': "01/02/06", 'R': "15:04"}

// strftime formats as date(1) does. A letter it does not know stays as it is.
func strftime(at time.Time, format string) string {
	var b strings.Builder
	format = strings.TrimPrefix(format, "+")
	for i := 0; i < len(format); i++ {
		if format[i] != '%' || i+1 == len(format) {
			b.WriteByte(format[i])
			continue
		}
		i++
		switch layout, known := dateLetters[format[i]]; {
		case known:
			b.WriteString(at.Format(layout))
		case format[i] == 's':
			fmt.Fprint(&b, at.Unix())
		case format[i] == '%':
			b.WriteByte('%')
		default:
			b.WriteString(format[i-1 : i+1])
		}
	}
	return b.String()
}

// derivedBlanks leaves out what the bot finds by itself.
func derivedBlanks(book *runbook.Book, section string, option int, blanks []Input) []Input {
	derived := book.Derived(section, option)
	var open []Input
	for _, in := range blanks {
		if derived[in.Name].Kind != "date" {
			open = append(open, in)
		}
	}
	return open
}
