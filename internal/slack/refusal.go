package slack

import (
	"errors"
	"fmt"
	"net/http"

	slackapi "github.com/slack-go/slack"
)

// ErrRefused means that Slack will not let the app in until somebody changes its settings or tokens.
var ErrRefused = errors.New("slack refuses the app")

// refusals are the error codes that no retry mends, with what to do. slack-go retries most of them for ever.
var refusals = map[string]string{
	"invalid_auth":            "the token is not valid for this workspace; copy it again",
	"not_authed":              "no token arrived; set it",
	"account_inactive":        "the app or its bot user was removed from the workspace; install it again",
	"token_revoked":           "the token was revoked; create a new one",
	"token_expired":           "the token has expired; create a new one and switch token rotation off",
	"missing_scope":           "a scope is missing; compare the app with deploy/slack/manifest.yaml and install it again",
	"not_allowed_token_type":  "this is the wrong kind of token; app_token begins with xapp- and bot_token with xoxb-",
	"no_permission":           "the token may not do this; the app-level token needs connections:write",
	"org_login_required":      "the workspace is being moved to an organisation; install the app again afterwards",
	"ekm_access_denied":       "the workspace's administrators have suspended access",
	"team_access_not_granted": "the app was not granted access to this workspace; ask its administrators",
	"forbidden_team":          "the app may not be used in this workspace",
	"link_disabled":           "Socket Mode is switched off; switch it on in the app's settings",
	"socket_mode_disabled":    "Socket Mode is switched off; switch it on in the app's settings",
}

// refused returns the error to end with when err is one that no retry mends, nil otherwise. key is the setting that is
// most likely wrong.
func refused(err error, key string) error {
	if err == nil {
		return nil
	}
	code := codeOf(err)
	if advice, known := refusals[code]; known {
		return fmt.Errorf("%w: %s (%s): %s%s", ErrRefused, code, key, advice, needed(err))
	}
	var status slackapi.StatusCodeError
	if errors.As(err, &status) && status.Code == http.StatusNotFound {
		return fmt.Errorf("%w: HTTP 404 (slack.api_url): there is no Slack API at this address", ErrRefused)
	}
	return nil
}

func needed(err error) string {
	var answer slackapi.SlackErrorResponse
	if errors.As(err, &answer) && answer.Needed != "" {
		return "; needed " + answer.Needed
	}
	return ""
}

// codeOf is Slack's error code, "" when err is none of Slack's.
func codeOf(err error) string {
	var answer slackapi.SlackErrorResponse
	if errors.As(err, &answer) {
		return answer.Err
	}
	return ""
}
