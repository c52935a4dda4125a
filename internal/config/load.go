package config

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"reflect"
	"slices"
	"strings"

	"github.com/knadh/koanf/parsers/yaml"
	"github.com/knadh/koanf/providers/file"
	"github.com/knadh/koanf/v2"
)

// EnvPrefix starts every environment variable that overrides a key: approval.ttl is CDCBOT_APPROVAL_TTL, and
// pipelines.warehouse.connect.url is CDCBOT_PIPELINES_WAREHOUSE_CONNECT_URL. Lists are separated by commas.
const EnvPrefix = "CDCBOT_"

// foreign are environment variables with our prefix that are not keys: the test lab's and the command line's.
var foreign = []string{"CDCBOT_LAB", "CDCBOT_CONFIG", "CDCBOT_PARTS", "CDCBOT_BENCH"}

// Load reads path ("" reads none), then the environment (as os.Environ gives it), fills defaults and checks.
// The error is an *Error that lists every problem.
func Load(path string, environ []string) (*Config, error) {
	given, err := readFile(path)
	if err != nil {
		return nil, err
	}
	d := &decoder{given: given, env: ownEnv(environ), files: map[string]string{}, references: map[string]Reference{}}
	var c Config
	d.structure("", reflect.ValueOf(&c).Elem())
	d.unknown()
	d.check(&c)
	if len(d.problems) > 0 {
		slices.SortStableFunc(d.problems, func(a, b Problem) int { return strings.Compare(a.Key, b.Key) })
		return nil, &Error{Problems: d.problems}
	}
	c.files, c.references = d.files, d.references
	if path != "" {
		c.files[""] = path
	}
	return &c, nil
}

func readFile(path string) (map[string]any, error) {
	if path == "" {
		return map[string]any{}, nil
	}
	k := koanf.New("\x00") // keys may hold dots (a pipeline's name), so paths are joined by what no key holds
	if err := k.Load(file.Provider(path), yaml.Parser()); err != nil {
		var perr *os.PathError
		if errors.As(err, &perr) {
			return nil, fmt.Errorf("reading configuration: %w", err)
		}
		return nil, fmt.Errorf("parsing configuration %s: %w", path, err)
	}
	return maps.Clone(k.Raw()), nil
}

func ownEnv(environ []string) map[string]string {
	own := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		if !strings.HasPrefix(name, EnvPrefix) || isForeign(name) {
			continue
		}
		own[name] = value
	}
	return own
}

func isForeign(name string) bool {
	return slices.ContainsFunc(foreign, func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// EnvName is the environment variable that overrides key.
func EnvName(key string) string {
	up := strings.Map(func(r rune) rune {
		switch {
		case r >= 'a' && r <= 'z':
			return r - 'a' + 'A'
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			return r
		}
		return '_'
	}, key)
	return EnvPrefix + up
}
