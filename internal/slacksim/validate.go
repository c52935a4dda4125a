package slacksim

import (
	"encoding/json"
	"fmt"
	"slices"
	"unicode/utf8"
)

// The limits of whole payloads. 13,200 characters of blocks is what Slack was seen to refuse (bolt-js#2509).
const (
	maxMessageBlocks = 50
	maxViewBlocks    = 100
	maxBlocksJSON    = 13200
	maxViewJSON      = 250 << 10
	maxMarkdown      = 12000
)

// text limits in characters (Unicode code points), by path of the object inside its block.
// Source: docs.slack.dev/reference/block-kit/blocks and /block-elements.
var sizes = map[string]int{
	"section.text": 3000, "section.fields": 2000, "header.text": 150, "context.text": 3000, "button.text": 75, "placeholder": 150, "option.text": 75,
	"option.description": 75, "confirm.title": 100, "confirm.text": 300, "confirm.confirm": 30, "confirm.deny": 30, "input.label": 2000, "input.hint": 2000,
	"group.label": 75, "view.title": 24, "view.submit": 24, "view.close": 24, "image.title": 2000,
}

// counts are how many parts a list may have, lowest and highest.
var counts = map[string][2]int{
	"section.fields": {1, 10}, "context.elements": {1, 10}, "actions.elements": {1, 25}, "overflow.options": {1, 5}, "options": {1, 100}, "checkboxes.options": {1, 10}, "radio_buttons.options": {1, 10},
}

// strings that are not text objects.
var plainSizes = map[string]int{"block_id": 255, "action_id": 255, "value": 2000, "url": 3000, "image_url": 3000, "alt_text": 2000, "accessibility_label": 75}

// surfaces says which blocks each surface refuses.
var surfaces = map[string][]string{
	"message": {"alert", "file"},
	"modal":   {"card", "carousel", "container", "context_actions", "data_table", "data_visualization", "file", "markdown", "plan", "table", "task_card"},
	"home":    {"alert", "context_actions", "data_table", "file", "markdown", "plan", "table", "task_card"},
}

var blockTypes = []string{"section", "header", "divider", "context", "actions", "image", "input", "rich_text", "markdown", "video", "table", "data_table", "data_visualization", "alert", "card", "carousel", "container", "context_actions", "plan", "task_card", "file"}

// elsewhere are the elements that only some surfaces take.
var elsewhere = map[string][]string{
	"email_text_input": {"modal"}, "number_input": {"modal"}, "url_text_input": {"modal"}, "file_input": {"modal"}, "rich_text_input": {"modal", "home"}, "plain_text_input": {"modal", "home"},
	"datetimepicker": {"message", "modal"}, "workflow_button": {"message"},
}

// checker collects what is wrong, each with a JSON pointer.
type checker struct {
	surface  string
	messages []string
	ids      map[string]bool
	tables   int
	charts   int
}

func (c *checker) bad(pointer, format string, args ...any) {
	c.messages = append(c.messages, fmt.Sprintf("[ERROR] "+format+" [json-pointer:%s]", append(args, pointer)...))
}

// checkBlocks says whether Slack would take the blocks on a surface.
func checkBlocks(raw, surface string) error {
	var list []any
	if err := json.Unmarshal([]byte(raw), &list); err != nil {
		return fault{code: "invalid_blocks_format"}
	}
	c := &checker{surface: surface, ids: map[string]bool{}}
	limit := maxViewBlocks
	if surface == "message" {
		limit = maxMessageBlocks
	}
	if len(list) > limit {
		c.bad("/blocks", "no more than %d items allowed", limit)
	}
	for i, b := range list {
		c.block(fmt.Sprintf("/blocks/%d", i), b)
	}
	switch {
	case len(c.messages) > 0:
		return fault{code: "invalid_blocks", messages: c.messages}
	case c.charts > 2: // undocumented; vercel/chat#696 met it
		return fault{code: "invalid_blocks", messages: []string{"[ERROR] no more than 2 data_visualization blocks allowed [json-pointer:/blocks]"}}
	case c.tables > 1:
		return fault{code: "invalid_attachments", messages: []string{"only_one_table_allowed"}}
	case surface == "message" && utf8.RuneCountInString(raw) > maxBlocksJSON:
		return fault{code: "msg_blocks_too_long"}
	}
	return nil
}

func (c *checker) block(at string, v any) {
	b, ok := v.(map[string]any)
	kind, _ := b["type"].(string)
	switch {
	case !ok:
		c.bad(at, "must be an object")
		return
	case !slices.Contains(blockTypes, kind):
		c.bad(at+"/type", "unsupported type: %s", kind)
		return
	case slices.Contains(surfaces[c.surface], kind):
		c.bad(at+"/type", "%s is not allowed in a %s", kind, c.surface)
		return
	}
	c.plain(at, b)
	c.fields(at, "block "+kind, b)
	if id, _ := b["block_id"].(string); id != "" {
		if c.ids[id] {
			c.bad(at+"/block_id", "block_id %q is not unique", id)
		}
		c.ids[id] = true
	}
	if check, ok := blockChecks[kind]; ok {
		check(c, at, b)
	}
}

// blockChecks says what is checked of each kind of block; the others are only counted.
var blockChecks = map[string]func(*checker, string, map[string]any){
	"section": (*checker).section, "context": (*checker).context, "actions": (*checker).actions, "image": (*checker).image, "input": (*checker).input,
	"markdown": (*checker).markdown, "rich_text": (*checker).richText, "table": (*checker).table, "data_table": (*checker).dataTable,
	"data_visualization": (*checker).visualization, "task_card": (*checker).taskCard, "plan": (*checker).plan,
	"header": func(c *checker, at string, b map[string]any) {
		c.text(at+"/text", "header.text", b["text"], "plain_text")
	},
}

func (c *checker) plain(at string, b map[string]any) {
	for key, limit := range plainSizes {
		v, has := b[key]
		if !has || v == nil {
			continue
		}
		text, ok := v.(string)
		if !ok {
			c.bad(at+"/"+key, "must be a string")
		} else if utf8.RuneCountInString(text) > limit {
			c.bad(at+"/"+key, "must be less than %d characters", limit+1)
		}
	}
}

// text checks a text object. kinds names those allowed; "" allows both.
func (c *checker) text(at, size string, v any, kind string) {
	t, ok := v.(map[string]any)
	if v == nil {
		return // a missing one is told where it is required
	}
	if !ok {
		c.bad(at, "must be a text object")
		return
	}
	c.fields(at, "text "+word(t, "type"), t)
	words, isText := t["text"].(string)
	got, _ := t["type"].(string)
	switch {
	case got != "plain_text" && got != "mrkdwn":
		c.bad(at+"/type", "must be plain_text or mrkdwn")
	case kind != "" && got != kind:
		c.bad(at+"/type", "must be %s", kind)
	case !isText || words == "":
		c.bad(at+"/text", "must be more than 0 characters")
	case utf8.RuneCountInString(words) > sizes[size]:
		c.bad(at+"/text", "must be less than %d characters", sizes[size]+1)
	}
}

func (c *checker) list(at, name string, v any) []any {
	list, ok := v.([]any)
	if !ok {
		c.bad(at, "must be an array")
		return nil
	}
	limit := counts[name]
	if len(list) < limit[0] {
		c.bad(at, "no less than %d items allowed", limit[0])
	}
	if len(list) > limit[1] {
		c.bad(at, "no more than %d items allowed", limit[1])
	}
	return list
}

func (c *checker) section(at string, b map[string]any) {
	if b["text"] == nil && b["fields"] == nil {
		c.bad(at, "must define either `text` or `fields`")
	}
	if b["text"] != nil {
		c.text(at+"/text", "section.text", b["text"], "")
	}
	if b["fields"] != nil {
		for i, f := range c.list(at+"/fields", "section.fields", b["fields"]) {
			c.text(fmt.Sprintf("%s/fields/%d", at, i), "section.fields", f, "")
		}
	}
	if b["accessory"] != nil {
		c.element(at+"/accessory", b["accessory"])
		c.fits(at+"/accessory", "section", b["accessory"])
	}
}

func (c *checker) context(at string, b map[string]any) {
	for i, e := range c.list(at+"/elements", "context.elements", b["elements"]) {
		where := fmt.Sprintf("%s/elements/%d", at, i)
		if m, _ := e.(map[string]any); m["type"] == "image" {
			c.image(where, m)
			continue
		}
		c.text(where, "context.text", e, "")
	}
}

func (c *checker) actions(at string, b map[string]any) {
	seen := map[string]bool{}
	for i, e := range c.list(at+"/elements", "actions.elements", b["elements"]) {
		where := fmt.Sprintf("%s/elements/%d", at, i)
		c.element(where, e)
		c.fits(where, "actions", e)
		m, _ := e.(map[string]any)
		id, _ := m["action_id"].(string)
		if id != "" && seen[id] {
			c.bad(where+"/action_id", "action_id %q is not unique in its block", id)
		}
		seen[id] = true
	}
}

func (c *checker) image(at string, b map[string]any) {
	c.plain(at, b)
	if (b["image_url"] == nil) == (b["slack_file"] == nil) {
		c.bad(at, "exactly one of image_url and slack_file is required")
	}
	if alt, _ := b["alt_text"].(string); alt == "" {
		c.bad(at+"/alt_text", "alt_text is required")
	}
}

func (c *checker) input(at string, b map[string]any) {
	if c.surface == "message" {
		c.bad(at, "input blocks are not allowed in messages of this app")
	}
	c.text(at+"/label", "input.label", b["label"], "plain_text")
	if b["hint"] != nil {
		c.text(at+"/hint", "input.hint", b["hint"], "plain_text")
	}
	if b["element"] != nil {
		c.element(at+"/element", b["element"])
		c.fits(at+"/element", "input", b["element"])
	}
}

func (c *checker) markdown(at string, b map[string]any) {
	text, _ := b["text"].(string)
	if n := utf8.RuneCountInString(text); n == 0 || n > maxMarkdown {
		c.bad(at+"/text", "must be between 1 and %d characters", maxMarkdown)
	}
}

func (c *checker) richText(at string, b map[string]any) {
	list, ok := b["elements"].([]any)
	if !ok {
		c.bad(at+"/elements", "must be an array")
		return
	}
	for i, e := range list {
		m, _ := e.(map[string]any)
		switch m["type"] {
		case "rich_text_section", "rich_text_list", "rich_text_quote", "rich_text_preformatted":
			c.fields(fmt.Sprintf("%s/elements/%d", at, i), "rich "+word(m, "type"), m)
		default:
			c.bad(fmt.Sprintf("%s/elements/%d/type", at, i), "unsupported type: %v", m["type"])
		}
	}
}

// misfits are the elements that a block does not take; those that no block takes are unknown types.
var misfits = map[string][]string{
	"section": {"plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input", "file_input", "datetimepicker"},
	"actions": {"image", "multi_static_select", "multi_users_select", "multi_conversations_select", "multi_channels_select", "multi_external_select", "plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input", "file_input"},
	"input":   {"button", "overflow", "image", "workflow_button"},
}

// fits refuses an element in a block that does not take it.
func (c *checker) fits(at, block string, v any) {
	e, _ := v.(map[string]any)
	if kind := word(e, "type"); slices.Contains(misfits[block], kind) {
		c.bad(at+"/type", "unsupported element of %s: %s", block, kind)
	}
}

// place refuses an element on a surface that does not take it.
func (c *checker) place(at, kind string) {
	if takers, special := elsewhere[kind]; special && c.surface != "" && !slices.Contains(takers, c.surface) {
		c.bad(at+"/type", "%s is not allowed in a %s", kind, c.surface)
	}
}

// elementTypes are those a message or view may hold.
var elementTypes = []string{"button", "static_select", "multi_static_select", "users_select", "multi_users_select", "conversations_select", "multi_conversations_select", "channels_select", "multi_channels_select", "external_select", "multi_external_select", "overflow", "datepicker", "timepicker", "datetimepicker", "radio_buttons", "checkboxes", "plain_text_input", "number_input", "email_text_input", "url_text_input", "rich_text_input", "image", "workflow_button", "file_input"}

func (c *checker) element(at string, v any) {
	e, ok := v.(map[string]any)
	kind, _ := e["type"].(string)
	if !ok || !slices.Contains(elementTypes, kind) {
		c.bad(at+"/type", "unsupported element: %s", kind)
		return
	}
	c.plain(at, e)
	c.fields(at, "element "+kind, e)
	c.place(at, kind)
	switch kind {
	case "button":
		c.text(at+"/text", "button.text", e["text"], "plain_text")
		if style, has := e["style"]; has && style != "primary" && style != "danger" {
			c.bad(at+"/style", "must be primary or danger")
		}
	case "image":
		c.image(at, e)
	case "plain_text_input":
		if n, ok := e["max_length"].(float64); ok && (n < 1 || n > 3000) {
			c.bad(at+"/max_length", "must be between 1 and 3000")
		}
	}
	if e["placeholder"] != nil {
		c.text(at+"/placeholder", "placeholder", e["placeholder"], "plain_text")
	}
	c.options(at, kind, e)
	c.confirm(at, e)
}

func (c *checker) options(at, kind string, e map[string]any) {
	if (kind == "static_select" || kind == "multi_static_select") && (e["options"] == nil) == (e["option_groups"] == nil) {
		c.bad(at, "must define either `options` or `option_groups`")
	}
	if e["option_groups"] != nil {
		for i, v := range c.list(at+"/option_groups", "options", e["option_groups"]) {
			where := fmt.Sprintf("%s/option_groups/%d", at, i)
			g, _ := v.(map[string]any)
			c.fields(where, "object option group", g)
			c.text(where+"/label", "group.label", g["label"], "plain_text")
			c.options(where, "group", map[string]any{"options": g["options"]})
		}
	}
	if e["options"] == nil {
		return // where they are required that is told already
	}
	name, form := kind+".options", "object option"
	if _, special := counts[name]; !special {
		name = "options"
	}
	if kind == "overflow" {
		form = "object overflow option"
	}
	for i, v := range c.list(at+"/options", name, e["options"]) {
		where := fmt.Sprintf("%s/options/%d", at, i)
		o, ok := v.(map[string]any)
		if !ok {
			c.bad(where, "must be an object")
			continue
		}
		c.fields(where, form, o)
		c.text(where+"/text", "option.text", o["text"], "")
		if o["description"] != nil {
			c.text(where+"/description", "option.description", o["description"], "")
		}
		if value, _ := o["value"].(string); utf8.RuneCountInString(value) > 150 {
			c.bad(where+"/value", "must be less than 151 characters")
		}
	}
}

func (c *checker) confirm(at string, e map[string]any) {
	d, ok := e["confirm"].(map[string]any)
	if !ok {
		return
	}
	c.fields(at+"/confirm", "object confirm", d)
	c.text(at+"/confirm/title", "confirm.title", d["title"], "plain_text")
	c.text(at+"/confirm/text", "confirm.text", d["text"], "")
	for _, key := range []string{"confirm", "deny"} {
		if d[key] != nil {
			c.text(at+"/confirm/"+key, "confirm."+key, d[key], "plain_text")
		}
	}
}

// checkView says whether Slack would open a modal or publish a Home.
func checkView(raw string) (view, error) {
	if len(raw) > maxViewJSON {
		return nil, fault{code: "view_too_large"}
	}
	var v view
	if err := json.Unmarshal([]byte(raw), &v); err != nil || v == nil {
		return nil, fault{code: "invalid_arguments", messages: []string{"[ERROR] view must be a JSON object [json-pointer:/view]"}}
	}
	surface := v.text("type")
	if surface != "modal" && surface != "home" {
		return nil, fault{code: "invalid_arguments", messages: []string{"[ERROR] must be modal or home [json-pointer:/view/type]"}}
	}
	c := &checker{surface: surface, ids: map[string]bool{}}
	c.fields("/view", "view "+surface, v)
	if surface == "modal" {
		c.text("/view/title", "view.title", v["title"], "plain_text")
		for _, key := range []string{"submit", "close"} {
			if v[key] != nil {
				c.text("/view/"+key, "view."+key, v[key], "plain_text")
			}
		}
	}
	if utf8.RuneCountInString(v.text("private_metadata")) > 3000 {
		c.bad("/view/private_metadata", "must be less than 3001 characters")
	}
	if utf8.RuneCountInString(v.text("callback_id")) > 255 {
		c.bad("/view/callback_id", "must be less than 256 characters")
	}
	blocks, _ := json.Marshal(v["blocks"]) // it was decoded from JSON
	if err := checkBlocks(string(blocks), surface); err != nil {
		return nil, fault{code: "invalid_arguments", messages: append(c.messages, err.(fault).messages...)}
	}
	if surface == "modal" && v["submit"] == nil && hasInput(v) {
		c.bad("/view/submit", "submit is required when there are input blocks")
	}
	if len(c.messages) > 0 {
		return nil, fault{code: "invalid_arguments", messages: c.messages}
	}
	return v, nil
}

func hasInput(v view) bool {
	list, _ := v["blocks"].([]any)
	return slices.ContainsFunc(list, func(x any) bool {
		b, _ := x.(map[string]any)
		return b["type"] == "input"
	})
}
