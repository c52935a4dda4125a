package slacksim

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"
)

// Said is a message as tests look at it.
type Said struct {
	TS, ThreadTS, User, Text string
	Blocks                   json.RawMessage
	Metadata                 json.RawMessage
	Files                    []string // names
	Words                    string   // text and all texts of the blocks
}

func said(m *message) Said {
	out := Said{TS: m.TS, ThreadTS: m.ThreadTS, User: m.User, Text: m.Text, Blocks: m.Blocks, Metadata: m.Metadata, Words: Words(m.Text, m.Blocks)}
	for _, f := range m.Files {
		out.Files = append(out.Files, f.Name)
	}
	return out
}

// Messages are the messages that stand in a channel itself, oldest first.
func (s *Server) Messages(name string) []Said {
	return s.list(name, func(c *channel) []*message { return c.top() })
}

// Thread is a message with its replies.
func (s *Server) Thread(name, ts string) []Said {
	return s.list(name, func(c *channel) []*message { return c.thread(ts) })
}

func (s *Server) list(name string, choose func(*channel) []*message) []Said {
	s.mu.Lock()
	defer s.mu.Unlock()
	c := s.channel(name)
	if c == nil {
		return nil
	}
	var list []Said
	for _, m := range choose(c) {
		list = append(list, said(m))
	}
	return list
}

// File is the body of an uploaded file by name, the newest when there are several; nil when there is none.
func (s *Server) File(name string) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	var found *file
	for _, f := range s.files {
		if f.Name == name && f.received && (found == nil || f.ID > found.ID) {
			found = f
		}
	}
	if found == nil {
		return nil
	}
	return slices.Clone(found.Body)
}

// Wait waits until cond is true; the error says what was waited for.
func (s *Server) Wait(ctx context.Context, what string, cond func() bool) error {
	ticker := time.NewTicker(10 * time.Millisecond)
	defer ticker.Stop()
	for !cond() {
		select {
		case <-ctx.Done():
			return fmt.Errorf("waiting for %s: %w", what, ctx.Err())
		case <-ticker.C:
		}
	}
	return nil
}

// parts are the interactive elements of blocks, each with its block.
func parts(blocks json.RawMessage) iter.Seq2[map[string]any, map[string]any] {
	var list []map[string]any
	_ = json.Unmarshal(blocks, &list) // no blocks, no parts
	return func(yield func(block, element map[string]any) bool) {
		for _, b := range list {
			for _, e := range elements(b) {
				if !yield(b, e) {
					return
				}
			}
		}
	}
}

// findButton finds a button by action ID or visible text.
func findButton(blocks json.RawMessage, button string) (block, action string) {
	for b, e := range parts(blocks) {
		if e["action_id"] == button || label(e) == button {
			return word(b, "block_id"), word(e, "action_id")
		}
	}
	return "", ""
}

// Buttons are the visible texts of the buttons in blocks.
func Buttons(blocks json.RawMessage) []string {
	var texts []string
	for _, e := range parts(blocks) {
		if e["type"] == "button" {
			texts = append(texts, label(e))
		}
	}
	return texts
}

// Words are all texts of a message in reading order, a line each.
func Words(text string, blocks json.RawMessage) string {
	var v any
	_ = json.Unmarshal(blocks, &v) // no blocks, no words
	lines := []string{text}
	collect(v, &lines)
	return strings.Join(lines, "\n")
}

func collect(v any, lines *[]string) {
	switch x := v.(type) {
	case []any:
		for _, e := range x {
			collect(e, lines)
		}
	case map[string]any:
		for _, key := range []string{"text", "title", "fields", "elements", "accessory", "label", "element", "placeholder", "options", "rows", "tasks", "details", "output"} {
			if t, isText := x[key].(string); isText && (key == "text" || key == "title") {
				*lines = append(*lines, t)
			} else {
				collect(x[key], lines)
			}
		}
	}
}
