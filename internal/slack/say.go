package slack

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"

	"cdcbot/internal/redact"
	"cdcbot/internal/remediation"
)

// says is a personal answer, drawn.
type says struct {
	text string // plain; what clients without blocks show
	drawing
	replace bool // it takes the place of "Working on it…"
}

// say answers one person alone: through the response URL, which works in channels that the bot is not in, else by an
// ephemeral message, else by a direct one. It logs what it could not say.
func (b *Bot) say(ctx context.Context, at place, s says) error {
	s.text = escape(cut(redact.Text(s.text), longestText))
	send := func(blocks []slackapi.Block) error {
		s.blocks = blocks
		if at.Aloud {
			return b.aloud(ctx, at.Channel, s)
		}
		return b.privately(ctx, at, s)
	}
	err := b.present(ctx, s.drawing, send)
	if refusesBlocks(err) { // a fault of ours; the words are better than nothing
		b.log.Error("slack does not take the blocks of an answer; it is shown as plain text", zap.String("code", codeOf(err)), zap.Strings("why", complaints(err)))
		err = send(nil)
	}
	result := "ok"
	if err != nil {
		result = "error"
		b.log.Error("an answer did not reach its reader", zap.String("user", at.User.ID), zap.String("channel", at.Channel), zap.Error(err))
	}
	b.metrics.posts.WithLabelValues("answer", result).Inc()
	return err
}

func (b *Bot) privately(ctx context.Context, at place, s says) error {
	err := errNoURL
	if at.ResponseURL != "" {
		err = b.respond(ctx, at, s)
	}
	if err != nil && !refusesBlocks(err) {
		err = b.whisper(ctx, at, s)
	}
	if code := codeOf(err); err != nil && (at.Channel == "" || code == "not_in_channel" || code == "channel_not_found" || code == "user_not_in_channel") {
		err = b.message(ctx, at.User.ID, s)
	}
	return err
}

var errNoURL = errors.New("no response url")

// response is the body of a response URL; it may be used five times within half an hour.
type response struct {
	Type     string           `json:"response_type"`
	Text     string           `json:"text"`
	Blocks   []slackapi.Block `json:"blocks,omitempty"`
	Replace  bool             `json:"replace_original"`
	ThreadTS string           `json:"thread_ts,omitempty"`
}

func (b *Bot) respond(ctx context.Context, at place, s says) error {
	body, err := json.Marshal(response{Type: "ephemeral", Text: s.text, Blocks: s.blocks, Replace: s.replace && at.Slash, ThreadTS: at.Thread})
	if err != nil {
		return fmt.Errorf("encoding an answer: %w", err)
	}
	for attempt := 0; ; attempt++ {
		after, err := b.postURL(ctx, at.ResponseURL, body)
		if err == nil || after == 0 || attempt == 2 {
			return err
		}
		b.metrics.retries.WithLabelValues("response_url").Inc()
		if err := wait(ctx, after); err != nil {
			return err
		}
	}
}

// postURL sends to a response URL; after says when to try again, 0 never.
func (b *Bot) postURL(ctx context.Context, url string, body []byte) (after time.Duration, err error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
	if err != nil {
		return 0, fmt.Errorf("answering: %w", err)
	}
	request.Header.Set("Content-Type", "application/json; charset=utf-8")
	answer, err := b.http.Do(request)
	if err != nil {
		return time.Second, errors.New("answering: slack's response url does not answer") // the error would tell the secret URL
	}
	defer func() { _ = answer.Body.Close() }() // it was read
	text, _ := io.ReadAll(io.LimitReader(answer.Body, 4096))
	if answer.StatusCode == http.StatusTooManyRequests {
		return retryAfter(answer.Header), fmt.Errorf("answering: HTTP 429")
	}
	if err := refusal(text); err != nil {
		return 0, fmt.Errorf("answering: HTTP %d: %w", answer.StatusCode, err)
	}
	if answer.StatusCode != http.StatusOK || bytes.Contains(text, []byte(`"ok":false`)) {
		return 0, fmt.Errorf("answering: HTTP %d: %s", answer.StatusCode, cut(line(string(text)), 300))
	}
	return 0, nil
}

func retryAfter(h http.Header) time.Duration {
	if d, err := time.ParseDuration(h.Get("Retry-After") + "s"); err == nil && d > 0 {
		return min(d, 30*time.Second)
	}
	return time.Second
}

// whisper posts an ephemeral message in the channel or thread.
func (b *Bot) whisper(ctx context.Context, at place, s says) error {
	if at.Channel == "" {
		return fmt.Errorf("answering %s: no channel", at.User.ID)
	}
	options := []slackapi.MsgOption{slackapi.MsgOptionText(s.text, false)}
	if len(s.blocks) > 0 {
		options = append(options, slackapi.MsgOptionBlocks(s.blocks...))
	}
	if at.Thread != "" {
		options = append(options, slackapi.MsgOptionTS(at.Thread))
	}
	err := b.patiently(ctx, "chat.postEphemeral", func() error {
		_, err := b.api.PostEphemeralContext(ctx, at.Channel, at.User.ID, options...)
		return err
	})
	if err != nil {
		return fmt.Errorf("posting to %s for %s alone: %w", at.Channel, at.User.ID, err)
	}
	return nil
}

// message writes to one person in their direct conversation with the bot, where nothing else reaches them.
func (b *Bot) message(ctx context.Context, user string, s says) error {
	channel, err := b.direct(ctx, user)
	if err != nil {
		return err
	}
	return b.aloud(ctx, channel, s)
}

// aloud writes to everybody in a channel.
func (b *Bot) aloud(ctx context.Context, channel string, s says) error {
	options := []slackapi.MsgOption{slackapi.MsgOptionText(s.text, false), slackapi.MsgOptionDisableLinkUnfurl(), slackapi.MsgOptionDisableMediaUnfurl()}
	if len(s.blocks) > 0 {
		options = append(options, slackapi.MsgOptionBlocks(s.blocks...))
	}
	err := b.patiently(ctx, "chat.postMessage", func() error {
		_, _, err := b.api.PostMessageContext(ctx, channel, options...)
		return err
	})
	if err != nil {
		return fmt.Errorf("posting to %s: %w", channel, err)
	}
	return nil
}

// direct opens the conversation with one person.
func (b *Bot) direct(ctx context.Context, user string) (string, error) {
	var id string
	err := b.patiently(ctx, "conversations.open", func() error {
		channel, _, _, err := b.api.OpenConversationContext(ctx, &slackapi.OpenConversationParameters{Users: []string{user}, ReturnIM: true})
		if err == nil {
			id = channel.ID
		}
		return err
	})
	if err != nil {
		return "", fmt.Errorf("opening a direct conversation with %s: %w", user, err)
	}
	return id, nil
}

// patiently waits as long as Slack says when it answers 429, and tries again, three times in all.
func (b *Bot) patiently(ctx context.Context, method string, call func() error) error {
	for attempt := 0; ; attempt++ {
		err := call()
		b.count(method, err)
		var limited *slackapi.RateLimitedError
		if !errors.As(err, &limited) || attempt == 2 {
			return err
		}
		if err := wait(ctx, min(max(limited.RetryAfter, time.Second), 30*time.Second)); err != nil {
			return err
		}
	}
}

// upload shares a file, the three calls of Slack's second upload protocol.
func (b *Bot) upload(ctx context.Context, channel, thread string, f remediation.File) error {
	body, size, err := content(f)
	if err != nil || size == 0 {
		return errors.Join(err, fmt.Errorf("uploading %s: the file is empty", f.Name))
	}
	_, err = b.api.UploadFileContext(ctx, slackapi.UploadFileParameters{
		Reader: body, FileSize: size, Filename: f.Name, Title: cut(line(f.Title), 200),
		InitialComment: escape(cut(line(redact.Text(f.Comment)), 1000)), Channel: channel, ThreadTimestamp: thread, AltTxt: cut(line(f.Alt), 1000),
	})
	if err != nil {
		return fmt.Errorf("uploading %s: %w", f.Name, err)
	}
	return nil
}

// content is a file's bytes from the first one, and how many they are.
func content(f remediation.File) (io.Reader, int, error) {
	if f.Spool == nil {
		return bytes.NewReader(f.Body), len(f.Body), nil
	}
	info, err := f.Spool.Stat()
	if err != nil {
		return nil, 0, fmt.Errorf("reading %s: %w", f.Name, err)
	}
	return io.NewSectionReader(f.Spool, 0, info.Size()), int(info.Size()), nil
}

// wait returns after d, or earlier with the error of ctx.
func wait(ctx context.Context, d time.Duration) error {
	if d <= 0 {
		return ctx.Err()
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
