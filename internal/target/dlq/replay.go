package dlq

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// order is the body of POST /dlq/replay.
type order struct {
	IDs      []string `json:"dlq_ids"`
	Notes    string   `json:"resolution_notes"`
	Strategy string   `json:"retry_strategy"`
}

// outcome is the answer to it, and of GET /dlq/replay/{id}: one shape says replayed_count, the other results.success.
type outcome struct {
	ID       string `json:"replay_id"`
	Status   string `json:"status"`
	Message  string `json:"message"`
	Replayed *int   `json:"replayed_count"`
	Failed   *int   `json:"failed_count"`
	Results  *struct {
		Success int `json:"success"`
		Failed  int `json:"failed"`
		Skipped int `json:"skipped"`
	} `json:"results"`
}

func (o outcome) counts() (replayed, failed int) {
	if o.Results != nil {
		return o.Results.Success, o.Results.Failed
	}
	if o.Replayed != nil {
		replayed = *o.Replayed
	}
	if o.Failed != nil {
		failed = *o.Failed
	}
	return replayed, failed
}

// ended are the statuses after which nothing happens any more.
var ended = []string{"completed", "partially_completed", "failed", "succeeded", "cancelled", "canceled"}

// Replay asks for records to be applied again, in batches of at most 1,000 IDs, and waits for the outcome: replayed and
// failed are both counts over all batches. With an error they are what had happened before it. A batch that holds an ID
// which is unknown or resolved already is refused whole by the API. strategy is "immediate" (also when empty), "batch" or
// "scheduled"; a scheduled replay that is answered later is not waited for. Errors of the way there are *Error.
func (c *Client) Replay(ctx context.Context, ids []string, notes, strategy string) (replayed, failed int, message string, err error) {
	if strategy == "" {
		strategy = strategies[0]
	}
	if err := known("retry_strategy", strategy, strategies); err != nil {
		return 0, 0, "", err
	}
	list, err := distinct(ids)
	if err != nil {
		return 0, 0, "", err
	}
	var said []string
	batches := slices.Collect(slices.Chunk(list, pageSize))
	for i, batch := range batches {
		o, err := c.replay(ctx, order{batch, notes, strategy})
		good, bad := o.counts()
		replayed, failed = replayed+good, failed+bad
		if text := o.text(); text != "" && !slices.Contains(said, text) {
			said = append(said, text)
		}
		if err != nil && len(batches) > 1 {
			err = fmt.Errorf("batch %d of %d: %w", i+1, len(batches), err)
		}
		if err != nil {
			return replayed, failed, strings.Join(said, "; "), err
		}
	}
	return replayed, failed, strings.Join(said, "; "), nil
}

// distinct refuses what the API would not understand, and names every ID once.
func distinct(ids []string) ([]string, error) {
	if len(ids) == 0 {
		return nil, errors.New("dlq_ids: empty; expected the IDs of records of the dead-letter queue")
	}
	seen := map[string]bool{}
	var list []string
	for i, id := range ids {
		if strings.TrimSpace(id) == "" {
			return nil, fmt.Errorf("dlq_ids[%d]: empty; expected the ID of a record of the dead-letter queue", i)
		}
		if !seen[id] {
			list = append(list, id)
		}
		seen[id] = true
	}
	return list, nil
}

// replay sends one batch and returns its outcome.
func (c *Client) replay(ctx context.Context, o order) (outcome, error) {
	what := fmt.Sprintf("replay of %d records", len(o.IDs))
	var answer outcome
	status, err := c.do(ctx, what, http.MethodPost, "/dlq/replay", o, &answer)
	switch {
	case err != nil:
		return outcome{}, err
	case status == http.StatusAccepted && answer.ID != "" && o.Strategy == "scheduled":
		answer.Message = strings.TrimSpace(fmt.Sprintf("replay %s is scheduled. %s", answer.ID, answer.Message))
		return answer, nil
	case status == http.StatusAccepted && answer.ID != "":
		return c.follow(ctx, what, answer)
	case answer.Replayed == nil:
		return outcome{}, c.strange(what, status, "neither replayed_count nor replay_id; whether anything was replayed is not known")
	}
	return answer, nil
}

// follow asks for the outcome of a replay that was accepted until it has ended. That it cannot be asked for a moment does
// not end the wait: the replay goes on by itself.
func (c *Client) follow(ctx context.Context, what string, o outcome) (outcome, error) {
	ctx, cancel := context.WithTimeout(ctx, c.options.Wait)
	defer cancel()
	path := "/dlq/replay/" + url.PathEscape(o.ID)
	var last error
	for pause := 100 * time.Millisecond; ; pause = min(pause*3/2, 5*time.Second) {
		timer := time.NewTimer(pause)
		select {
		case <-timer.C:
		case <-ctx.Done():
			timer.Stop()
			return o, c.unfinished(ctx, what, o, last)
		}
		now := outcome{}
		_, err := c.do(ctx, what, http.MethodGet, path, nil, &now)
		if err != nil {
			var e *Error
			if ctx.Err() == nil && (!errors.As(err, &e) || !e.passing()) {
				return o, err
			}
			last = err
			continue
		}
		now.ID, last = o.ID, nil
		if o = now; slices.Contains(ended, strings.ToLower(o.Status)) {
			return o, c.judge(what, o)
		}
	}
}

// judge finds a replay that ended without doing anything.
func (c *Client) judge(what string, o outcome) error {
	replayed, failed := o.counts()
	status := strings.ToLower(o.Status)
	if replayed+failed > 0 || status == "completed" || status == "succeeded" {
		return nil
	}
	text := fmt.Sprintf("ended replay %s as %s without having replayed anything", o.ID, status)
	if o.Message != "" {
		text += ": " + cut(o.Message, 300)
	}
	return &Error{Address: c.host, What: what, Status: http.StatusOK, reason: Broken, text: text}
}

// unfinished is a replay whose end was not seen. It goes on without us.
func (c *Client) unfinished(ctx context.Context, what string, o outcome, last error) error {
	replayed, failed := o.counts()
	status := o.Status
	if status == "" {
		status = "accepted"
	}
	text := fmt.Sprintf("has not ended replay %s in time (%s, %d replayed, %d failed so far); it goes on, see GET %s/dlq/replay/%s", o.ID, status, replayed, failed, c.prefix, url.PathEscape(o.ID))
	var e *Error
	if errors.As(last, &e) {
		text += "; last it " + e.text
	}
	return &Error{Address: c.host, What: what, reason: Timeout, text: text, cause: ctx.Err()}
}

// text is what an outcome says for people.
func (o outcome) text() string {
	text := cut(strings.TrimSpace(o.Message), 300)
	if o.Results != nil && o.Results.Skipped > 0 {
		text = strings.TrimPrefix(fmt.Sprintf("%s; %d skipped", text, o.Results.Skipped), "; ")
	}
	return text
}

// decode reads an answer's JSON.
func decode(body []byte, into any) error {
	if err := json.Unmarshal(body, into); err != nil {
		return errors.New("no JSON of the expected shape")
	}
	return nil
}
