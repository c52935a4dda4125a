// Package slack is how people ask and how they are told. It knows envelopes, blocks, trigger IDs, the three seconds in
// which Slack wants an answer, and rate limits; it decides nothing and never touches a pipeline. What a person typed or
// pressed becomes a commands.Command, and what the corridor wants to show (remediation.View) becomes a thread of cards.
package slack

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/cenkalti/backoff/v5"
	"github.com/prometheus/client_golang/prometheus"
	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cdcbot/internal/commands"
	"cdcbot/internal/incident"
	"cdcbot/internal/slack/link"
)

// Options say which workspace to work in. AppToken and BotToken are required.
type Options struct {
	AppToken    string       // xapp-…, with connections:write
	BotToken    string       // xoxb-…
	APIURL      string       // "" for Slack itself
	Connections int          // Socket Mode connections of this process, 1 to 10; 0 means 2
	HTTPClient  *http.Client // nil means one with a timeout of 15 s
	Logger      *zap.Logger
	Registerer  prometheus.Registerer // nil keeps the metrics to itself
	Now         func() time.Time
	Seen        Seen    // which envelopes were handled; nil remembers in this process only
	Threads     Threads // which incident a thread is about; nil knows none
	// Record is what people do in threads that is kept: messages, pins, reactions. nil keeps all.
	Record []string
	// Kinds are the newer blocks that the workspace does not take; nil lets every message find out by itself.
	Kinds Kinds
	// Plain does without newer blocks, whatever the workspace takes.
	Plain bool
}

// Asker answers what people ask. commands.Router is one.
type Asker interface {
	Do(ctx context.Context, c commands.Command) commands.Reply
}

// Listener hears what people write in the threads of incidents. It returns nil when the message is durable; after an
// error Slack delivers the message again.
type Listener interface {
	Message(ctx context.Context, m ThreadMessage) error
}

// Threads tells which incident a thread is about, "" when none, and where an incident's thread is, zero when nowhere yet.
type Threads interface {
	Incident(ctx context.Context, channel, ts string) (string, error)
	Thread(ctx context.Context, id string) (incident.Thread, error)
	// Greet reports whether the bot has not said hello in a channel yet, and remembers that it does now.
	Greet(ctx context.Context, channel string) (bool, error)
}

// Bot is one process's presence in a Slack workspace.
type Bot struct {
	options Options
	api     *slackapi.Client
	http    *http.Client
	log     *zap.Logger
	metrics *metrics
	people  *People
	lanes   *lanes
	links   *link.Pool
	homes   homes
	self    atomic.Pointer[slackapi.AuthTestResponse]

	ask     Asker
	listen  Listener
	running context.Context // of Run; jobs outlive it where they must
}

// New checks the options; it does not call Slack.
func New(o Options) (*Bot, error) {
	o, err := o.complete()
	if err != nil {
		return nil, err
	}
	m, err := newMetrics(o.Registerer)
	if err != nil {
		return nil, fmt.Errorf("registering slack metrics: %w", err)
	}
	b := &Bot{options: o, http: o.HTTPClient, log: o.Logger, metrics: m, lanes: newLanes(o.Logger)}
	b.api = b.client()
	b.people = b.People()
	b.links = newLinks(b)
	return b, nil
}

func (o Options) complete() (Options, error) {
	var problems []error
	if !strings.HasPrefix(o.AppToken, "xapp-") {
		problems = append(problems, errors.New("slack app token: expected an app-level token that begins with xapp- (Basic Information → App-Level Tokens)"))
	}
	if !strings.HasPrefix(o.BotToken, "xoxb-") {
		problems = append(problems, errors.New("slack bot token: expected a token that begins with xoxb- (OAuth & Permissions)"))
	}
	if o.Connections == 0 {
		o.Connections = 2
	}
	if o.Connections < 1 || o.Connections > 10 {
		problems = append(problems, fmt.Errorf("slack connections: %d; expected 1 to 10, the most Slack allows for one app", o.Connections))
	}
	if o.APIURL != "" && !strings.HasSuffix(o.APIURL, "/") {
		o.APIURL += "/"
	}
	if o.HTTPClient == nil {
		o.HTTPClient = newHTTP()
	}
	if o.Logger == nil {
		o.Logger = zap.NewNop()
	}
	if o.Registerer == nil {
		o.Registerer = prometheus.NewRegistry()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Seen == nil {
		o.Seen = NewSeenHere(o.Now)
	}
	return o, errors.Join(problems...)
}

// newHTTP keeps connections to Slack: the usual two for each host would make most answers of a busy minute shake hands anew.
func newHTTP() *http.Client {
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 16
	return &http.Client{Timeout: 15 * time.Second, Transport: transport}
}

func (b *Bot) client() *slackapi.Client {
	options := []slackapi.Option{slackapi.OptionAppLevelToken(b.options.AppToken), slackapi.OptionHTTPClient(b.http)}
	if b.options.APIURL != "" {
		options = append(options, slackapi.OptionAPIURL(b.options.APIURL))
	}
	return slackapi.New(b.options.BotToken, options...)
}

// Run answers people until ctx ends. It returns an error only when Slack refuses the app for good; the error says what
// to mend. Slack being away is waited out.
func (b *Bot) Run(ctx context.Context, ask Asker, listen Listener) error {
	b.ask, b.listen = ask, listen
	if err := b.identify(ctx); err != nil {
		return ignoreEnd(ctx, err)
	}
	defer b.lanes.drain(10 * time.Second)
	group, ctx := errgroup.WithContext(ctx)
	b.running = ctx
	group.Go(func() error { return b.links.Run(ctx) })
	group.Go(func() error { return b.keepHomes(ctx) })
	return ignoreEnd(ctx, group.Wait())
}

func ignoreEnd(ctx context.Context, err error) error {
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		return nil
	}
	return err
}

// identify asks Slack who we are, for as long as it takes.
func (b *Bot) identify(ctx context.Context) error {
	who, err := backoff.Retry(ctx, func() (*slackapi.AuthTestResponse, error) {
		who, err := b.api.AuthTestContext(ctx)
		if refusal := refused(err, "slack.bot_token"); refusal != nil {
			return nil, backoff.Permanent(refusal)
		}
		if err != nil {
			b.log.Warn("slack does not answer; trying again", zap.Error(err))
			b.links.Failed(fmt.Errorf("asking slack who we are: %w", err))
		}
		return who, err
	}, backoff.WithBackOff(&backoff.ExponentialBackOff{InitialInterval: 500 * time.Millisecond, Multiplier: 2, RandomizationFactor: 0.3, MaxInterval: 30 * time.Second}), backoff.WithMaxElapsedTime(0))
	if err != nil {
		return fmt.Errorf("asking slack who we are: %w", err)
	}
	b.self.Store(who)
	b.log.Info("slack knows us", zap.String("team", who.Team), zap.String("user", who.UserID))
	return nil
}

// Self is who the bot is: its user, its bot ID and the team. All are "" before Slack has told.
func (b *Bot) Self() (user, bot, team string) {
	who := b.self.Load()
	if who == nil {
		return "", "", ""
	}
	return who.UserID, who.BotID, who.TeamID
}

// Ready returns nil while at least one connection to Slack stands; otherwise it says what is wrong.
func (b *Bot) Ready() error {
	return b.links.Ready()
}

// Lookups of workspace facts wait this long at most.
const lookupTimeout = 10 * time.Second
