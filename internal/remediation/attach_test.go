package remediation

import (
	"strings"
	"testing"

	"cdcbot/internal/action"
)

// A file that Slack did not take is tried again, and one that it took is not posted twice.
func TestAttachOnce(t *testing.T) {
	s := newStage(t)
	s.fire()
	s.room.files = nil
	file := File{Name: "INC-1-trace.txt", Body: []byte("x")}
	for i, row := range []struct {
		away, stands bool
		files        int
	}{{true, false, 0}, {true, false, 0}, {false, true, 1}, {false, true, 1}, {true, true, 1}} {
		s.room.away = row.away
		stands, err := s.attachOnce(t.Context(), "INC-1", "mark", file)
		s.must(err)
		if stands != row.stands || len(s.room.files) != row.files {
			t.Errorf("%d: stands %v, %d files; want %v, %d", i, stands, len(s.room.files), row.stands, row.files)
		}
	}
}

func TestLongOutputIsHandedOver(t *testing.T) {
	s := newStage(t)
	s.fire()
	for _, row := range []struct {
		name string
		out  action.Output
		want int // bytes of the file, 0 for none
	}{
		{"short", action.Output{Text: "RUNNING 3/3"}, 0},
		{"as long as the card's", action.Output{Text: strings.Repeat("ü", shownOutput)}, 0},
		{"longer", action.Output{Text: strings.Repeat("x", shownOutput+1)}, shownOutput + 1},
		{"with more than is shown", action.Output{Text: "12 rows", Full: strings.Repeat("row\n", 500)}, 2000},
	} {
		t.Run(row.name, func(t *testing.T) {
			s.room.files = nil
			x := &execution{Flow: s.Flow, run: Run{ID: "RUN-7"}}
			x.inc.ID = "INC-1"
			x.hand(t.Context(), 1, row.out)
			switch {
			case row.want == 0 && len(s.room.files) != 0:
				t.Errorf("handed over %d files", len(s.room.files))
			case row.want > 0 && (len(s.room.files) != 1 || len(s.room.files[0].Body) != row.want || s.room.files[0].Name != "RUN-7-step-2.txt"):
				t.Errorf("handed over %+v", s.room.files)
			}
		})
	}
}
