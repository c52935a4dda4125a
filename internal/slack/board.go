package slack

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

// BoardOptions say where incidents are told.
type BoardOptions struct {
	Refs    Refs
	Channel func(pipeline string) string // ID or name of the pipeline's channel
	Owner   string                       // names this replica
}

// Board tells incidents in threads: it implements remediation.Room. What a thread should show is declared by a view;
// the board posts what is missing and updates what looks different, in one order per thread, and never twice.
type Board struct {
	bot      *Bot
	options  BoardOptions
	channels *channels
	updates  *gate // chat.update counts for the whole workspace

	mu      sync.Mutex
	threads map[string]*thread
	posts   map[string]*gate // chat.postMessage counts per channel
}

var _ remediation.Room = (*Board)(nil)

const (
	showTime   = 20 * time.Second // a drawing takes at most this long; what is left over is drawn next time
	postEvery  = time.Second      // per channel
	postBurst  = 4
	updateRate = 1500 * time.Millisecond // chat.update is of tier 3: 50 a minute
	updateRush = 10
	editEvery  = 400 * time.Millisecond // between two updates of one message; updateRate bounds them all together
	awayFor    = 2 * time.Second
)

// Board returns the board of this bot.
func (b *Bot) Board(o BoardOptions) *Board {
	return &Board{bot: b, options: o, channels: newChannels(b), updates: newGate(updateRate, updateRush), threads: map[string]*thread{}, posts: map[string]*gate{}}
}

// thread is the drawing of one incident.
type thread struct {
	turn chan struct{} // holds one token: who has it draws

	mu     sync.Mutex
	newest remediation.View
	edited map[string]time.Time // by card
}

func (t *thread) offer(v remediation.View) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if !v.Now.Before(t.newest.Now) {
		t.newest = v
	}
}

func (t *thread) view() remediation.View {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.newest
}

func (b *Board) thread(id string) *thread {
	b.mu.Lock()
	defer b.mu.Unlock()
	t, known := b.threads[id]
	if !known {
		t = &thread{turn: make(chan struct{}, 1), edited: map[string]time.Time{}}
		b.threads[id] = t
	}
	return t
}

// Show implements remediation.Room. While Slack is away it returns an *AwayError.
func (b *Board) Show(ctx context.Context, v remediation.View) (incident.Thread, error) {
	id := v.Incident.ID
	t := b.thread(id)
	t.offer(v)
	select {
	case t.turn <- struct{}{}:
		defer func() { <-t.turn }()
	case <-ctx.Done():
		return v.Incident.Thread, fmt.Errorf("drawing %s: %w", id, ctx.Err())
	}
	limited, cancel := context.WithTimeout(ctx, showTime)
	defer cancel()
	where, err := b.paint(limited, t)
	if err == nil {
		b.forget(id, v.Incident.State)
		return where, nil
	}
	if ctx.Err() == nil && errors.Is(err, context.DeadlineExceeded) {
		err = b.away(err, awayFor)
	}
	return where, fmt.Errorf("drawing %s: %w", id, err)
}

// forget drops what is known of a closed incident's thread; it is drawn again from scratch if it must.
func (b *Board) forget(id string, s incident.State) {
	if s != incident.Closed {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.threads, id)
}

func (b *Board) away(cause error, after time.Duration) error {
	return &AwayError{RetryAt: b.bot.options.Now().Add(after), Cause: cause}
}

// paint posts and updates until the thread shows the newest view. Every card is drawn anew before it is sent, so that
// changes which arrived while it waited for its turn are in it.
func (b *Board) paint(ctx context.Context, t *thread) (incident.Thread, error) {
	where := t.view().Incident.Thread
	for reposts := 0; ; {
		id := t.view().Incident.ID
		refs, err := b.options.Refs.Get(ctx, id)
		if err != nil {
			return where, err
		}
		root := refs[rootCard]
		if root.TS != "" {
			where = incident.Thread{Channel: root.Channel, TS: root.TS}
		}
		c, some := next(cards(t.view()), refs)
		if !some {
			return where, nil
		}
		err = b.put(ctx, t, c, refs)
		if errors.Is(err, errGone) && reposts < 3 {
			reposts++
			err = b.restart(ctx, id, c.key, err)
		}
		if err != nil {
			return where, err
		}
	}
}

// next is the card to send first: the thread's root before everything, then by rank, then in the thread's order.
func next(list []card, refs map[string]Ref) (card, bool) {
	best, some := card{}, false
	for _, c := range list {
		ref := refs[c.key]
		if ref.TS != "" && ref.Hash == c.hash() {
			continue
		}
		if c.key == rootCard && ref.TS == "" {
			return c, true
		}
		if !some || c.rank < best.rank {
			best, some = c, true
		}
	}
	return best, some
}

// errGone means that somebody deleted a message of ours, or the whole thread.
var errGone = errors.New("the message is gone")

// restart forgets a deleted card, so that it is posted again; without its root the whole thread is.
func (b *Board) restart(ctx context.Context, id, key string, cause error) error {
	b.bot.log.Warn("a card was deleted in slack; posting it again", zap.String("incident", id), zap.String("card", key), zap.Error(cause))
	if key == rootCard || errors.Is(cause, errNoThread) {
		return b.options.Refs.Clear(ctx, id)
	}
	return b.options.Refs.Clear(ctx, id, key)
}

// put sends one card: an update when it stands already, a new message otherwise.
func (b *Board) put(ctx context.Context, t *thread, c card, refs map[string]Ref) error {
	ref := refs[c.key]
	if ref.TS == "" {
		return b.post(ctx, t, c, ref, refs[rootCard])
	}
	if err := b.editTurn(ctx, t, c); err != nil {
		return err
	}
	c, some := again(t, c.key)
	if !some || c.hash() == ref.Hash {
		return nil
	}
	err := b.update(ctx, c, ref)
	if err != nil {
		return err
	}
	ref.Hash = c.hash()
	return b.options.Refs.Put(ctx, t.view().Incident.ID, c.key, ref)
}

// editTurn waits until this message may be edited again, and then for the workspace's budget.
func (b *Board) editTurn(ctx context.Context, t *thread, c card) error {
	t.mu.Lock()
	due := t.edited[c.key].Add(editEvery)
	t.mu.Unlock()
	if err := wait(ctx, time.Until(due)); err != nil {
		return err
	}
	if err := b.updates.pass(ctx, c.rank); err != nil {
		return err
	}
	t.mu.Lock()
	t.edited[c.key] = time.Now()
	t.mu.Unlock()
	return nil
}

// again draws a card from the newest view.
func again(t *thread, key string) (card, bool) {
	for _, c := range cards(t.view()) {
		if c.key == key {
			return c, true
		}
	}
	return card{}, false
}

// Attach implements remediation.Room.
func (b *Board) Attach(ctx context.Context, t incident.Thread, f remediation.File) error {
	if t.Channel == "" || t.TS == "" {
		return fmt.Errorf("attaching %s: the incident has no thread yet", f.Name)
	}
	if err := b.gateOf(t.Channel).pass(ctx, rankResult); err != nil {
		return fmt.Errorf("attaching %s: %w", f.Name, err)
	}
	err := b.bot.upload(ctx, t.Channel, t.TS, f)
	b.bot.count("files.upload", err)
	return b.judge(err, b.gateOf(t.Channel))
}

func (b *Board) gateOf(channel string) *gate {
	b.mu.Lock()
	defer b.mu.Unlock()
	g, known := b.posts[channel]
	if !known {
		g = newGate(postEvery, postBurst)
		b.posts[channel] = g
	}
	return g
}
