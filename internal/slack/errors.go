package slack

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"go.uber.org/zap"

	"cdcbot/internal/action"
	"cdcbot/internal/approval"
	"cdcbot/internal/connect"
	"cdcbot/internal/incident"
	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
	"cdcbot/internal/runbook"
	"cdcbot/internal/timeline"
)

// ErrAway means that Slack cannot be reached or asks to wait; trying again later will do. The error is an *AwayError.
var ErrAway = errors.New("slack is away")

// AwayError says when to try again.
type AwayError struct {
	RetryAt time.Time
	Cause   error
}

// Error implements error.
func (e *AwayError) Error() string {
	return fmt.Sprintf("%v until about %s: %v", ErrAway, e.RetryAt.UTC().Format(time.RFC3339), e.Cause)
}

// Unwrap makes errors.Is find ErrAway and the cause.
func (e *AwayError) Unwrap() []error { return []error{ErrAway, e.Cause} }

// ErrChannel means that the bot may not write where it should; the error says what to mend.
var ErrChannel = errors.New("slack channel is not usable")

const away = "My memory (Redis) is away, so this did not happen. Please try again in a minute."

// knownErrors says, for errors that people can do something about, what to do next. The first that fits is said. An
// empty sentence says the error's own words, which tell which connector, field or rule it is about.
var knownErrors = []struct {
	is  error
	say string
}{
	{remediation.ErrUnavailable, away},
	{approval.ErrUnavailable, away},
	{incident.ErrUnavailable, away},
	{timeline.ErrUnavailable, away},
	{approval.ErrSelf, "You asked for this plan, so somebody else has to approve it. You can withdraw it."},
	{approval.ErrTwice, "You have decided on this already; it needs somebody else now."},
	{approval.ErrExpired, "This request has expired and nothing ran. Press the fix again to ask anew."},
	{approval.ErrNotPending, "This request is no longer waiting; the thread shows what became of it. Your press changed nothing."},
	{remediation.ErrChanged, "The plan is no longer what was asked for, so it will not run. Press the fix again to ask for it as it is now."},
	{approval.ErrDigest, "The plan on your screen is not the one that waits. Open the thread again and look at the newest card."},
	{approval.ErrNotRequester, "Only the person who asked can withdraw this. You can reject it."},
	{approval.ErrNotApproved, "This request is not approved, so nothing can run."},
	{approval.ErrUsed, "This approval was used already; one approval runs a plan once."},
	{remediation.ErrUnderway, "The same plan is approved already and has not ended; its card in the thread shows how far it is."},
	{approval.ErrDuplicate, "The same plan is already waiting for approval in the incident's thread."},
	{remediation.ErrMoved, ""},
	{approval.ErrCodeNeeded, "This plan needs a code of your second factor. Press Approve again and type it."},
	{approval.ErrCode, "This code is wrong, too old, or was used already. Wait for the next one and press Approve again."},
	{approval.ErrNoFactor, "This plan needs a code of a second factor, and none is registered for you (approval.totp). Somebody who has one can approve."},
	{approval.ErrTooMany, "Too many wrong codes. Try again in ten minutes, or let somebody else approve."},
	{approval.ErrRevoked, ""},
	{approval.ErrUsedUp, ""},
	{approval.ErrNever, "Acting alone is switched off here (approval.break_glass). Ask somebody else to approve; reminders and pages go out by themselves."},
	{approval.ErrEarly, "It is too early to act alone: somebody else has been asked and may still answer. The card says when they are paged."},
	{remediation.ErrTyped, ""},
	{remediation.ErrNoReason, "Please say why; the timeline keeps it."},
	{remediation.ErrUnreviewed, "Somebody acted alone in this incident. Somebody else has to press Review on its card first; then it can be closed."},
	{remediation.ErrNoReview, "There is nothing to review in this incident any more."},
	{approval.ErrForged, "This request is not as I wrote it: somebody has changed my memory (Redis) by hand. Nothing runs on its word. Tell whoever looks after the bot, and ask anew."},
	{remediation.ErrForged, "This run is not as I wrote it: somebody has changed my memory (Redis) by hand. Nothing runs on its word. Tell whoever looks after the bot."},
	{approval.ErrPolicy, ""},
	{approval.ErrNotFound, "I do not know this request any more. Open the incident's thread again."},
	{incident.ErrNotFound, "There is no such incident. /cdc incident list shows the open ones."},
	{incident.ErrTransition, "The incident is in another state by now, so this is not possible. Open the thread again."},
	{incident.ErrConflict, "Somebody changed the incident at the same moment. Please press again."},
	{incident.ErrLeaseHeld, "Another run works on this pipeline right now. Wait until it is done, then try again."},
	{incident.ErrLeaseLost, "I lost the lock on this pipeline and stopped. The thread shows how far it went."},
	{timeline.ErrNotFound, "There is no timeline for this incident."},
	{timeline.ErrBroken, "The timeline of this incident does not verify: it was altered outside of me. Do not trust it, and tell the people who run the bot."},
	{remediation.ErrNoPipeline, "No pipeline is configured for this. /cdc status shows those that are."},
	{remediation.ErrNoSection, "The runbook has no such section any more; it was edited. Press Look again for fresh buttons."},
	{remediation.ErrNoRun, "I do not know this run any more. Open the incident's thread again."},
	{remediation.ErrNotWaiting, "This step does not wait for anybody; the thread shows where the run stands."},
	{remediation.ErrOutdated, ""},
	{remediation.ErrNotOpen, ""},
	{remediation.ErrNobody, ""},
	{remediation.ErrEscalated, "The escalation has begun already; the thread shows it."},
	{remediation.ErrNoSilencer, "I know no Alertmanager, so nothing can be silenced; set alertmanager.url."},
	{remediation.ErrNotSilent, "Nothing of this incident is silenced."},
	{remediation.ErrSilence, ""},
	{remediation.ErrNoBackup, "This pipeline has no backup to move to; set pipelines.<name>.failover."},
	{remediation.ErrNoWay, "This run cannot be gone on from in this way any more; the thread shows how it ended."},
	{remediation.ErrRunEnded, "This run has ended already."},
	{remediation.ErrEmptyPlan, "This plan has no steps, so there is nothing to run."},
	{remediation.ErrRefused, ""},
	{runbook.ErrTarget, ""},
	{runbook.ErrInput, ""},
	{action.ErrNotConfigured, ""},
	{remediation.ErrClosed, "This incident is closed. If the fault is back, a new alert opens it again."},
	{connect.ErrRebalancing, "Kafka Connect is rebalancing its workers. This usually takes seconds; please try again."},
	{connect.ErrStarting, "The Kafka Connect worker is still starting. Please try again in a minute."},
	{connect.ErrUnreachable, ""},
	{connect.ErrTimeout, ""},
	{connect.ErrNotFound, ""},
	{connect.ErrInvalidConfig, ""},
	{connect.ErrConflict, ""},
	{connect.ErrUnauthorized, ""},
	{connect.ErrNotStopped, ""},
	{connect.ErrUnsupported, ""},
	{connect.ErrBroken, ""},
	{errForeign, ""},
	{ErrChannel, ""},
	{ErrAway, "Slack did not take this; please try again in a minute."},
	{context.DeadlineExceeded, "This took too long, so I stopped waiting. The thread shows what happened; please try again."},
}

// Sentences returns the one function that turns an error into what a person reads and does next. What it does not know
// is an internal error: the person gets a number to ask with, the log gets the details under that number.
func Sentences(log *zap.Logger) func(error) string {
	return func(err error) string {
		if err == nil {
			return ""
		}
		if _, known := known(err); !known {
			log.Error("internal error", zap.String("number", numberOf(err)), zap.Error(err))
		}
		return sentence(err)
	}
}

func sentence(err error) string {
	if s, ok := known(err); ok {
		return s
	}
	return fmt.Sprintf("Internal error %s. Nothing more is known here; the details are in my log under this number.", numberOf(err))
}

func known(err error) (string, bool) {
	for _, k := range knownErrors {
		if !errors.Is(err, k.is) {
			continue
		}
		if k.say != "" {
			return k.say, true
		}
		return ownWords(err), true
	}
	return "", false
}

// ownWords makes a sentence of an error's text.
func ownWords(err error) string { return capital(cut(line(redact.Text(err.Error())), 600)) }

// capital makes a sentence of words.
func capital(s string) string {
	first, n := utf8.DecodeRuneInString(s)
	if n > 0 {
		s = string(unicode.ToUpper(first)) + s[n:]
	}
	if strings.HasSuffix(s, ".") || strings.HasSuffix(s, "…") || strings.HasSuffix(s, "?") {
		return s
	}
	return s + "."
}

// numberOf is the same for the same error text, so that a hundred people who meet one fault name one number.
func numberOf(err error) string {
	sum := sha256.Sum256([]byte(err.Error()))
	return "E-" + strings.ToUpper(hex.EncodeToString(sum[:3]))
}
