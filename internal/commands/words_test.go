package commands

import (
	"maps"
	"slices"
	"strings"
	"testing"
)

func TestWords(t *testing.T) {
	for _, row := range []struct {
		name, text string
		want       []string
		options    map[string]string
	}{
		{"plain", "restart  postgres-sink-connector ", []string{"restart", "postgres-sink-connector"}, nil},
		{"quoted name", `status "my sink"`, []string{"status", "my sink"}, nil},
		{"quotes of a phone", "status “my sink”", []string{"status", "my sink"}, nil},
		{"guillemets", "status «my sink»", []string{"status", "my sink"}, nil},
		{"back quotes as Slack shows names", "status `my sink`", []string{"status", "my sink"}, nil},
		{"slashes and unicode stay", "status a/b/ç🙂", []string{"status", "a/b/ç🙂"}, nil},
		{"option", "status --pipeline shop x", []string{"status", "x"}, map[string]string{"pipeline": "shop"}},
		{"option with equals", "status --pipeline=shop", []string{"status"}, map[string]string{"pipeline": "shop"}},
		{"long dash of a phone", "status —pipeline shop", []string{"status"}, map[string]string{"pipeline": "shop"}},
		{"quoted dashes are a name", `status "--odd"`, []string{"status", "--odd"}, nil},
		{"empty quotes", `note ""`, []string{"note", ""}, nil},
		{"no-break spaces", "status\u00a0x", []string{"status", "x"}, nil},
		{"nothing", "", nil, nil},
	} {
		t.Run(row.name, func(t *testing.T) {
			got, options, err := words(row.text)
			if err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(got, row.want) || !maps.Equal(options, row.options) {
				t.Errorf("words(%q): got %q %v, want %q %v", row.text, got, options, row.want, row.options)
			}
		})
	}
}

func TestWordsSaysWhichQuoteIsOpen(t *testing.T) {
	_, _, err := words(`status "my sink`)
	if err == nil || !strings.Contains(err.Error(), "my sink") {
		t.Errorf("got %v, want an error that names the open quote", err)
	}
}

func FuzzWords(f *testing.F) {
	f.Add(`status "a`)
	f.Add("—=—")
	f.Fuzz(func(t *testing.T, text string) {
		list, _, err := words(text)
		if err == nil && len(strings.Fields(text)) == 0 && len(list) != 0 {
			t.Errorf("words(%q) made %q out of blanks", text, list)
		}
	})
}
