package slack

import (
	"context"
	"strings"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/commands"
	"cdcbot/internal/incident"
)

const (
	commandTime  = 2 * time.Minute // a command may take this long
	progressTime = time.Second     // after this a person is told that work goes on
	hearTime     = 30 * time.Second
)

// handle does one order, once. It runs in the order's lane, and finishes although the bot is told to stop.
func (b *Bot) handle(ctx context.Context, o order) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), commandTime)
	defer cancel()
	if !b.begin(ctx, o) {
		return
	}
	defer b.done(ctx, o)
	if o.problem != "" {
		b.answer(ctx, o, commands.Reply{Error: true, Text: o.problem}, false)
		return
	}
	if !b.complete(ctx, &o) {
		return
	}
	reply, told := b.work(ctx, o)
	b.answer(ctx, o, reply, told)
}

// begin reports whether nobody has handled the order. When the shared memory is away the order is handled: a person
// waits, and every change is guarded by its own store.
func (b *Bot) begin(ctx context.Context, o order) bool {
	standing, err := b.options.Seen.Begin(ctx, o.seen)
	if err != nil {
		b.log.Warn("cannot tell whether an envelope was handled; handling it", zap.String("key", o.seen), zap.Error(err))
		return true
	}
	if standing != Fresh {
		b.metrics.dropped.WithLabelValues("duplicate").Inc()
	}
	return standing == Fresh
}

func (b *Bot) done(ctx context.Context, o order) {
	if err := b.options.Seen.Done(ctx, o.seen); err != nil {
		b.log.Warn("an envelope may be handled twice", zap.String("key", o.seen), zap.Error(err))
	}
}

// complete fills in what the payload did not tell: the person's name, and the incident of a thread.
func (b *Bot) complete(ctx context.Context, o *order) bool {
	c := o.command
	if c.Verb == commands.VerbGreet {
		return b.newHere(ctx, c.Channel)
	}
	c.User.Name = b.nameOf(ctx, c.User)
	if c.Verb != commands.VerbNote || c.Incident != "" {
		return true
	}
	id, err := b.incidentOf(ctx, c.Channel, c.Thread)
	if err == nil && id != "" {
		c.Incident = id
		return true
	}
	text := "This message is not in the thread of an incident. Say /cdc incident note <ID> <text> instead."
	if err != nil {
		b.log.Error("incident of a thread unknown", zap.Error(err))
		text = sentence(err)
	}
	b.answer(ctx, *o, commands.Reply{Error: true, Text: text}, false)
	return false
}

// newHere reports whether the bot has never said hello in a channel. When nobody knows, it stays silent.
func (b *Bot) newHere(ctx context.Context, channel string) bool {
	if b.options.Threads == nil {
		return false
	}
	fresh, err := b.options.Threads.Greet(ctx, channel)
	if err != nil {
		b.log.Warn("no hello, because it is not known whether there was one", zap.String("channel", channel), zap.Error(err))
	}
	return fresh && err == nil
}

func (b *Bot) incidentOf(ctx context.Context, channel, thread string) (string, error) {
	if b.options.Threads == nil || thread == "" {
		return "", nil
	}
	return b.options.Threads.Incident(ctx, channel, thread)
}

// A thread is seen before the bot has written down whose it is. What people say in one that is this young waits a moment,
// or it would be taken for talk about something else.
const (
	youngThread = 30 * time.Second
	soon        = 2 * time.Second // within Slack's three
)

func (b *Bot) incidentSoon(ctx context.Context, m ThreadMessage) (string, error) {
	until := time.Now().Add(soon)
	for {
		id, err := b.incidentOf(ctx, m.Channel, m.Thread)
		if err != nil || id != "" || m.Thread == "" || m.At.Sub(moment(m.Thread)) > youngThread || time.Now().After(until) {
			return id, err
		}
		if err := wait(ctx, soon/20); err != nil {
			return "", err
		}
	}
}

// nameOf is the name to show. What the payload says is enough; events tell only the ID.
func (b *Bot) nameOf(ctx context.Context, u commands.User) string {
	if u.Name != "" {
		return u.Name
	}
	if p, err := b.people.Person(ctx, u.ID); err == nil && p.Name != "" {
		return p.Name
	}
	return u.ID
}

// work asks for the reply and, when it takes long, tells the person that it does.
func (b *Bot) work(ctx context.Context, o order) (reply commands.Reply, told bool) {
	ready := make(chan commands.Reply, 1)
	go func() { ready <- b.safely(ctx, *o.command) }()
	timer := time.NewTimer(progressTime)
	defer timer.Stop()
	select {
	case reply = <-ready:
		return reply, false
	case <-timer.C:
	}
	if o.place.Slash {
		told = b.say(ctx, o.place, says{text: "Working on it…"}) == nil
	}
	return <-ready, told
}

// safely turns a panic into an answer: the person must not be left waiting.
func (b *Bot) safely(ctx context.Context, c commands.Command) (reply commands.Reply) {
	defer func() {
		if p := recover(); p != nil {
			b.log.Error("a command panicked", zap.Any("panic", p), zap.String("verb", string(c.Verb)), zap.Stack("stack"))
			reply = commands.Reply{Error: true, Text: "Something went wrong inside me; the details are in my log. Look at the thread before you try again."}
		}
	}()
	return b.ask.Do(ctx, c)
}

// busy tells a person that too much waits already.
func (b *Bot) busy(ctx context.Context, o order) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), lookupTimeout)
	defer cancel()
	_ = b.say(ctx, o.place, says{text: "Too much is waiting here already, so I did not take this one. Please try again in a moment."}) // logged by say
}

// hear passes a person's message on and calls kept once it is durable. Without kept Slack delivers it again.
func (b *Bot) hear(ctx context.Context, o order, kept func()) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), hearTime)
	defer cancel()
	standing, err := b.options.Seen.Begin(ctx, o.seen)
	if err != nil {
		b.log.Warn("a message is not kept yet; slack will deliver it again", zap.String("key", o.seen), zap.Error(err))
		return
	}
	switch standing {
	case Handled:
		b.metrics.dropped.WithLabelValues("duplicate").Inc()
		kept()
		return
	case UnderWay:
		b.metrics.dropped.WithLabelValues("duplicate").Inc()
		return // whoever handles it may fail; slack's next retry finds out
	}
	if err := b.keep(ctx, *o.said); err != nil {
		b.log.Warn("a message is not kept yet; slack will deliver it again", zap.String("key", o.seen), zap.Error(err))
		if err := b.options.Seen.Forget(ctx, o.seen); err != nil {
			b.log.Warn("a retry may be taken for a duplicate", zap.String("key", o.seen), zap.Error(err))
		}
		return
	}
	b.done(ctx, o)
	kept()
}

func (b *Bot) keep(ctx context.Context, m ThreadMessage) error {
	if b.listen == nil || !b.records(m.Change) {
		return nil
	}
	if m.Change == Reacted {
		if err := b.locate(ctx, &m); err != nil {
			return err
		}
	}
	id, err := b.incidentSoon(ctx, m)
	if err != nil || id == "" {
		return err
	}
	m.Incident = id
	m.User.Name = b.nameOf(ctx, m.User)
	if err := b.listen.Message(ctx, m); err != nil {
		return err
	}
	if m.Change == Reacted {
		b.actOn(ctx, m)
	}
	return nil
}

// answer says the reply where the person asked.
func (b *Bot) answer(ctx context.Context, o order, r commands.Reply, told bool) {
	if r.Ask != nil || r.Plan != nil {
		b.open(ctx, o, r)
		return
	}
	if r.File != nil {
		r = b.deliverFile(ctx, o, r)
	}
	if o.place.Home {
		b.homes.watch(o.place.User, b.options.Now())
		b.atHome(ctx, o, r)
		return
	}
	s := b.draw(ctx, r)
	s.replace = told
	_ = b.say(ctx, o.place, s) // logged by say
}

// deliverFile uploads into the thread of the button's incident, else to the asker alone.
func (b *Bot) deliverFile(ctx context.Context, o order, r commands.Reply) commands.Reply {
	if r.File.Spool != nil {
		defer func() { _ = r.File.Spool.Close() }() // it was only read
	}
	channel, thread, where := o.command.Channel, o.command.Thread, "It is in the thread."
	if where, ok := b.threadOf(ctx, o.command.Incident); ok {
		channel, thread = where.Channel, where.TS
	}
	if o.command.Incident == "" || thread == "" {
		direct, err := b.direct(ctx, o.place.User.ID)
		if err != nil {
			b.log.Error("no direct conversation to send a file to", zap.String("user", o.place.User.ID), zap.Error(err))
			return commands.Reply{Error: true, Text: "The file is made, but I could not send it to you: " + sentence(err)}
		}
		channel, thread, where = direct, "", "I sent it to you as a direct message."
	}
	err := b.patiently(ctx, "files.upload", func() error { return b.upload(ctx, channel, thread, *r.File) })
	if err != nil {
		b.log.Error("uploading a file", zap.String("file", r.File.Name), zap.Error(err))
		return commands.Reply{Error: true, Text: "The file is made, but Slack did not take it: " + sentence(err)}
	}
	r.Text = strings.TrimSpace(r.Text + " " + where)
	return r
}

// threadOf is where an incident is told.
func (b *Bot) threadOf(ctx context.Context, id string) (incident.Thread, bool) {
	if b.options.Threads == nil || id == "" {
		return incident.Thread{}, false
	}
	t, err := b.options.Threads.Thread(ctx, id)
	return t, err == nil && t.TS != ""
}
