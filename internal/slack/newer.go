package slack

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
	slackapi "github.com/slack-go/slack"
	"go.uber.org/zap"
)

// Tables, charts and plans are blocks of messages that Slack has brought out one by one since 2025, and not to every
// workspace at once. Messages use them until Slack refuses one; from then on everything is drawn with blocks that have
// always been there, in this workspace and by every replica.

// Kinds remembers which kinds of newer blocks the workspace does not take.
type Kinds interface {
	// Refused returns them, none when Slack has refused none.
	Refused(ctx context.Context) ([]string, error)
	// Refuse adds kinds.
	Refuse(ctx context.Context, kinds ...string) error
}

// RedisKinds keeps them in Redis: the set cdcbot:slack:refused.
type RedisKinds struct {
	Redis redis.UniversalClient
}

const refusedKey = "cdcbot:slack:refused"

// refusedFor is how long Slack is not asked again; new blocks reach a workspace within weeks.
const refusedFor = 30 * 24 * time.Hour

// Refused implements Kinds.
func (k RedisKinds) Refused(ctx context.Context) ([]string, error) {
	list, err := k.Redis.SMembers(ctx, refusedKey).Result()
	if err != nil {
		return nil, fmt.Errorf("reading which blocks slack does not take: %w", err)
	}
	return list, nil
}

// Refuse implements Kinds.
func (k RedisKinds) Refuse(ctx context.Context, kinds ...string) error {
	_, err := k.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.SAdd(ctx, refusedKey, kinds)
		p.Expire(ctx, refusedKey, refusedFor)
		return nil
	})
	if err != nil {
		return fmt.Errorf("remembering that slack does not take %v: %w", kinds, err)
	}
	return nil
}

// newerKinds are the blocks that a workspace may not take yet.
var newerKinds = []string{string(slackapi.MBTTable), string(slackapi.MBTDataVisualization), string(slackapi.MBTPlan)}

// kinds are those of the newer blocks in a drawing.
func (d drawing) kinds() []string {
	var list []string
	for _, b := range d.blocks {
		if k := string(b.BlockType()); slices.Contains(newerKinds, k) {
			list = append(list, k)
		}
	}
	return list
}

// present sends a drawing: with newer blocks unless the workspace is known not to take them, and without when Slack
// refuses them now, which is remembered.
func (b *Bot) present(ctx context.Context, d drawing, send func([]slackapi.Block) error) error {
	if d.plain == nil {
		return send(d.blocks)
	}
	if b.mustBePlain(ctx, d) {
		return send(d.plain)
	}
	refusal := send(d.blocks)
	if !refusesBlocks(refusal) {
		return refusal
	}
	if err := send(d.plain); err != nil {
		return err // it was not the newer blocks
	}
	b.learn(ctx, d, refusal)
	return nil
}

func (b *Bot) mustBePlain(ctx context.Context, d drawing) bool {
	if b.options.Plain {
		return true
	}
	if b.options.Kinds == nil {
		return false
	}
	refused, err := b.options.Kinds.Refused(ctx)
	if err != nil {
		b.log.Warn("not known which blocks slack takes; trying the newer ones", zap.Error(err))
	}
	return slices.ContainsFunc(d.kinds(), func(kind string) bool { return slices.Contains(refused, kind) })
}

// learn remembers what a refusal was about: the block whose type it points at, or every newer one when it points nowhere.
// One that points inside a block says that this message was wrong, not that the workspace lacks the block.
func (b *Bot) learn(ctx context.Context, d drawing, refusal error) {
	kinds := pointedAt(d, refusal)
	why := []zap.Field{zap.Strings("kinds", kinds), zap.String("code", codeOf(refusal)), zap.Strings("why", complaints(refusal))}
	if len(kinds) == 0 {
		b.log.Error("slack does not take a message with newer blocks; it is drawn without them", why...)
		return
	}
	b.log.Warn("this workspace does not take newer blocks; everything is drawn without them from now on", why...)
	if b.options.Kinds == nil {
		return
	}
	if err := b.options.Kinds.Refuse(context.WithoutCancel(ctx), kinds...); err != nil {
		b.log.Warn("which blocks slack takes is not remembered", zap.Error(err))
	}
}

var (
	pointer = regexp.MustCompile(`json-pointer:/blocks/\d`)
	typeOf  = regexp.MustCompile(`json-pointer:/blocks/(\d+)(?:/type)?\]`)
)

// pointedAt are the newer kinds that a refusal is about.
func pointedAt(d drawing, refusal error) []string {
	all := strings.Join(complaints(refusal), "\n")
	if !pointer.MatchString(all) {
		return d.kinds()
	}
	var list []string
	for _, m := range typeOf.FindAllStringSubmatch(all, -1) {
		if i, err := strconv.Atoi(m[1]); err == nil && i < len(d.blocks) {
			list = append(list, string(d.blocks[i].BlockType()))
		}
	}
	slices.Sort(list)
	return slices.DeleteFunc(slices.Compact(list), func(kind string) bool { return !slices.Contains(newerKinds, kind) })
}

// blockRefusals are the codes by which Slack refuses what a message is made of.
var blockRefusals = []string{"invalid_blocks", "invalid_blocks_format", "msg_blocks_too_long", "msg_too_long", "invalid_attachments"}

func refusesBlocks(err error) bool { return slices.Contains(blockRefusals, codeOf(err)) }

// refusal reads the answer of a response URL that is no success; it is nil for an answer that says nothing.
func refusal(body []byte) error {
	var answer slackapi.SlackResponse
	if err := json.Unmarshal(body, &answer); err != nil || answer.Ok || answer.Error == "" {
		return nil
	}
	return slackapi.SlackErrorResponse{Err: answer.Error, ResponseMetadata: answer.ResponseMetadata}
}

func complaints(err error) []string {
	var answer slackapi.SlackErrorResponse
	if errors.As(err, &answer) {
		return answer.ResponseMetadata.Messages
	}
	return nil
}
