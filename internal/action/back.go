package action

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Packed is an action as it is kept, so that what would take a step back can be proposed after the step has run.
type Packed struct {
	Kind   string          `json:"kind"`
	Action json.RawMessage `json:"action"`
}

// packable are the actions that can be taken back or take others back, by kind.
var packable = map[string]func(*json.Decoder) (Action, error){
	"connect.configure":     unpack[Configure],
	"connect.pause":         unpack[Transition],
	"connect.resume":        unpack[Transition],
	"connect.stop":          unpack[Transition],
	"connect.alter-offsets": unpack[AlterOffsets],
	"connect.reset-offsets": unpack[AlterOffsets],
	"workload.start":        unpack[Workload],
	"workload.stop":         unpack[Workload],
	"failover":              unpack[Failover],
}

func unpack[A Action](d *json.Decoder) (Action, error) {
	var a A
	err := d.Decode(&a)
	return a, err
}

// Pack makes an action ready to be kept; only those that take others back can be.
func Pack(a Action) (Packed, error) {
	if _, known := packable[a.Kind()]; !known {
		return Packed{}, fmt.Errorf("keeping an action: %q takes nothing back", a.Kind())
	}
	body, err := json.Marshal(a)
	if err != nil {
		return Packed{}, fmt.Errorf("keeping action %q: %w", a.Kind(), err)
	}
	return Packed{Kind: a.Kind(), Action: body}, nil
}

// Unpack is the action that Pack was given.
func (p Packed) Unpack() (Action, error) {
	read, known := packable[p.Kind]
	if !known {
		return nil, fmt.Errorf("action %q takes nothing back", p.Kind)
	}
	decoder := json.NewDecoder(bytes.NewReader(p.Action))
	decoder.UseNumber() // offsets do not fit a float
	decoder.DisallowUnknownFields()
	a, err := read(decoder)
	if err != nil {
		return nil, fmt.Errorf("action %q as it was kept: %w", p.Kind, err)
	}
	if a.Kind() != p.Kind {
		return nil, fmt.Errorf("action %q as it was kept is a %q", p.Kind, a.Kind())
	}
	return a, nil
}

// backWithin bounds how long a step waits to learn how it could be taken back.
const backWithin = 5 * time.Second

// Back is what would take an action back, as the world is before it runs; nil when nothing would, or when the world does
// not tell.
func Back(ctx context.Context, a Action, w World) Action {
	p, can := a.(Previewer)
	if _, known := packable[a.Kind()]; !known || !can {
		return nil
	}
	if c, ok := a.(Configure); ok && c.Back {
		return nil // it takes something back itself
	}
	ctx, cancel := context.WithTimeout(ctx, backWithin)
	defer cancel()
	ahead, err := p.Preview(ctx, w)
	if err != nil {
		return nil
	}
	return ahead.Inverse
}
