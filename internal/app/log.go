package app

import (
	"context"
	"fmt"

	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"cdcbot/internal/config"
	"cdcbot/internal/remediation"
	"cdcbot/internal/slack"
	"cdcbot/internal/timeline"
)

// Logger makes the process's logger; it writes to standard error.
func Logger(c config.Log) (*zap.Logger, error) {
	z := zap.NewProductionConfig()
	if c.Format == "console" {
		z = zap.NewDevelopmentConfig()
		z.DisableCaller = true
	}
	level, err := zapcore.ParseLevel(c.Level)
	if err != nil {
		return nil, fmt.Errorf("log.level: %w", err)
	}
	z.Level = zap.NewAtomicLevelAt(level)
	z.DisableStacktrace = true
	return z.Build()
}

// listener writes what people say in an incident's thread to its timeline.
type listener struct {
	flow   *remediation.Flow
	people remediation.People
}

// Message implements slack.Listener.
func (l listener) Message(ctx context.Context, m slack.ThreadMessage) error {
	by := remediation.Person{ID: m.User.ID, Name: m.User.Name}
	if who, err := l.people.Person(ctx, m.User.ID); err == nil && who.Name != "" {
		by.Name = who.Name
	}
	kind, ok := map[slack.Change]timeline.Type{slack.Posted: timeline.MessagePosted, slack.Edited: timeline.MessageEdited, slack.Deleted: timeline.MessageDeleted,
		slack.Pinned: timeline.MessagePinned, slack.Unpinned: timeline.MessageUnpinned, slack.Reacted: timeline.MessageReacted}[m.Change]
	if !ok {
		return nil
	}
	data := map[string]any{"ts": m.TS, "before": m.Before}
	text := m.Text
	switch m.Change {
	case slack.Pinned:
		text = by.Name + " pins: " + m.Text
	case slack.Unpinned:
		text = by.Name + " unpins: " + m.Text
	case slack.Reacted:
		text, data["emoji"] = fmt.Sprintf("%s reacts with :%s: to: %s", by.Name, m.Emoji, m.Text), m.Emoji
	}
	return l.flow.Said(ctx, m.Incident, kind, by, m.Key, text, data)
}
