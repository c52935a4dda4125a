package workload

import (
	"bytes"
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"
)

// Logs are the last lines of the service, both streams in order of time, at most 1 MiB. Where there are several
// containers, each line begins with the name of its own.
func (c *Container) Logs(ctx context.Context, tail int, since time.Duration) (string, error) {
	all, err := c.find(ctx, "logs")
	if err != nil {
		return "", err
	}
	var together log
	for _, one := range all {
		lines, err := c.lines(ctx, one, tail, since)
		if err != nil {
			return "", err
		}
		if len(all) > 1 {
			lines.prefix(named(one) + " | ")
		}
		together.merge(lines)
	}
	return together.text(), nil
}

// lines reads one container's log. A tail of 0 or less means all of it.
func (c *Container) lines(ctx context.Context, one container.InspectResponse, tail int, since time.Duration) (log, error) {
	o := client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true, Timestamps: true, Tail: "all"}
	if tail > 0 {
		o.Tail = strconv.Itoa(tail)
	}
	if since > 0 {
		o.Since = c.docker.now().Add(-since).Format(time.RFC3339Nano)
	}
	stream, err := c.docker.api.ContainerLogs(ctx, one.ID, o)
	if err != nil {
		return log{}, c.failed("logs", err)
	}
	defer func() { _ = stream.Close() }()
	var out, errs tailBuffer // apart: one stream's line must not end up within the other's
	if one.Config != nil && one.Config.Tty {
		_, err = io.Copy(&out, stream)
	} else {
		_, err = stdcopy.StdCopy(&out, &errs, stream)
	}
	if err != nil {
		return log{}, c.failed("logs", err)
	}
	read := out.lines(stamped)
	read.merge(errs.lines(stamped))
	return read, nil
}

// line is one line of a log and when the engine got it.
type line struct {
	at   time.Time
	text string
}

// log is lines in order of time; cut says that there were more before them than we keep.
type log struct {
	all []line
	cut bool
}

func (l *log) prefix(with string) {
	for i := range l.all {
		l.all[i].text = with + l.all[i].text
	}
}

// merge puts lines of another log between ours. Equal times stay as they came.
func (l *log) merge(other log) {
	l.all = append(l.all, other.all...)
	l.cut = l.cut || other.cut
	slices.SortStableFunc(l.all, func(a, b line) int { return a.at.Compare(b.at) })
}

// text is the newest of the lines that fit into maxLog bytes. When there are older ones, the first line says so.
func (l *log) text() string {
	size, first := 0, len(l.all)
	for first > 0 && size+len(l.all[first-1].text)+1 <= maxLog {
		first--
		size += len(l.all[first].text) + 1
	}
	var b strings.Builder
	if l.cut || first > 0 {
		b.WriteString(cutLine + "\n")
	}
	for _, one := range l.all[first:] {
		b.WriteString(one.text + "\n")
	}
	return strings.TrimSuffix(b.String(), "\n")
}

const cutLine = "(older lines are cut: only the last 1 MiB is shown)"

// tailBuffer keeps the last maxLog bytes, or some more, of what is written to it.
type tailBuffer struct {
	bytes []byte
	cut   bool
}

// Write implements io.Writer; it does not fail.
func (b *tailBuffer) Write(p []byte) (int, error) {
	b.bytes = append(b.bytes, p...)
	if over := len(b.bytes) - maxLog; over > maxLog {
		b.bytes, b.cut = append(b.bytes[:0], b.bytes[over:]...), true
	}
	return len(p), nil
}

// lines are what is kept, each taken apart by split. A line without a time belongs to the one before it. Where the
// beginning is gone, so is the rest of the line that was cut through.
func (b *tailBuffer) lines(split func(string) (time.Time, string)) log {
	kept := b.bytes
	if b.cut {
		_, kept, _ = bytes.Cut(kept, []byte("\n"))
	}
	found := log{cut: b.cut}
	var last time.Time
	for text := range strings.Lines(strings.ToValidUTF8(string(kept), "\uFFFD")) {
		at, text := split(strings.TrimRight(text, "\r\n"))
		if !at.IsZero() {
			last = at
		}
		found.all = append(found.all, line{last, text})
	}
	return found
}

// stamped takes away the time that the engine was asked to write before a line.
func stamped(text string) (time.Time, string) {
	first, rest, _ := strings.Cut(text, " ")
	at, err := time.Parse(time.RFC3339Nano, first)
	if err != nil {
		return time.Time{}, text
	}
	return at, rest
}

// plain is for lines without such a time: one that is there is the service's own.
func plain(text string) (time.Time, string) { return time.Time{}, text }
