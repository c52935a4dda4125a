package timeline

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// The drawing shows the outage: its phases as a bar, and above it what was asked, approved and run. Every phase has its
// name and length in words; a colour says nothing that the words do not.
const (
	drawingWidth = 960.0
	barTop       = 64.0
	barHeight    = 34.0
	signWidth    = 15.0
	mostMarks    = 400
)

type phase struct {
	class, name string
	from, to    time.Time
}

// phases of an outage, as far as they are known.
func phases(s Summary) []phase {
	acknowledged := s.AcknowledgedAt
	if acknowledged.IsZero() {
		acknowledged = s.MitigatedAt
	}
	var list []phase
	for _, p := range []phase{
		{"detect", "undetected", s.StartedAt, s.OpenedAt},
		{"ack", "nobody on it", s.OpenedAt, acknowledged},
		{"fix", "being fixed", acknowledged, s.MitigatedAt},
	} {
		if !p.from.IsZero() && p.to.After(p.from) {
			list = append(list, p)
		}
	}
	return list
}

// drawing writes an SVG, or nothing when there is no span of time to draw.
func drawing(w io.Writer, r *Report) error {
	list := phases(r.Incident)
	if len(list) == 0 {
		return nil
	}
	from, to := list[0].from, list[len(list)-1].to
	x := func(t time.Time) float64 {
		return 10 + (drawingWidth-20)*float64(t.Sub(from))/float64(to.Sub(from))
	}
	fmt.Fprintf(w, "<figure><svg viewBox=\"0 0 %.0f 150\" role=\"img\" aria-labelledby=\"outage\">\n<title id=\"outage\">%s</title>\n", drawingWidth, text(outageInWords(r.Incident, list)))
	for _, p := range list {
		left, width := x(p.from), x(p.to)-x(p.from)
		fmt.Fprintf(w, "<rect class=\"%s\" x=\"%.1f\" y=\"%.0f\" width=\"%.1f\" height=\"%.0f\"/>\n", p.class, left, barTop, width, barHeight)
	}
	labels(w, list, x)
	marks, right := 0, 0.0
	for e, err := range r.Events(append(append([]Type{}, asking...), RunStarted, RunFinished, VerificationPassed, VerificationFailed)...) {
		if err != nil {
			return err
		}
		if e.Time.Before(from) || e.Time.After(to) {
			continue
		}
		if marks++; marks > mostMarks {
			break
		}
		right = min(max(x(e.Time), right+signWidth), drawingWidth-signWidth/2) // signs stand beside each other, not upon each other
		fmt.Fprintf(w, "<g class=\"mark\"><title>%s</title><path d=\"M%.1f %.0f L%.1f %.0f\"/><text x=\"%.1f\" y=\"%.0f\">%s</text></g>\n", text(stampUTC(e.Time)+" "+e.Text), x(e.Time), barTop-2, right, barTop-14, right, barTop-18, signs[e.Type])
	}
	fmt.Fprintf(w, "<text x=\"10\" y=\"14\">%s</text>\n<text class=\"end\" x=\"%.0f\" y=\"14\">%s</text>\n</svg>\n", moment(from), drawingWidth-10, moment(to))
	_, err := fmt.Fprintf(w, "<figcaption>%s ? asked · ✓ approved · ✗ rejected · ▶ run · ■ its end · ★ verified</figcaption></figure>\n", text(outageInWords(r.Incident, list)))
	return err
}

// signs are what the marks are, in the order of the corridor.
var signs = map[Type]string{PlanProposed: "?", PlanApproved: "✓", PlanRejected: "✗", PlanWithdrawn: "✗", PlanExpired: "✗", PlanVoided: "✗", GlassBroken: "!", GlassReviewed: "✓",
	RunStarted: "▶", RunFinished: "■", VerificationPassed: "★", VerificationFailed: "✗"}

// labels name the phases below the bar, each below the one before where they would overlap.
func labels(w io.Writer, list []phase, x func(time.Time) float64) {
	for i, p := range list {
		left := min(x(p.from), drawingWidth-260)
		fmt.Fprintf(w, "<text class=\"label\" x=\"%.1f\" y=\"%.0f\">%s %s</text>\n", left, barTop+barHeight+16+float64(i)*16, p.name, words(seconds(p.from, p.to)))
	}
}

func outageInWords(s Summary, list []phase) string {
	parts := make([]string, len(list))
	for i, p := range list {
		parts[i] = p.name + " " + words(seconds(p.from, p.to))
	}
	whole := "The outage: "
	if s.RepairSeconds > 0 {
		whole = "An outage of " + words(s.RepairSeconds) + ": "
	}
	return whole + strings.Join(parts, ", ") + "."
}
