package web

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
)

// Count returns a want for Probe: the body is a JSON array, and its length is told as "12 subjects".
func Count(noun string) func([]byte) (string, error) {
	return func(body []byte) (string, error) {
		var list []json.RawMessage
		if err := json.Unmarshal(body, &list); err != nil || list == nil {
			return "", fmt.Errorf("no JSON list of %s", noun)
		}
		if len(list) == 1 && strings.HasSuffix(noun, "s") {
			return "1 " + noun[:len(noun)-1], nil
		}
		return fmt.Sprintf("%d %s", len(list), noun), nil
	}
}

// Field returns a want for Probe: the body is a JSON object, and what its field says is told, such as the version of a
// server. The names of path lead to it.
func Field(path ...string) func([]byte) (string, error) {
	return func(body []byte) (string, error) {
		var value any
		if err := json.Unmarshal(body, &value); err != nil {
			return "", errors.New("no JSON")
		}
		for _, name := range path {
			object, ok := value.(map[string]any)
			if !ok {
				return "", fmt.Errorf("no field %s", name)
			}
			if value, ok = object[name]; !ok {
				return "", fmt.Errorf("no field %s", name)
			}
		}
		return short(fmt.Sprint(value)), nil
	}
}
