package slack

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"go.uber.org/zap"
	"go.uber.org/zap/zaptest/observer"

	"cdcbot/internal/approval"
	"cdcbot/internal/connect"
	"cdcbot/internal/incident"
	"cdcbot/internal/remediation"
)

func TestSentences(t *testing.T) {
	core, logs := observer.New(zap.DebugLevel)
	say := Sentences(zap.New(core))
	for _, row := range []struct {
		name string
		err  error
		want string
	}{
		{"self approval", fmt.Errorf("deciding REQ-1: %w", approval.ErrSelf), "somebody else has to approve"},
		{"policy tells why", fmt.Errorf("%w: guests cannot decide", approval.ErrPolicy), "Policy does not allow this person to decide: guests cannot decide."},
		{"no incident", fmt.Errorf("reading INC-9: %w", incident.ErrNotFound), "/cdc incident list"},
		{"changed beats its cause", fmt.Errorf("%w: %w", remediation.ErrChanged, remediation.ErrNoSection), "will not run"},
		{"redis", fmt.Errorf("x: %w", approval.ErrUnavailable), "Redis"},
		{"connect tells where", &connect.Error{Cluster: "warehouse", Connector: "sink", Op: "restart", Kind: connect.ErrUnreachable}, `Restart of connector "sink" on cluster warehouse`},
		{"deadline", fmt.Errorf("x: %w", context.DeadlineExceeded), "too long"},
		{"nothing", nil, ""},
	} {
		if got := say(row.err); !strings.Contains(got, row.want) || (row.want == "" && got != "") {
			t.Errorf("%s: %v is said as %q, want %q", row.name, row.err, got, row.want)
		}
	}
	if logs.Len() != 0 {
		t.Errorf("known errors were logged: %v", logs.All())
	}
	got := say(errors.New("pq: password=hunter2hunter2"))
	if !strings.HasPrefix(got, "Internal error E-") || strings.Contains(got, "hunter2") {
		t.Errorf("unknown error is said as %q", got)
	}
	number := strings.TrimSuffix(strings.Fields(got)[2], ".")
	if logs.Len() != 1 || logs.All()[0].ContextMap()["number"] != number {
		t.Errorf("the log does not know number %s: %v", number, logs.All())
	}
}

func TestEveryKnownErrorHasItsSentence(t *testing.T) {
	for _, k := range knownErrors {
		got := sentence(fmt.Errorf("doing x: %w", k.is))
		if strings.HasPrefix(got, "Internal error") || len(got) < 10 {
			t.Errorf("%v is said as %q", k.is, got)
		}
	}
}
