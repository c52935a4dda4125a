package timeline

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"html"
	"io"
	"strings"
)

// style is all of the page's looks: light and dark, narrow and wide, screen and paper. Nothing is loaded from anywhere.
//
//go:embed review.css
var style string

// recordBegins and recordEnds enclose the record, as JSON, that a page proves itself with.
const (
	recordBegins = `<pre id="cdcbot-timeline" hidden>`
	recordEnds   = `</pre>`
)

// asHTML writes the review as one page without scripts and without anything from elsewhere. The record stands in it as
// well, so that `bot verify` proves the page: it is made again from the record and compared.
func asHTML(w io.Writer, r *Report) error {
	title := "Post-incident review: " + r.Incident.ID
	fmt.Fprintf(w, "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n")
	fmt.Fprintf(w, "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\n<title>%s</title>\n<style>\n%s</style>\n</head>\n<body>\n<main>\n", text(title), style)
	fmt.Fprintf(w, "<h1>%s</h1>\n", text(title))
	if r.Incident.Cause != "" {
		fmt.Fprintf(w, "<p class=\"cause\">%s</p>\n", text(r.Incident.Cause))
	}
	if err := drawing(w, r); err != nil {
		return err
	}
	fmt.Fprint(w, "<table class=\"facts\">\n<caption>The incident</caption>\n")
	for _, row := range overview(r.Incident) {
		fmt.Fprintf(w, "<tr><th scope=\"row\">%s</th><td>%s</td></tr>\n", row[0], text(row[1]))
	}
	fmt.Fprint(w, "</table>\n")
	for _, s := range sections {
		if err := htmlSection(w, r, s); err != nil {
			return err
		}
	}
	htmlChecklist(w, r)
	fmt.Fprintf(w, "<h2>Proof</h2>\n<p>%d events, each hashing the one before. Head of the chain: <code>%s</code></p>\n", r.Count, text(r.Head))
	fmt.Fprintf(w, "<p>Exported %s. <code>bot verify FILE</code> proves that nothing on this page was altered; compare the head with the one posted in the thread.</p>\n</main>\n", moment(r.ExportedAt))
	fmt.Fprint(w, recordBegins)
	if err := document(escaping{w}, r, func(body json.RawMessage) ([]byte, error) { return body, nil }); err != nil {
		return err
	}
	_, err := fmt.Fprintf(w, "%s\n</body>\n</html>\n", recordEnds)
	return err
}

// escaping writes text so that a page shows it and never reads it as markup.
type escaping struct{ w io.Writer }

func (e escaping) Write(p []byte) (int, error) {
	_, err := markup.WriteString(e.w, string(p))
	return len(p), err
}

// markup is what html.EscapeString replaces; a Replacer writes without a copy.
var markup = strings.NewReplacer("&", "&amp;", "'", "&#39;", "<", "&lt;", ">", "&gt;", `"`, "&#34;")

// text is for a cell or a sentence: one that is seen as it is, without markup.
func text(s string) string { return html.EscapeString(visible(s)) }

func htmlSection(w io.Writer, r *Report, s section) error {
	fmt.Fprintf(w, "<h2>%s</h2>\n", s.title)
	begun := false
	for e, err := range r.Events(s.types...) {
		if err != nil {
			return err
		}
		for _, row := range s.rows(e) {
			if !begun {
				begun = true
				fmt.Fprintf(w, "<div class=\"wide\"><table>\n<thead><tr><th scope=\"col\">%s</th></tr></thead>\n<tbody>\n", strings.Join(s.columns, "</th><th scope=\"col\">"))
			}
			fmt.Fprintf(w, "<tr>%s</tr>\n", htmlRow(row))
		}
	}
	if !begun {
		fmt.Fprint(w, "<p>Nothing is recorded.</p>\n")
		return nil
	}
	fmt.Fprint(w, "</tbody></table></div>\n")
	if !s.outputs {
		return nil
	}
	for e, err := range r.Events(s.types...) {
		if err != nil {
			return err
		}
		for _, p := range printed(e) {
			fmt.Fprintf(w, "<details open><summary>%s</summary><pre>%s</pre></details>\n", text(p.what), text(strings.TrimRight(p.text, "\r\n")))
		}
	}
	return nil
}

func htmlRow(row []cell) string {
	var b strings.Builder
	for _, c := range row {
		if c.exact && c.text != "" {
			fmt.Fprintf(&b, "<td><code>%s</code></td>", text(c.text))
			continue
		}
		fmt.Fprintf(&b, "<td>%s</td>", text(c.text))
	}
	return b.String()
}

func htmlChecklist(w io.Writer, r *Report) {
	items := checklist(r)
	if len(items) == 0 {
		return
	}
	fmt.Fprint(w, "<h2>Review checklist of the runbook</h2>\n<ul class=\"checklist\">\n")
	for _, i := range items {
		fact := ""
		if i.fact != "" {
			fact = " — <span class=\"fact\">" + text(i.fact) + "</span>"
		}
		fmt.Fprintf(w, "<li>☐ %s%s</li>\n", text(i.text), fact)
	}
	fmt.Fprint(w, "</ul>\n")
}
