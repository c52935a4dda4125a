// Package app is the wiring: configuration in, running bot out. cmd/bot and cmd/demo run the same App; the demo only
// hands it other edges.
package app

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"runtime/debug"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"
	"golang.org/x/sync/errgroup"

	"cdcbot/internal/action"
	"cdcbot/internal/alert"
	"cdcbot/internal/approval"
	"cdcbot/internal/breaker"
	"cdcbot/internal/commands"
	"cdcbot/internal/config"
	"cdcbot/internal/incident"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
	"cdcbot/internal/seal"
	"cdcbot/internal/secrets"
	"cdcbot/internal/slack"
	"cdcbot/internal/timeline"
)

// Options are what an App is made of. Config and Log are required.
type Options struct {
	Config  *config.Config
	Log     *zap.Logger
	Version string
	Redis   redis.UniversalClient // instead of redis.url; the demo's embedded one
	// Ephemeral allows a Redis that keeps nothing; only the demo and tests may.
	Ephemeral bool
	// Database opens a pipeline's sink database; nil means PostgreSQL.
	Database func(config.Postgres) (Database, error)
	// Systems replaces the clients of the systems around every pipeline; only the demo's are simulated.
	Systems *Systems
	// Secrets is where the configuration's references were filled from; Run keeps what it gave good. nil when there are none.
	Secrets *secrets.Vault
	// Reload reads the configuration anew; what it says of approvals is taken over while the bot runs. nil takes over nothing.
	Reload func() (*config.Config, error)
	// Wake has runbooks and policy looked at now instead of within ten seconds; nil for never.
	Wake <-chan os.Signal
	// Runbooks are compiled instead of those in runbooks.dir, by name.
	Runbooks map[string][]byte
}

// Systems are clients that stand in for those the configuration names. Probes are what a diagnosis asks, by system.
type Systems struct {
	Postgres  action.Postgres
	Cassandra action.Cassandra
	Vault     action.Vault
	HTTP      map[string]action.HTTP
	DLQ       action.DLQ
	Kafka     action.Kafka
	Services  map[string]action.WorkloadClient
	Pager     action.Pager
	Probes    map[string]func(context.Context) (string, error)
	Targets   func(*runbook.Targets) // what runbooks may write for them
}

// App is one process of the bot.
type App struct {
	config   *config.Config
	log      *zap.Logger
	books    *shelf
	worlds   map[string]*world // by pipeline
	breakers *breaker.Set      // nil when nothing is guarded
	redis    redis.UniversalClient
	seal     *seal.Ring // nil without keys, which only the demo and tests may be
	flow     *remediation.Flow
	engine   *remediation.Engine
	slack    *slack.Bot
	people   *slack.People
	router   *commands.Router
	watcher  *alert.Watcher
	metrics  *prometheus.Registry
	listener net.Listener
	handler  http.Handler
	meter    *meter
	options  Options
}

// New wires an App and starts to listen; nothing else runs before Run. Errors name the configuration key to mend.
func New(ctx context.Context, o Options) (*App, error) {
	if err := servable(o); err != nil {
		return nil, err
	}
	books, err := openShelf(o)
	if err != nil {
		return nil, err
	}
	ring, err := keys(o.Config.Seal)
	if err != nil {
		return nil, err
	}
	a := &App{books: books, worlds: map[string]*world{}, breakers: breakers(o), seal: ring, config: o.Config, log: o.Log, metrics: prometheus.NewRegistry(), options: o, redis: o.Redis}
	a.metrics.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	if a.redis == nil {
		if a.redis, err = openRedis(o.Config.Redis); err != nil {
			return nil, err
		}
	}
	if err := a.wire(books.now()); err != nil {
		return nil, err
	}
	a.metrics.MustRegister(newGauges(a))
	a.meter = newMeter(a.metrics)
	if a.listener, err = (&net.ListenConfig{}).Listen(ctx, "tcp", o.Config.Listen); err != nil {
		return nil, fmt.Errorf("listen: %q: %w", o.Config.Listen, err)
	}
	return a, nil
}

// servable checks what only serving needs: the tokens, and that nobody can send alerts from outside without a token.
func servable(o Options) error {
	c := o.Config
	var e config.Error
	if c.Slack.BotToken == "" {
		e.Problems = append(e.Problems, config.Problem{Key: "slack.bot_token", Expect: "the bot token (xoxb-…), or slack.bot_token_file"})
	}
	if c.Slack.AppToken == "" {
		e.Problems = append(e.Problems, config.Problem{Key: "slack.app_token", Expect: "the app-level token (xapp-…), or slack.app_token_file"})
	}
	if c.Seal.Keys == "" && !o.Ephemeral {
		e.Problems = append(e.Problems, config.Problem{Key: "seal.keys", Expect: "a key that Redis never holds, such as k1:$(openssl rand -hex 32), or seal.keys_file; all replicas have the same"})
	}
	factors, err := approval.ParseFactors(c.Approval.TOTP)
	if err != nil {
		e.Problems = append(e.Problems, config.Problem{Key: "approval.totp", Value: "••••••", Expect: err.Error()})
	}
	for _, risk := range c.Approval.StepUp {
		if _, err := action.ParseRisk(risk); err != nil {
			e.Problems = append(e.Problems, config.Problem{Key: "approval.step_up", Value: risk, Expect: "change or high"})
		}
	}
	if len(c.Approval.StepUp) > 0 && len(factors) == 0 {
		e.Problems = append(e.Problems, config.Problem{Key: "approval.totp", Expect: "who has which secret, because approval.step_up asks for codes: without any nobody could approve"})
	}
	if c.Approval.MemberFor > 0 && c.Approval.Group == "" {
		e.Problems = append(e.Problems, config.Problem{Key: "approval.member_for", Value: c.Approval.MemberFor.String(), Expect: "approval.group as well: it says how long somebody must have been in that group"})
	}
	if c.Approval.Glass && (!c.Page.Enabled() || c.Approval.Page <= 0 || c.Approval.Page >= c.Approval.TTL) {
		e.Problems = append(e.Problems, config.Problem{Key: "approval.break_glass", Value: "true", Expect: "page.url or page.pagerduty_key, and an approval.page_after between 0 and approval.ttl: acting alone pages a second person first"})
	}
	host, _, err := net.SplitHostPort(c.Listen)
	if ip := net.ParseIP(host); err == nil && c.Alerts.Token == "" && c.Alerts.Username == "" && host != "localhost" && (ip == nil || !ip.IsLoopback()) {
		e.Problems = append(e.Problems, config.Problem{Key: "alerts.token", Expect: "a token, because listen is " + c.Listen + " and others can reach it"})
	}
	if len(e.Problems) > 0 {
		return &e
	}
	return nil
}

func (a *App) around() around { return around{a.breakers, a.options.Secrets} }

// breakers are those of all targets; nil when they are switched off.
func breakers(o Options) *breaker.Set {
	c := o.Config.Breaker
	if c.Failures == 0 {
		return nil
	}
	return breaker.New(breaker.Options{Failures: c.Failures, Pause: c.Pause, Changed: func(target string, now breaker.State) {
		o.Log.Named("breaker").Warn("a breaker changed", zap.String("target", target), zap.Stringer("state", now))
	}})
}

// keys are those that seal records; none is nil.
func keys(c config.Seal) (*seal.Ring, error) {
	if c.Keys == "" {
		return nil, nil
	}
	ring, err := seal.Parse(c.Keys)
	if err != nil {
		return nil, fmt.Errorf("seal.keys: %w", err)
	}
	return ring, nil
}

func (a *App) wire(books library) error {
	c := a.config
	mask := redact.New(c.Secrets()...)
	if a.options.Secrets != nil {
		a.options.Secrets.Tell(learn(c, mask))
	}
	bot, err := slack.New(slack.Options{AppToken: c.Slack.AppToken, BotToken: c.Slack.BotToken, APIURL: c.Slack.APIURL, Connections: c.Slack.Connections, Record: c.Slack.Record,
		Logger: a.log.Named("slack"), Registerer: a.metrics, Now: time.Now, Seen: slack.SeenRedis{Redis: a.redis}, Threads: slack.RedisRefs{Redis: a.redis},
		Kinds: slack.RedisKinds{Redis: a.redis}, Plain: c.Slack.Blocks == "plain"})
	if err != nil {
		return err
	}
	a.slack = bot
	clusters, err := a.open(mask)
	if err != nil {
		return err
	}
	replica := hostname() + "/" + rand.Text()[:8]
	board := bot.Board(slack.BoardOptions{Refs: slack.RedisRefs{Redis: a.redis}, Channel: a.channel, Owner: replica})
	a.engine = remediation.NewEngine(a.redis, c.Execution.Workers, a.log.Named("queue"))
	a.flow = a.corridor(clusters, board, mask, replica)
	a.router = a.commands(clusters, bot)
	routing := newRouting(c)
	a.watcher = a.watch(books, clusters)
	labels := alert.LabelNames(c.Alerts.Labels)
	webhook := &alert.Handler{Sink: a.flow, Token: c.Alerts.Token, Username: c.Alerts.Username, Password: c.Alerts.Password, Labels: labels, Now: time.Now, Log: a.log.Named("webhook"), Metrics: alert.NewMetrics(a.metrics)}
	a.handler = routes(webhook, a.ready, a.metrics)
	a.flow.Route = routing.pipeline
	return nil
}

// channel is where a pipeline's incidents are told; an incident that belongs to none goes to the common one.
func (a *App) channel(pipeline string) string {
	if own := a.config.Pipelines[pipeline].Channel; own != "" {
		return own
	}
	if a.config.Slack.Channel != "" {
		return a.config.Slack.Channel
	}
	return a.config.Pipelines[a.config.Names()[0]].Channel
}

// corridor puts the flow together.
func (a *App) corridor(clusters map[string]*cluster, room remediation.Room, mask *redact.Redactor, replica string) *remediation.Flow {
	c := a.config
	f := &remediation.Flow{
		Incidents: &incident.Store{Redis: a.redis, Now: time.Now, QuietPeriod: c.Incident.QuietPeriod},
		Timeline:  &timeline.Log{Redis: a.redis, Now: time.Now, Redact: mask.Text, Seal: a.seal},
		Approvals: &approval.Store{Redis: a.redis, Now: time.Now, TTL: c.Approval.TTL, Seal: a.seal},
		Policy:    policyOf(c),
		Journal:   &remediation.Journal{Redis: a.redis, Seal: a.seal},
		Library:   watched{a.books, c.Watch.Alert},
		Pipelines: map[string]remediation.Pipeline{},
		Room:      room,
		Queue:     a.engine,
		Redact:    mask.Text,
		Now:       time.Now,
		Log:       a.log.Named("flow"),
		Replica:   replica,
		Quiet:     c.Incident.QuietPeriod,
		Settle:    c.Execution.Settle,
		Verify:    c.Execution.Verify,
		Again:     lookAgainEvery,
		Timers:    remediation.Timers{Remind: c.Approval.Remind},
		Painter:   remediation.NewPainter(room),
	}
	if store, err := openArchive(c, a.around()); err == nil && store != nil { // config has checked the URL
		f.ArchiveAfter = c.Archive.After
		f.Archive = func(ctx context.Context, id string) (string, int64, error) { return archived(ctx, f, store, id) }
	}
	if client, err := openAlertmanager(c, a.breakers); err == nil && client != nil { // config has checked the URL
		f.Silencer = client
	}
	if c.Page.Enabled() {
		f.Timers.Page = c.Approval.Page
	}
	if c.Approval.Glass {
		f.Approvals.Alone = c.Approval.Page
	}
	if secrets, err := approval.ParseFactors(c.Approval.TOTP); err == nil { // servable has complained otherwise
		f.Codes = approval.NewCodes(a.redis, time.Now, secrets)
	}
	groups := []string{}
	if c.Approval.Group != "" {
		groups = append(groups, c.Approval.Group)
	}
	a.people = a.slack.People(groups...)
	if c.Approval.MemberFor > 0 {
		a.people.Members = &approval.Members{Redis: a.redis, Now: time.Now, Seal: a.seal}
	}
	f.People = a.people
	for name, cl := range clusters {
		f.Pipelines[name] = cl.pipeline()
	}
	f.Painter.View, f.Painter.Journal, f.Painter.Threads, f.Painter.Owner, f.Painter.Log = f.View, f.Journal, f.Incidents, replica, f.Log
	return f
}

func (a *App) commands(clusters map[string]*cluster, bot *slack.Bot) *commands.Router {
	r := &commands.Router{Flow: a.flow, Channel: a.config.Slack.Channel, Timeline: a.flow.Timeline, Sentence: slack.Sentences(a.log.Named("commands")), Now: time.Now, Log: a.log.Named("commands")}
	r.Export = func(ctx context.Context, id, format string) (remediation.File, error) {
		return export(ctx, a.flow, id, format)
	}
	r.Books = func() []*runbook.Book { return a.books.now().list() }
	r.Doctor = a.Doctor
	for _, text := range a.config.Slack.Links {
		l := config.NamedLink(text)
		r.Links = append(r.Links, incident.Link{Title: l.Title, URL: l.URL})
	}
	for _, name := range a.config.Names() {
		cl := clusters[name]
		p := commands.Pipeline{Name: name, Cluster: name, Channel: a.config.Pipelines[name].Channel, Connect: cl.client, Owns: cl.owns}
		if cl.silence.trails != nil {
			p.Lag = cl.silence.trails.lag
		}
		r.Pipelines = append(r.Pipelines, p)
	}
	return r
}

func hostname() string {
	name, err := os.Hostname()
	if err != nil {
		return "replica"
	}
	return name
}

// Addr is where the App listens.
func (a *App) Addr() string { return a.listener.Addr().String() }

// Flow is the corridor, for tests and the demo.
func (a *App) Flow() *remediation.Flow { return a.flow }

// lookAgainEvery is how old the diagnosis of an open incident may grow.
const lookAgainEvery = 15 * time.Second

// reconcileEvery is how often what a crash left behind is looked for.
const reconcileEvery = 5 * time.Second

// Run serves until ctx ends or something that cannot be mended by waiting goes wrong.
func (a *App) Run(ctx context.Context) error {
	defer a.close()
	if err := a.storage(ctx); err != nil {
		return err
	}
	if err := a.flow.NoteChanges(ctx, a.books.now().sums()); err != nil {
		a.log.Warn("not compared with the last start", zap.Error(err))
	}
	stop, err := a.trace()
	if err != nil {
		return err
	}
	defer stop()
	a.log.Info("cdcbot is up", zap.String("version", a.options.Version), zap.String("listen", a.Addr()), zap.Strings("pipelines", a.config.Names()))
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return serve(ctx, a.listener, a.handler) })
	group.Go(func() error { return a.engine.Run(ctx, a.meter.work(a.flow.Work)) })
	group.Go(func() error { return a.flow.Painter.Run(ctx) })
	group.Go(func() error { return a.flow.Reconcile(ctx, reconcileEvery) })
	group.Go(func() error { return a.slack.Run(ctx, asked{a.router, a.meter}, listener{a.flow, a.flow.People}) })
	group.Go(func() error { return a.reload(ctx) })
	group.Go(func() error { return a.settle(ctx) })
	if a.options.Secrets != nil {
		group.Go(func() error { return a.options.Secrets.Run(ctx) })
	}
	if a.people.Members != nil {
		group.Go(func() error { return a.people.Watch(ctx) })
	}
	if a.config.Watch.Enabled {
		group.Go(func() error { return a.watcher.Run(ctx) })
	}
	err = group.Wait()
	a.log.Info("cdcbot is down")
	return err
}

// settled is how long after its start a process has done what it does only once.
const settled = time.Second

// settle gives back what only the start needed.
func (a *App) settle(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return nil
	case <-time.After(settled):
	}
	if _, err := giveBack(); err != nil {
		a.log.Debug("pages of the binary stay in memory", zap.Error(err))
	}
	debug.FreeOSMemory()
	return nil
}

// storage insists on a Redis that keeps what it acknowledges. One that is away is waited for: readiness says so meanwhile.
func (a *App) storage(ctx context.Context) error {
	if a.options.Ephemeral {
		return nil
	}
	ticker := time.NewTicker(2 * time.Second)
	defer ticker.Stop()
	for {
		err := durable(ctx, a.redis)
		if err == nil || errors.Is(err, errNotDurable) {
			return err
		}
		a.log.Warn("waiting for redis", zap.Error(err))
		select {
		case <-ctx.Done():
			return err
		case <-ticker.C:
		}
	}
}

// Ready says what is missing before the bot can do its job, by part; nil errors are what is there.
func (a *App) Ready(ctx context.Context) map[string]error { return a.ready(ctx) }

// ready says what is missing before the bot can do its job.
func (a *App) ready(ctx context.Context) map[string]error {
	return map[string]error{"redis": ping(ctx, a.redis), "slack": a.slack.Ready()}
}

func (a *App) close() {
	if err := a.listener.Close(); err != nil && !errors.Is(err, net.ErrClosed) {
		a.log.Warn("closing the listener", zap.Error(err))
	}
	if a.options.Redis != nil {
		return
	}
	if err := a.redis.Close(); err != nil {
		a.log.Warn("closing redis", zap.Error(err))
	}
}
