// Package alertmanager silences alerts while people work on them, through Alertmanager's API v2
// (github.com/prometheus/alertmanager, api/v2/openapi.yaml). A silence names its author, its reason and its end.
package alertmanager

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"cdcbot/internal/target/web"
)

// Options say which Alertmanager is asked, and which label of its alerts names the connector.
type Options struct {
	Web       web.Options
	Connector string // "connector" when empty
}

// Client asks one Alertmanager; members of a cluster of them tell each other.
type Client struct {
	web       *web.Client
	connector string
}

// New checks the options; it does not connect.
func New(o Options) (*Client, error) {
	if o.Web.Name == "" {
		o.Web.Name = "Alertmanager"
	}
	if o.Connector == "" {
		o.Connector = "connector"
	}
	client, err := web.New(o.Web)
	if err != nil {
		return nil, err
	}
	return &Client{web: client, connector: o.Connector}, nil
}

// matcher is one condition of a silence; a regular expression is anchored by Alertmanager.
type matcher struct {
	Name    string `json:"name"`
	Value   string `json:"value"`
	IsRegex bool   `json:"isRegex"`
	IsEqual bool   `json:"isEqual"`
}

type silence struct {
	Matchers  []matcher `json:"matchers"`
	StartsAt  time.Time `json:"startsAt"`
	EndsAt    time.Time `json:"endsAt"`
	CreatedBy string    `json:"createdBy"`
	Comment   string    `json:"comment"`
}

// Silence keeps an alert from being told until a time, for these connectors alone, or for all when there are none. It
// returns the silence's ID. by and comment must not be empty: Alertmanager wants both.
func (c *Client) Silence(ctx context.Context, alert string, connectors []string, from, until time.Time, by, comment string) (id string, err error) {
	s := silence{Matchers: []matcher{{Name: "alertname", Value: alert, IsEqual: true}}, StartsAt: from, EndsAt: until, CreatedBy: by, Comment: comment}
	if len(connectors) > 0 {
		s.Matchers = append(s.Matchers, matcher{Name: c.connector, Value: oneOf(connectors), IsRegex: true, IsEqual: true})
	}
	status, body, err := c.web.Send(ctx, http.MethodPost, "/api/v2/silences", s)
	if err != nil {
		return "", err
	}
	if status != http.StatusOK {
		return "", c.refused("to silence "+alert, status, body)
	}
	var answer struct {
		ID string `json:"silenceID"`
	}
	if err := json.Unmarshal(body, &answer); err != nil || answer.ID == "" {
		return "", fmt.Errorf("Alertmanager at %s: the answer names no silence; expected that of its API v2 (/api/v2/silences)", c.web.Address())
	}
	return answer.ID, nil
}

// Expire ends a silence now. One that has ended, or is not known any more, is no error.
func (c *Client) Expire(ctx context.Context, id string) error {
	status, body, err := c.web.Send(ctx, http.MethodDelete, "/api/v2/silence/"+url.PathEscape(id), nil)
	switch {
	case err != nil:
		return err
	case status == http.StatusOK, status == http.StatusNotFound:
		return nil
	case strings.Contains(string(body), "already expired"), strings.Contains(string(body), "not found"): // 0.25 says so with 500
		return nil
	}
	return c.refused("to end the silence "+id, status, body)
}

// Probe tells for people whether the Alertmanager answers.
func (c *Client) Probe(ctx context.Context) (string, error) {
	return c.web.Probe("/-/ready", nil)(ctx)
}

func oneOf(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = regexp.QuoteMeta(n)
	}
	return strings.Join(quoted, "|")
}

func (c *Client) refused(what string, status int, body []byte) error {
	said := strings.Trim(strings.TrimSpace(string(body[:min(len(body), 300)])), `"`)
	if said == "" {
		said = http.StatusText(status)
	}
	return fmt.Errorf("Alertmanager at %s refuses %s: HTTP %d: %s", c.web.Address(), what, status, said)
}
