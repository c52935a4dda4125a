package slack

import (
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/slacksim"
)

// visitor is a bot that only looks at a simulated workspace.
func visitor(t *testing.T, o slacksim.Options) (*slacksim.Server, *Bot) {
	t.Helper()
	sim := slacksim.New(o)
	if _, err := sim.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sim.Close() })
	bot, err := New(Options{AppToken: sim.AppToken(), BotToken: sim.BotToken(), APIURL: sim.APIURL()})
	if err != nil {
		t.Fatal(err)
	}
	return sim, bot
}

func TestIdentify(t *testing.T) {
	_, bot := visitor(t, slacksim.Options{Scopes: append(slices.Clone(Scopes[1:]), "pins:write")})
	who, err := bot.Identify(t.Context())
	if err != nil || who.User == "" || who.Team == "" || time.Since(who.At).Abs() > time.Minute {
		t.Errorf("got %+v, %v", who, err)
	}
	if !slices.Equal(who.Missing, Scopes[:1]) || !slices.Equal(who.Spare, []string{"pins:write"}) {
		t.Errorf("missing %v, spare %v", who.Missing, who.Spare)
	}
}

func TestOpens(t *testing.T) {
	sim, bot := visitor(t, slacksim.Options{})
	if err := bot.Opens(t.Context()); err != nil || sim.Connected() != 0 {
		t.Errorf("got %v with %d connections", err, sim.Connected())
	}
	sim.RefuseConnections("not_allowed_token_type")
	if err := bot.Opens(t.Context()); !errors.Is(err, ErrRefused) || !strings.Contains(err.Error(), "slack.app_token") {
		t.Errorf("refused: got %v", err)
	}
}

func TestMembership(t *testing.T) {
	_, bot := visitor(t, slacksim.Options{Scopes: Scopes})
	found, err := bot.Membership(t.Context(), "#"+room)
	if err != nil || !found.Member || found.Name != room {
		t.Fatalf("got %+v, %v", found, err)
	}
	if again, err := bot.Membership(t.Context(), found.ID); err != nil || again != found {
		t.Errorf("by ID: got %+v, %v", again, err)
	}
	for _, nowhere := range []string{"#nowhere", "C0NOWHERE"} {
		if _, err := bot.Membership(t.Context(), nowhere); !errors.Is(err, ErrChannel) {
			t.Errorf("%s: got %v", nowhere, err)
		}
	}
}

func TestCheckupWithoutSlack(t *testing.T) {
	server := httptest.NewServer(http.NotFoundHandler())
	address := server.URL
	server.Close()
	bot, err := New(Options{AppToken: "xapp-1", BotToken: "xoxb-1", APIURL: address})
	if err != nil {
		t.Fatal(err)
	}
	_, identity := bot.Identify(t.Context())
	_, member := bot.Membership(t.Context(), "C123")
	_, group := bot.Approvers(t.Context(), "S123")
	for _, err := range []error{identity, bot.Opens(t.Context()), member, group} {
		if err == nil || errors.Is(err, ErrRefused) {
			t.Errorf("got %v", err)
		}
	}
}
