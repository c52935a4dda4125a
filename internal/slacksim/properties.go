package slacksim

import (
	"maps"
	"slices"
	"strings"
)

// properties are the fields that each block, element and object may have besides its type; Slack refuses any other
// (docs.slack.dev/reference/block-kit). What has no row is not checked.
var properties = map[string]string{
	"block actions": "block_id elements", "block alert": "block_id text level", "block context": "block_id elements", "block context_actions": "block_id elements", "block divider": "block_id",
	"block file": "block_id external_id source", "block header": "block_id text", "block image": "block_id image_url slack_file alt_text title",
	"block input": "block_id label element hint optional dispatch_action", "block markdown": "block_id text", "block rich_text": "block_id elements", "block section": "block_id text fields accessory expand",
	"block table": "block_id rows column_settings", "block data_table": "block_id caption rows page_size row_header_column_index", "block data_visualization": "block_id title chart",
	"block plan": "block_id title tasks", "block task_card": "block_id task_id title status details output sources icon hide_title", "block video": "block_id alt_text author_name description provider_icon_url provider_name thumbnail_url title title_url video_url",

	"element button":                     "action_id text url value style confirm accessibility_label",
	"element channels_select":            "action_id placeholder initial_channel confirm response_url_enabled focus_on_load",
	"element checkboxes":                 "action_id options initial_options confirm focus_on_load",
	"element conversations_select":       "action_id placeholder initial_conversation default_to_current_conversation confirm response_url_enabled filter focus_on_load",
	"element datepicker":                 "action_id placeholder initial_date confirm focus_on_load",
	"element datetimepicker":             "action_id initial_date_time confirm focus_on_load",
	"element email_text_input":           "action_id initial_value dispatch_action_config focus_on_load placeholder",
	"element external_select":            "action_id placeholder initial_option min_query_length confirm focus_on_load",
	"element file_input":                 "action_id filetypes max_files",
	"element image":                      "image_url slack_file alt_text",
	"element multi_channels_select":      "action_id placeholder initial_channels confirm max_selected_items focus_on_load",
	"element multi_conversations_select": "action_id placeholder initial_conversations default_to_current_conversation confirm max_selected_items filter focus_on_load",
	"element multi_external_select":      "action_id placeholder initial_options min_query_length confirm max_selected_items focus_on_load",
	"element multi_static_select":        "action_id placeholder options option_groups initial_options confirm max_selected_items focus_on_load",
	"element multi_users_select":         "action_id placeholder initial_users confirm max_selected_items focus_on_load",
	"element number_input":               "action_id is_decimal_allowed initial_value min_value max_value dispatch_action_config focus_on_load placeholder",
	"element overflow":                   "action_id options confirm",
	"element plain_text_input":           "action_id initial_value multiline min_length max_length dispatch_action_config focus_on_load placeholder",
	"element radio_buttons":              "action_id options initial_option confirm focus_on_load",
	"element rich_text_input":            "action_id initial_value dispatch_action_config focus_on_load placeholder",
	"element static_select":              "action_id placeholder options option_groups initial_option confirm focus_on_load",
	"element timepicker":                 "action_id placeholder initial_time timezone confirm focus_on_load",
	"element url_text_input":             "action_id initial_value dispatch_action_config focus_on_load placeholder",
	"element users_select":               "action_id placeholder initial_user confirm focus_on_load",

	"text plain_text": "text emoji", "text mrkdwn": "text verbatim",
	"object option": "text value description", "object overflow option": "text value description url", "object option group": "label options", "object confirm": "title text confirm deny style",
	"view modal": "title blocks close submit private_metadata callback_id clear_on_close notify_on_close external_id submit_disabled", "view home": "blocks private_metadata callback_id external_id",

	"rich rich_text_section": "elements", "rich rich_text_list": "elements style indent offset border", "rich rich_text_quote": "elements border", "rich rich_text_preformatted": "elements border language",
}

// requiredProperties are the fields without which a block or element is refused.
var requiredProperties = map[string]string{
	"block actions": "elements", "block context": "elements", "block header": "text", "block image": "alt_text", "block input": "label element", "block markdown": "text", "block rich_text": "elements", "block table": "rows", "block data_table": "caption rows", "block data_visualization": "title chart", "block plan": "title", "block task_card": "task_id title",
	"block video": "alt_text title thumbnail_url video_url", "element button": "text", "element image": "alt_text", "element overflow": "options", "element checkboxes": "options", "element radio_buttons": "options",
	"object option": "text value", "object overflow option": "text", "object option group": "label options", "object confirm": "title text confirm deny", "view modal": "title blocks", "view home": "blocks",
	"rich rich_text_section": "elements", "rich rich_text_list": "elements style", "rich rich_text_quote": "elements", "rich rich_text_preformatted": "elements",
}

// fields checks which fields an object has.
func (c *checker) fields(at, kind string, m map[string]any) {
	for _, key := range strings.Fields(requiredProperties[kind]) {
		if m[key] == nil {
			c.bad(at, "missing required field: %s", key)
		}
	}
	known, listed := properties[kind]
	if !listed {
		return
	}
	allowed := append(strings.Fields(known), "type")
	for _, key := range slices.Sorted(maps.Keys(m)) {
		if !slices.Contains(allowed, key) {
			c.bad(at, "invalid additional property: %s", key)
		}
	}
}
