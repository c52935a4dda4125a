package slacksim

import (
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"
)

// answered is what the Web API says, with its HTTP status and headers.
type answered struct {
	body   map[string]any
	status int
	header http.Header
}

func (a answered) code() string { return word(a.body, "error") }

// ask calls a method with a form, as simple clients do. Arguments come in pairs.
func ask(t *testing.T, s *Server, method string, pairs ...string) answered {
	t.Helper()
	form := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		form.Set(pairs[i], pairs[i+1])
	}
	req, err := http.NewRequest(http.MethodPost, s.APIURL()+method, strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Authorization", "Bearer "+s.BotToken())
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = res.Body.Close() }()
	a := answered{status: res.StatusCode, header: res.Header}
	if err := json.NewDecoder(res.Body).Decode(&a.body); err != nil {
		t.Fatalf("%s: %v", method, err)
	}
	return a
}

// strict is a workspace with a channel of every kind.
func strict() Options {
	return Options{Unlimited: true, Channels: []Channel{
		{ID: room, Name: "cdc-incidents"}, {ID: "C0OLD", Name: "old", Archived: true}, {ID: "C0OTHER", Name: "other", Closed: true}, {ID: "C0GENERAL", Name: "general"},
		{ID: "G0OURS", Name: "ours", Private: true, Members: []string{"U0ONCALL"}}, {ID: "G0THEIRS", Name: "theirs", Private: true, Closed: true}},
		Usergroups: []Usergroup{{ID: "S0APPROVERS", Handle: "cdc-approvers", Users: []string{"U0ONCALL"}}}}
}

func TestMethodsRefuseAsSlackDoes(t *testing.T) {
	s, _ := start(t, strict())
	theirs, err := s.As("oncall").Post(room, "", "mine")
	if err != nil {
		t.Fatal(err)
	}
	ours := word(ask(t, s, "chat.postMessage", "channel", room, "text", "x").body, "ts")
	for _, row := range []struct {
		name, method string
		args         []string
		want         string
	}{
		{"by name", "chat.postMessage", []string{"channel", "#cdc-incidents", "text", "x"}, ""},
		{"to a person", "chat.postMessage", []string{"channel", "U0ONCALL", "text", "x"}, ""},
		{"to a private channel of ours", "chat.postMessage", []string{"channel", "G0OURS", "text", "x"}, ""},
		{"to a private channel of theirs", "chat.postMessage", []string{"channel", "G0THEIRS", "text", "x"}, "channel_not_found"},
		{"where the bot is no member", "chat.postMessage", []string{"channel", "C0OTHER", "text", "x"}, "not_in_channel"},
		{"markdown with text", "chat.postMessage", []string{"channel", room, "text", "x", "markdown_text", "y"}, "markdown_text_conflict"},
		{"metadata without a type", "chat.postMessage", []string{"channel", room, "text", "x", "metadata", `{"event_payload":{}}`}, "invalid_metadata_format"},
		{"metadata of objects in objects", "chat.postMessage", []string{"channel", room, "text", "x", "metadata", `{"event_type":"e","event_payload":{"a":{"b":1}}}`}, "invalid_metadata_schema"},
		{"blocks that are no JSON", "chat.postMessage", []string{"channel", room, "blocks", `{`}, "invalid_blocks_format"},
		{"update by name", "chat.update", []string{"channel", "cdc-incidents", "ts", ours, "text", "x"}, "channel_not_found"},
		{"update of nothing", "chat.update", []string{"channel", room, "ts", "1.1", "text", "x"}, "message_not_found"},
		{"update of another's", "chat.update", []string{"channel", room, "ts", theirs, "text", "x"}, "cant_update_message"},
		{"delete another's", "chat.delete", []string{"channel", room, "ts", theirs}, "cant_delete_message"},
		{"delete nothing", "chat.delete", []string{"channel", room, "ts", "1.1"}, "message_not_found"},
		{"whisper to a stranger", "chat.postEphemeral", []string{"channel", room, "user", "U0NOBODY", "text", "x"}, "user_not_in_channel"},
		{"whisper to one who is not there", "chat.postEphemeral", []string{"channel", "G0OURS", "user", "U0MANAGER", "text", "x"}, "user_not_in_channel"},
		{"link to nothing", "chat.getPermalink", []string{"channel", room, "message_ts", "1.1"}, "message_not_found"},

		{"history of an archived channel", "conversations.history", []string{"channel", "C0OLD"}, ""},
		{"history where the bot is no member", "conversations.history", []string{"channel", "C0OTHER"}, "not_in_channel"},
		{"history with a wild cursor", "conversations.history", []string{"channel", room, "cursor", "zzz"}, "invalid_cursor"},
		{"replies of nothing", "conversations.replies", []string{"channel", room, "ts", "1.1"}, "thread_not_found"},
		{"info of a private channel of theirs", "conversations.info", []string{"channel", "G0THEIRS"}, "channel_not_found"},
		{"info where the bot is no member", "conversations.info", []string{"channel", "C0OTHER"}, ""},
		{"list of wild types", "conversations.list", []string{"types", "secret"}, "invalid_types"},
		{"members of nothing", "conversations.members", []string{"channel", "C0NOPE"}, "channel_not_found"},
		{"join an archived channel", "conversations.join", []string{"channel", "C0OLD"}, "is_archived"},
		{"join a private channel", "conversations.join", []string{"channel", "G0OURS"}, "method_not_supported_for_channel_type"},
		{"leave general", "conversations.leave", []string{"channel", "C0GENERAL"}, "cant_leave_general"},
		{"open nobody", "conversations.open", nil, "users_list_not_supplied"},
		{"open a stranger", "conversations.open", []string{"users", "U0NOBODY"}, "user_not_found"},
		{"create without a name", "conversations.create", nil, "invalid_name_required"},
		{"create in capitals", "conversations.create", []string{"name", "Ops"}, "invalid_name_specials"},
		{"create a long name", "conversations.create", []string{"name", strings.Repeat("a", 81)}, "invalid_name_maxlength"},
		{"create twice", "conversations.create", []string{"name", "general"}, "name_taken"},
		{"rename what is archived", "conversations.rename", []string{"channel", "C0OLD", "name", "new"}, "is_archived"},
		{"archive twice", "conversations.archive", []string{"channel", "C0OLD"}, "already_archived"},
		{"archive general", "conversations.archive", []string{"channel", "C0GENERAL"}, "cant_archive_general"},
		{"unarchive what is open", "conversations.unarchive", []string{"channel", room}, "not_archived"},
		{"invite a member", "conversations.invite", []string{"channel", "G0OURS", "users", "U0ONCALL"}, "already_in_channel"},
		{"invite oneself", "conversations.invite", []string{"channel", "G0OURS", "users", "U0CDCBOT"}, "cant_invite_self"},
		{"invite a stranger", "conversations.invite", []string{"channel", "G0OURS", "users", "U0NOBODY"}, "user_not_found"},
		{"kick one who is not there", "conversations.kick", []string{"channel", "G0OURS", "user", "U0MANAGER"}, "not_in_channel"},
		{"kick oneself", "conversations.kick", []string{"channel", "G0OURS", "user", "U0CDCBOT"}, "cant_kick_self"},
		{"kick from general", "conversations.kick", []string{"channel", "C0GENERAL", "user", "U0ONCALL"}, "cant_kick_from_general"},
		{"a long topic", "conversations.setTopic", []string{"channel", room, "topic", text(251)}, "too_long"},
		{"a purpose where the bot is no member", "conversations.setPurpose", []string{"channel", "C0OTHER", "purpose", "x"}, "not_in_channel"},

		{"a user by name", "users.info", []string{"user", "oncall"}, "user_not_found"},
		{"a wild address", "users.lookupByEmail", []string{"email", "a@b"}, "users_not_found"},
		{"no such group", "usergroups.users.list", []string{"usergroup", "S0"}, "no_such_subteam"},

		{"react to nothing", "reactions.add", []string{"channel", room, "name", "eyes"}, "no_item_specified"},
		{"react without a name", "reactions.add", []string{"channel", room, "timestamp", ours}, "invalid_name"},
		{"react", "reactions.add", []string{"channel", room, "timestamp", ours, "name", "eyes"}, ""},
		{"react twice", "reactions.add", []string{"channel", room, "timestamp", ours, "name", "eyes"}, "already_reacted"},
		{"take back another reaction", "reactions.remove", []string{"channel", room, "timestamp", ours, "name", "tada"}, "no_reaction"},
		{"reactions of nothing", "reactions.get", []string{"channel", room, "timestamp", "1.1"}, "message_not_found"},
		{"pin", "pins.add", []string{"channel", room, "timestamp", ours}, ""},
		{"pin twice", "pins.add", []string{"channel", room, "timestamp", ours}, "already_pinned"},
		{"unpin what is not pinned", "pins.remove", []string{"channel", room, "timestamp", theirs}, "no_pin"},
		{"pins where the bot is no member", "pins.list", []string{"channel", "C0OTHER"}, "not_in_channel"},
		{"bookmark a folder", "bookmarks.add", []string{"channel_id", room, "type", "folder", "title", "x"}, "invalid_bookmark_type"},
		{"bookmark no link", "bookmarks.add", []string{"channel_id", room, "type", "link", "title", "x", "link", "javascript:x"}, "invalid_link"},
		{"edit no bookmark", "bookmarks.edit", []string{"channel_id", room, "bookmark_id", "Bk"}, "not_found"},

		{"an upload of nothing", "files.getUploadURLExternal", []string{"filename", "x", "length", "0"}, "missing_argument"},
		{"an upload that is not there", "files.completeUploadExternal", []string{"files", `[{"id":"F0"}]`, "channel_id", room}, "file_not_found"},
		{"a file that is not there", "files.info", []string{"file", "F0"}, "file_not_found"},
		{"delete a file that is not there", "files.delete", []string{"file", "F0"}, "file_not_found"},

		{"open a Home as a modal", "views.open", []string{"trigger_id", "x", "view", `{"type":"home","blocks":[{"type":"divider"}]}`}, "invalid_arguments"},
		{"publish a modal", "views.publish", []string{"user_id", "U0ONCALL", "view", `{"type":"modal","title":{"type":"plain_text","text":"x"},"blocks":[{"type":"divider"}]}`}, "invalid_arguments"},
		{"publish for a stranger", "views.publish", []string{"user_id", "U0NOBODY", "view", `{"type":"home","blocks":[{"type":"divider"}]}`}, "invalid_arguments"},
		{"update no view", "views.update", []string{"view_id", "V0", "view", `{"type":"home","blocks":[{"type":"divider"}]}`}, "not_found"},
		{"a view too large", "views.publish", []string{"user_id", "U0ONCALL", "view", `{"type":"home","blocks":[],"callback_id":"` + strings.Repeat("x", 251<<10) + `"}`}, "view_too_large"},
	} {
		if got := ask(t, s, row.method, row.args...).code(); got != row.want {
			t.Errorf("%s (%s): got %q, want %q", row.name, row.method, got, row.want)
		}
	}
}

// TestEveryMethodNeedsItsScope takes every scope away and calls everything: what works then needs none.
func TestEveryMethodNeedsItsScope(t *testing.T) {
	o := strict()
	o.Scopes = []string{"nothing"}
	s, _ := start(t, o)
	for name, m := range methods {
		if m.token != "bot" {
			continue
		}
		a := ask(t, s, name)
		if got := a.code() == "missing_scope"; got != (m.scope != "") {
			t.Errorf("%s: got %q, and its scope is %q", name, a.code(), m.scope)
		}
		if m.scope != "" && (word(a.body, "needed") == "" || word(a.body, "provided") != "nothing") {
			t.Errorf("%s says needed %v, provided %v", name, a.body["needed"], a.body["provided"])
		}
		if got := a.header.Get("X-OAuth-Scopes"); got != "nothing" {
			t.Errorf("%s: the header says the scopes %q", name, got)
		}
	}
}

func TestScopesAreOfTheConversationsKind(t *testing.T) {
	o := strict()
	o.Scopes = []string{"channels:history", "channels:read", "chat:write", "chat:write.public", "users:read"}
	s, _ := start(t, o)
	for _, row := range []struct {
		name, method string
		args         []string
		want, needed string
	}{
		{"history of a public channel", "conversations.history", []string{"channel", room}, "", ""},
		{"history of a private channel", "conversations.history", []string{"channel", "G0OURS"}, "missing_scope", "groups:history"},
		{"info of a private channel", "conversations.info", []string{"channel", "G0OURS"}, "missing_scope", "groups:read"},
		{"list with private channels", "conversations.list", []string{"types", "public_channel,private_channel"}, "missing_scope", "groups:read"},
		{"post where one is no member", "chat.postMessage", []string{"channel", "C0OTHER", "text", "x"}, "", ""},
		{"create", "conversations.create", []string{"name", "new"}, "missing_scope", "channels:manage,groups:write,im:write"},
	} {
		a := ask(t, s, row.method, row.args...)
		if a.code() != row.want || word(a.body, "needed") != row.needed {
			t.Errorf("%s: got %q, needed %q; want %q, %q", row.name, a.code(), word(a.body, "needed"), row.want, row.needed)
		}
	}
	user, _ := ask(t, s, "users.info", "user", "U0ONCALL").body["user"].(map[string]any)
	if about, _ := user["profile"].(map[string]any); about["email"] != nil {
		t.Errorf("without users:read.email the address is told: %v", about)
	}
}

func TestListsComeInPages(t *testing.T) {
	s, _ := start(t, strict())
	var want, got []string
	for i := range 7 {
		ts, err := s.As("oncall").Post(room, "", string(rune('a'+i)))
		if err != nil {
			t.Fatal(err)
		}
		want = append([]string{ts}, want...)
	}
	for cursor, pages := "", 1; ; pages++ {
		a := ask(t, s, "conversations.history", "channel", room, "limit", "3", "cursor", cursor).body
		list, _ := a["messages"].([]any)
		for _, m := range list {
			got = append(got, word(m.(map[string]any), "ts"))
		}
		next, _ := a["response_metadata"].(map[string]any)
		if cursor = word(next, "next_cursor"); cursor == "" {
			if pages != 3 || a["has_more"] != false {
				t.Errorf("%d pages, has_more %v; want 3, false", pages, a["has_more"])
			}
			break
		}
	}
	if !slices.Equal(got, want) {
		t.Errorf("got %v, want %v", got, want)
	}
	count := func(pairs ...string) int {
		list, _ := ask(t, s, "conversations.history", append([]string{"channel", room}, pairs...)...).body["messages"].([]any)
		return len(list)
	}
	if a, b := count("oldest", want[6], "latest", want[0]), count("oldest", want[6], "latest", want[0], "inclusive", "true"); a != 5 || b != 7 {
		t.Errorf("between the ends %d, with them %d; want 5 and 7", a, b)
	}
}

func TestRateLimitsFollowTheTier(t *testing.T) {
	s, _ := start(t, Options{})
	for _, row := range []struct {
		method string
		calls  int // that are taken at once
	}{{"usergroups.list", 20}, {"conversations.info", 50}, {"users.info", 100}} {
		taken := 0
		var last answered
		for range row.calls + 1 {
			if last = ask(t, s, row.method, "channel", room, "user", "U0ONCALL"); last.status == http.StatusOK {
				taken++
			}
		}
		if taken != row.calls || last.code() != "ratelimited" || last.status != http.StatusTooManyRequests {
			t.Errorf("%s: %d calls were taken, then %d %q; want %d, then 429", row.method, taken, last.status, last.code(), row.calls)
		}
		if after := last.header.Get("Retry-After"); after == "" || after == "0" {
			t.Errorf("%s: Retry-After is %q", row.method, after)
		}
	}
}

func TestBookmarks(t *testing.T) {
	s, _ := start(t, strict())
	b, _ := ask(t, s, "bookmarks.add", "channel_id", room, "type", "link", "title", "Runbook", "link", "https://example.org/runbook").body["bookmark"].(map[string]any)
	id := word(b, "id")
	ask(t, s, "bookmarks.edit", "channel_id", room, "bookmark_id", id, "title", "The runbook")
	list, _ := ask(t, s, "bookmarks.list", "channel_id", room).body["bookmarks"].([]any)
	if len(list) != 1 || word(list[0].(map[string]any), "title") != "The runbook" || word(list[0].(map[string]any), "link") != "https://example.org/runbook" {
		t.Errorf("bookmarks: %v", list)
	}
	ask(t, s, "bookmarks.remove", "channel_id", room, "bookmark_id", id)
	if list, _ := ask(t, s, "bookmarks.list", "channel_id", room).body["bookmarks"].([]any); len(list) != 0 {
		t.Errorf("after its removal: %v", list)
	}
}

func TestViewsAreStackedAndHashed(t *testing.T) {
	now := &clock{now: time.Now()}
	s, api := start(t, Options{Now: now.Now, Unlimited: true})
	app(t, s, api, silent)
	oncall, _ := s.user("oncall")
	trigger := func(view string) string {
		s.mu.Lock()
		defer s.mu.Unlock()
		return s.newTrigger(oncall.ID, view)
	}
	form := func(external string) string {
		return `{"type":"modal","external_id":"` + external + `","title":{"type":"plain_text","text":"x"},"blocks":[{"type":"divider"}]}`
	}
	view := func(a answered) map[string]any {
		v, _ := a.body["view"].(map[string]any)
		return v
	}
	root := view(ask(t, s, "views.open", "trigger_id", trigger(""), "view", form("one")))
	second := view(ask(t, s, "views.push", "trigger_id", trigger(word(root, "id")), "view", form("two")))
	third := view(ask(t, s, "views.push", "trigger_id", trigger(word(second, "id")), "view", form("")))
	if word(third, "previous_view_id") != word(second, "id") || word(third, "root_view_id") != word(root, "id") || root["previous_view_id"] != nil {
		t.Errorf("previous of the third is %v, its root %v", third["previous_view_id"], third["root_view_id"])
	}
	for _, row := range []struct {
		name, method string
		args         []string
		want         string
	}{
		{"a fourth", "views.push", []string{"trigger_id", trigger(word(third, "id")), "view", form("")}, "push_limit_reached"},
		{"onto nothing", "views.push", []string{"trigger_id", trigger(""), "view", form("")}, "not_found"},
		{"an external ID twice", "views.push", []string{"trigger_id", trigger(word(third, "id")), "view", form("two")}, "duplicate_external_id"},
		{"an old hash", "views.update", []string{"view_id", word(root, "id"), "hash", "1.old", "view", form("one")}, "hash_conflict"},
		{"the right hash", "views.update", []string{"view_id", word(root, "id"), "hash", word(root, "hash"), "view", form("one")}, ""},
		{"the same hash again", "views.update", []string{"view_id", word(root, "id"), "hash", word(root, "hash"), "view", form("one")}, "hash_conflict"},
		{"by external ID", "views.update", []string{"external_id", "two", "view", form("two")}, ""},
		{"to another's external ID", "views.update", []string{"view_id", word(root, "id"), "view", form("two")}, "duplicate_external_id"},
		{"by neither", "views.update", []string{"view", form("")}, "invalid_arguments"},
	} {
		if got := ask(t, s, row.method, row.args...).code(); got != row.want {
			t.Errorf("%s: got %q, want %q", row.name, got, row.want)
		}
	}
	if err := s.As("oncall").CloseModal(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := word(s.As("oncall").Modal(), "id"); got != word(second, "id") {
		t.Errorf("under the closed view is %s, want the second %s", got, word(second, "id"))
	}
}
