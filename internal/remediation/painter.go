package remediation

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.uber.org/zap"

	"cdcbot/internal/incident"
)

// Painter keeps threads true: a change marks its incident dirty in Redis, and one replica at a time draws the newest view.
// Many changes in a burst are one drawing. A drawing that fails is tried again until it succeeds, also by another replica.
type Painter struct {
	View    func(ctx context.Context, id string) (View, error)
	Room    Room
	Journal *Journal
	Threads *incident.Store
	Owner   string
	Retry   time.Duration // between attempts while the room is away
	Log     *zap.Logger

	mu      sync.Mutex
	wanted  map[string]bool // incidents to draw
	busy    map[string]bool // incidents being drawn by this process
	wake    chan struct{}
	drawing sync.WaitGroup
}

// NewPainter returns a painter that draws into room once Run is called; its other fields are the caller's to set.
func NewPainter(room Room) *Painter {
	return &Painter{Room: room, Retry: 2 * time.Second, wanted: map[string]bool{}, busy: map[string]bool{}, wake: make(chan struct{}, 1)}
}

// Touch asks for a drawing soon; it never waits.
func (p *Painter) Touch(id string) {
	p.mu.Lock()
	p.wanted[id] = true
	p.mu.Unlock()
	select {
	case p.wake <- struct{}{}:
	default:
	}
}

// Run draws until ctx ends and then waits for drawings under way.
func (p *Painter) Run(ctx context.Context) error {
	defer p.drawing.Wait()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-p.wake:
			for _, id := range p.take() {
				p.drawing.Go(func() { p.draw(ctx, id) })
			}
		}
	}
}

// take returns the wanted incidents that nobody here is drawing, and marks them busy.
func (p *Painter) take() []string {
	p.mu.Lock()
	defer p.mu.Unlock()
	var ids []string
	for id := range p.wanted {
		if !p.busy[id] {
			delete(p.wanted, id)
			p.busy[id] = true
			ids = append(ids, id)
		}
	}
	return ids
}

func (p *Painter) draw(ctx context.Context, id string) {
	err := p.paint(ctx, id)
	p.mu.Lock()
	delete(p.busy, id)
	again := p.wanted[id]
	p.mu.Unlock()
	if again {
		p.Touch(id)
	}
	if err == nil || ctx.Err() != nil {
		return
	}
	if !errors.Is(err, incident.ErrLeaseHeld) {
		p.Log.Warn("thread not drawn; trying again", zap.String("incident", id), zap.Duration("in", p.Retry), zap.Error(err))
	}
	timer := time.AfterFunc(p.Retry, func() { p.Touch(id) })
	context.AfterFunc(ctx, func() { timer.Stop() })
}

// paint draws until the thread shows the newest change. The lease keeps replicas from drawing the same thread at once.
func (p *Painter) paint(ctx context.Context, id string) error {
	changed, painted, err := p.Journal.Dirtiness(ctx, id)
	if err != nil || changed <= painted {
		return err
	}
	lease, err := p.Threads.Lease(ctx, "paint:"+id, p.Owner, 30*time.Second)
	if err != nil {
		return fmt.Errorf("drawing %s: %w", id, err)
	}
	defer func() { _ = lease.Release(context.WithoutCancel(ctx)) }() // it runs out by itself when this fails
	for changed > painted {
		if err := p.show(ctx, id); err != nil {
			return err
		}
		if err := p.Journal.Painted(ctx, id, changed); err != nil {
			return err
		}
		if changed, painted, err = p.Journal.Dirtiness(ctx, id); err != nil {
			return err
		}
		if err := lease.Renew(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (p *Painter) show(ctx context.Context, id string) error {
	v, err := p.View(ctx, id)
	if err != nil {
		return err
	}
	thread, err := p.Room.Show(ctx, v)
	if err != nil {
		return fmt.Errorf("drawing %s: %w", id, err)
	}
	if thread == v.Incident.Thread || thread.TS == "" {
		return nil
	}
	_, err = p.Threads.Update(ctx, id, func(i *incident.Incident) error { i.Thread = thread; return nil })
	return err
}

// Thread is where the incident is told; it waits for the first drawing.
func (p *Painter) Thread(ctx context.Context, id string) (incident.Thread, error) {
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	ticker := time.NewTicker(100 * time.Millisecond)
	defer ticker.Stop()
	for {
		inc, err := p.Threads.Get(ctx, id)
		if err != nil || inc.Thread.TS != "" {
			return inc.Thread, err
		}
		select {
		case <-ctx.Done():
			return inc.Thread, fmt.Errorf("waiting for the thread of %s: %w", id, ctx.Err())
		case <-ticker.C:
		}
	}
}

// touch marks a change durably and asks for a drawing.
func (f *Flow) touch(ctx context.Context, id string) error {
	if err := f.Journal.Dirty(ctx, id); err != nil {
		return err
	}
	f.Painter.Touch(id)
	return nil
}
