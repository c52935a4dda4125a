package slacksim

import (
	"fmt"
	"slices"
	"unicode/utf8"
)

// The blocks that Slack brought out since 2025: tables, charts, and the plans of agents.

// table checks a table block (docs.slack.dev/reference/block-kit/blocks/table-block).
func (c *checker) table(at string, b map[string]any) {
	c.tables++
	c.cells(at, b, [2]int{1, 100}, 10_000)
}

// dataTable checks a data_table block, whose rows are all of one length.
func (c *checker) dataTable(at string, b map[string]any) {
	c.tables++
	rows := c.cells(at, b, [2]int{2, 201}, 20_000)
	for i, r := range rows {
		if a, first := r.([]any), rows[0].([]any); len(a) != len(first) {
			c.bad(fmt.Sprintf("%s/rows/%d", at, i), "must have as many cells as the first row")
		}
	}
}

// cells checks the rows of a table, and returns them when each is a list.
func (c *checker) cells(at string, b map[string]any, limit [2]int, letters int) []any {
	rows, ok := b["rows"].([]any)
	if !ok || len(rows) < limit[0] || len(rows) > limit[1] {
		c.bad(at+"/rows", "must be between %d and %d rows", limit[0], limit[1])
	}
	sum := 0
	for i, r := range rows {
		where := fmt.Sprintf("%s/rows/%d", at, i)
		list, ok := r.([]any)
		if !ok || len(list) > 20 {
			c.bad(where, "no more than 20 cells allowed")
			return nil
		}
		for j, v := range list {
			sum += c.cell(fmt.Sprintf("%s/%d", where, j), v)
		}
	}
	if sum > letters {
		c.bad(at+"/rows", "must be less than %d characters", letters+1)
	}
	return rows
}

// cell checks one cell, and returns how many characters it holds.
func (c *checker) cell(at string, v any) int {
	m, _ := v.(map[string]any)
	switch m["type"] {
	case "raw_text":
		text, _ := m["text"].(string)
		if text == "" {
			c.bad(at+"/text", "must be more than 0 characters")
		}
		return utf8.RuneCountInString(text)
	case "raw_number":
		if _, ok := m["value"].(float64); !ok {
			c.bad(at, "missing required field: value")
		}
		return 8
	case "rich_text":
		c.richText(at, m)
		return c.letters(at, m)
	case "action_cell":
		return 0
	}
	c.bad(at+"/type", "unsupported type: %v", m["type"])
	return 0
}

// letters counts the characters of rich text, and refuses texts without any.
func (c *checker) letters(at string, m map[string]any) int {
	sum := 0
	if text, has := m["text"].(string); has {
		sum += utf8.RuneCountInString(text)
		if text == "" && m["type"] == "text" {
			c.bad(at+"/text", "must be more than 0 characters")
		}
	}
	elements, _ := m["elements"].([]any)
	for i, e := range elements {
		if inner, ok := e.(map[string]any); ok {
			sum += c.letters(fmt.Sprintf("%s/elements/%d", at, i), inner)
		}
	}
	return sum
}

// visualization checks a chart: pie segments, or series that have one point for each category
// (docs.slack.dev/reference/block-kit/blocks/data-visualization-block).
func (c *checker) visualization(at string, b map[string]any) {
	c.charts++
	c.within(at+"/title", b["title"], 50)
	chart, _ := b["chart"].(map[string]any)
	switch chart["type"] {
	case "pie":
		c.segments(at+"/chart/segments", chart["segments"])
	case "line", "bar", "area":
		c.series(at+"/chart", chart)
	default:
		c.bad(at+"/chart/type", "unsupported type: %v", chart["type"])
	}
}

func (c *checker) segments(at string, v any) {
	list, _ := v.([]any)
	if len(list) < 1 || len(list) > 6 {
		c.bad(at, "must be between 1 and 6 items")
	}
	for i, s := range list {
		m, _ := s.(map[string]any)
		where := fmt.Sprintf("%s/%d", at, i)
		c.within(where+"/label", m["label"], 20)
		if value, _ := m["value"].(float64); value <= 0 {
			c.bad(where+"/value", "must be greater than 0")
		}
	}
}

func (c *checker) series(at string, chart map[string]any) {
	axis, _ := chart["axis_config"].(map[string]any)
	categories := c.categories(at+"/axis_config", axis)
	list, _ := chart["series"].([]any)
	if len(list) < 1 || len(list) > 6 {
		c.bad(at+"/series", "must be between 1 and 6 items")
	}
	names := map[string]bool{}
	for i, s := range list {
		m, _ := s.(map[string]any)
		where := fmt.Sprintf("%s/series/%d", at, i)
		c.within(where+"/name", m["name"], 20)
		name, _ := m["name"].(string)
		if names[name] {
			c.bad(where+"/name", "must be unique")
		}
		names[name] = true
		c.points(where+"/data", m["data"], categories)
	}
}

func (c *checker) categories(at string, axis map[string]any) []string {
	for _, key := range []string{"x_label", "y_label"} {
		if axis[key] != nil {
			c.within(at+"/"+key, axis[key], 50)
		}
	}
	list, _ := axis["categories"].([]any)
	if len(list) < 1 || len(list) > 20 {
		c.bad(at+"/categories", "must be between 1 and 20 items")
	}
	var names []string
	for i, v := range list {
		where := fmt.Sprintf("%s/categories/%d", at, i)
		c.within(where, v, 20)
		name, _ := v.(string)
		if slices.Contains(names, name) {
			c.bad(where, "must be unique")
		}
		names = append(names, name)
	}
	return names
}

// points wants one point for each category.
func (c *checker) points(at string, v any, categories []string) {
	list, _ := v.([]any)
	left := slices.Clone(categories)
	for i, p := range list {
		m, _ := p.(map[string]any)
		label, _ := m["label"].(string)
		where := fmt.Sprintf("%s/%d", at, i)
		if _, ok := m["value"].(float64); !ok {
			c.bad(where, "missing required field: value")
		}
		j := slices.Index(left, label)
		if j < 0 {
			c.bad(where+"/label", "must be one of the categories, once")
			continue
		}
		left = slices.Delete(left, j, j+1)
	}
	if len(left) > 0 {
		c.bad(at, "must have a point for each category")
	}
}

func (c *checker) within(at string, v any, letters int) {
	text, _ := v.(string)
	if n := utf8.RuneCountInString(text); n < 1 || n > letters {
		c.bad(at, "must be between 1 and %d characters", letters)
	}
}

// plan checks a plan and its task cards (docs.slack.dev/reference/block-kit/blocks/plan-block).
func (c *checker) plan(at string, b map[string]any) {
	if title, _ := b["title"].(string); title == "" {
		c.bad(at+"/title", "must be more than 0 characters")
	}
	tasks, _ := b["tasks"].([]any)
	ids := map[string]bool{}
	for i, v := range tasks {
		where := fmt.Sprintf("%s/tasks/%d", at, i)
		m, _ := v.(map[string]any)
		if m["type"] != "task_card" {
			c.bad(where+"/type", "must be task_card")
			continue
		}
		id, _ := m["task_id"].(string)
		if ids[id] {
			c.bad(where+"/task_id", "must be unique")
		}
		ids[id] = true
		c.plain(where, m)
		c.fields(where, "block task_card", m)
		c.taskCard(where, m)
	}
}

// taskCard checks one task; its details and its output are rich text of one element each.
func (c *checker) taskCard(at string, b map[string]any) {
	if status, has := b["status"]; has && !slices.Contains([]any{"pending", "in_progress", "complete", "error"}, status) {
		c.bad(at+"/status", "must be pending, in_progress, complete or error")
	}
	for _, key := range []string{"details", "output"} {
		if b[key] == nil {
			continue
		}
		m, _ := b[key].(map[string]any)
		c.richText(at+"/"+key, m)
		if list, _ := m["elements"].([]any); len(list) != 1 {
			c.bad(at+"/"+key+"/elements", "must have exactly 1 item")
		}
	}
}
