package action

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/itchyny/gojq"
)

// What a jq program of a runbook may use: a slip such as an endless recursion must cost seconds, not the bot.
const (
	maxProgram = 8 << 10 // bytes
	maxShown   = 1 << 20 // bytes of output
	maxFilter  = 2 * time.Second
)

// CheckFilter reports whether a jq program can be run, without running it.
func CheckFilter(program string) error {
	_, err := prepare(program)
	return err
}

// Filter shows value as jq -r would: strings as they are, everything else as indented JSON, one answer after the other.
// An empty program shows the whole value. The program sees no environment, no files and no other input.
func Filter(ctx context.Context, value any, program string) (string, error) {
	code, err := prepare(program)
	if err != nil {
		return "", err
	}
	plain, err := decoded(value)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, maxFilter)
	defer cancel()
	var out strings.Builder
	for iter := code.RunWithContext(ctx, plain); ; {
		v, more := iter.Next()
		if !more {
			return strings.TrimSuffix(out.String(), "\n"), nil
		}
		if err, bad := v.(error); bad {
			if halted(err) {
				return strings.TrimSuffix(out.String(), "\n"), nil
			}
			return "", fmt.Errorf("jq program %q: %w", program, err)
		}
		if err := show(&out, v); err != nil {
			return "", err
		}
		if out.Len() > maxShown {
			return out.String()[:maxShown] + "\n… and more; cut at 1 MiB", nil
		}
	}
}

func prepare(program string) (*gojq.Code, error) {
	if program == "" {
		program = "."
	}
	if len(program) > maxProgram {
		return nil, fmt.Errorf("jq program of %d bytes: expected at most %d", len(program), maxProgram)
	}
	query, err := gojq.Parse(program)
	if err != nil {
		return nil, fmt.Errorf("jq program %q: %w", program, err)
	}
	code, err := gojq.Compile(query)
	if err != nil {
		return nil, fmt.Errorf("jq program %q: %w", program, err)
	}
	return code, nil
}

// decoded turns value into what gojq works on; json.Number keeps long offsets exact.
func decoded(value any) (any, error) {
	b, err := json.Marshal(value)
	if err != nil {
		return nil, fmt.Errorf("encoding the answer: %w", err)
	}
	decoder := json.NewDecoder(bytes.NewReader(b))
	decoder.UseNumber()
	var plain any
	if err := decoder.Decode(&plain); err != nil {
		return nil, fmt.Errorf("decoding the answer: %w", err)
	}
	return plain, nil
}

// halted reports whether the program ended itself without a complaint.
func halted(err error) bool {
	var halt *gojq.HaltError
	return errors.As(err, &halt) && halt.Value() == nil
}

func show(out *strings.Builder, v any) error {
	if text, ok := v.(string); ok {
		out.WriteString(text + "\n")
		return nil
	}
	b, err := gojq.Marshal(v) // unlike encoding/json it knows NaN, infinities and big numbers
	if err != nil {
		return fmt.Errorf("showing the answer: %w", err)
	}
	var pretty bytes.Buffer
	if err := json.Indent(&pretty, b, "", "  "); err != nil {
		return fmt.Errorf("showing the answer: %w", err)
	}
	out.WriteString(pretty.String() + "\n")
	return nil
}
