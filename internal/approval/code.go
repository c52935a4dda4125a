package approval

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/pquerna/otp"
	"github.com/pquerna/otp/totp"
	"github.com/redis/go-redis/v9"
)

// Errors of a second factor.
var (
	ErrCodeNeeded = errors.New("a code of the second factor is needed")
	ErrCode       = errors.New("the code is wrong, too old, or was used already")
	ErrNoFactor   = errors.New("no second factor is registered for this person")
	ErrTooMany    = errors.New("too many wrong codes")
)

// Codes checks time-based one-time codes (RFC 6238: six digits, 30 seconds, SHA-1, one period of tolerance), because a
// Slack session alone is a weak proof of who presses. A code counts once; wrong ones are counted.
type Codes struct {
	Redis   redis.UniversalClient
	Now     func() time.Time
	secrets map[string]string // by user ID
}

const (
	codePeriod   = 30 // seconds
	codeSkew     = 1  // periods before and after
	mostWrong    = 5  // within wrongWithin
	wrongWithin  = 10 * time.Minute
	codeRemember = (2*codeSkew + 2) * codePeriod * time.Second
)

// ParseFactors reads who has which secret: one per line or separated by commas, each "<Slack user ID>:<secret in base32>".
// Errors name the person, never the secret.
func ParseFactors(text string) (map[string]string, error) {
	secrets := map[string]string{}
	for _, entry := range strings.FieldsFunc(text, func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) }) {
		user, secret, _ := strings.Cut(entry, ":")
		who, err := normal(user)
		if err != nil {
			return nil, fmt.Errorf("second factor %d: %w", len(secrets)+1, err)
		}
		if _, err := totp.GenerateCode(secret, time.Unix(0, 0)); err != nil || len(secret) < 16 {
			return nil, fmt.Errorf("second factor of %s: want at least 16 characters of base32 after the colon", who)
		}
		if secrets[who] != "" {
			return nil, fmt.Errorf("second factor of %s stands there twice", who)
		}
		secrets[who] = secret
	}
	return secrets, nil
}

// NewCodes makes a checker of secrets by user ID, as ParseFactors reads them.
func NewCodes(rdb redis.UniversalClient, now func() time.Time, secrets map[string]string) *Codes {
	return &Codes{Redis: rdb, Now: now, secrets: secrets}
}

// Verify is nil when the code is this person's, now, for the first time. Errors: ErrCodeNeeded for an empty one, ErrCode,
// ErrNoFactor, ErrTooMany, ErrUnavailable.
func (c *Codes) Verify(ctx context.Context, user, code string) error {
	who, err := normal(user)
	if err != nil {
		return err
	}
	secret, known := c.secrets[who]
	code = strings.ReplaceAll(strings.TrimSpace(code), " ", "")
	switch {
	case !known:
		return ErrNoFactor
	case code == "":
		return ErrCodeNeeded
	}
	wrong, err := c.Redis.Get(ctx, wrongKey(who)).Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		return away("counting codes of "+who, err)
	}
	if wrong >= mostWrong {
		return ErrTooMany
	}
	period, fits := c.period(secret, code)
	if !fits {
		return errors.Join(ErrCode, c.count(ctx, who))
	}
	first, err := c.Redis.SetNX(ctx, usedKey(who, period), "1", codeRemember).Result()
	if err != nil {
		return away("using a code of "+who, err)
	}
	if !first {
		return ErrCode
	}
	return nil
}

// period is the 30 seconds that a code belongs to; false when it belongs to none near now.
func (c *Codes) period(secret, code string) (int64, bool) {
	now := c.Now()
	for _, offset := range []int64{0, -1, 1} {
		at := now.Add(time.Duration(offset) * codePeriod * time.Second)
		ok, err := totp.ValidateCustom(code, secret, at, totp.ValidateOpts{Period: codePeriod, Skew: 0, Digits: otp.DigitsSix, Algorithm: otp.AlgorithmSHA1})
		if err == nil && ok {
			return at.Unix() / codePeriod, true
		}
	}
	return 0, false
}

func (c *Codes) count(ctx context.Context, who string) error {
	_, err := c.Redis.TxPipelined(ctx, func(p redis.Pipeliner) error {
		p.Incr(ctx, wrongKey(who))
		p.Expire(ctx, wrongKey(who), wrongWithin)
		return nil
	})
	if err != nil {
		return away("counting codes of "+who, err)
	}
	return nil
}

func wrongKey(who string) string { return "cdcbot:{code:" + who + "}:wrong" }
func usedKey(who string, period int64) string {
	return "cdcbot:{code:" + who + "}:" + strconv.FormatInt(period, 10)
}
