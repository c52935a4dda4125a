package doctor

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

func one(f Finding) func(context.Context) []Finding {
	return func(context.Context) []Finding { return []Finding{f} }
}

func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		hangs := func(ctx context.Context) []Finding {
			<-ctx.Done()
			return []Finding{Bad("start it", "no answer: %v", ctx.Err())}
		}
		told := 0
		report := Examination{Redact: func(s string) string { return strings.ReplaceAll(s, "hunter2", "••••••") }, Done: func(_, of int) {
			if told++; of != 5 {
				t.Errorf("told of %d checks", of)
			}
		}}.Run(t.Context(), []Check{
			{"redis", "127.0.0.1", one(Fine("keeps what it acknowledges"))},
			{"postgres", "warehouse", hangs},
			{"vault", "warehouse", one(Poor("do not use hunter2", "the password is hunter2"))},
			{"broken", "", func(context.Context) []Finding { panic("boom") }},
			{"pager", "", one(Finding{Check: "page", Status: Skipped, What: "nobody is called for a test"})},
		})
		want := []Finding{
			{"redis", "127.0.0.1", OK, "keeps what it acknowledges", "", 0},
			{"postgres", "warehouse", Failed, "no answer: context deadline exceeded", "start it", 5 * time.Second},
			{"vault", "warehouse", Warning, "the password is ••••••", "do not use ••••••", 0},
			{"broken", "", Failed, "the check itself broke: boom", "report this as a bug of the bot", 0},
			{"page", "", Skipped, "nobody is called for a test", "", 0},
		}
		if len(report.Findings) != len(want) || told != len(want) || report.Took != 5*time.Second || report.Healthy() {
			t.Fatalf("got %+v, told %d", report, told)
		}
		for i := range want {
			if report.Findings[i] != want[i] {
				t.Errorf("got %+v, want %+v", report.Findings[i], want[i])
			}
		}
	})
}

// A hundred checks that all hang cost their deadlines in rounds, and at most so many are under way.
func TestRunBoundsWhatIsUnderWay(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var checks []Check
		for i := range 2 * mostAtOnce {
			checks = append(checks, Check{"x", fmt.Sprint(i), func(ctx context.Context) []Finding {
				<-ctx.Done()
				return []Finding{Skip("late")}
			}})
		}
		if got := (Examination{Deadline: time.Second}).Run(t.Context(), checks).Took; got != 2*time.Second {
			t.Errorf("took %s", got)
		}
	})
}

func TestReport(t *testing.T) {
	r := Report{Took: 1500 * time.Millisecond, Findings: []Finding{
		{"redis", "127.0.0.1:6379", OK, "keeps what it acknowledges", "", 2 * time.Millisecond},
		{"clock", "redis", Warning, "40 s behind", "run a time daemon", time.Millisecond},
		{"vault", "", Skipped, "no vault.url", "", 0},
		{"postgres", "warehouse", Failed, "refused the password", "set pipelines.warehouse.postgres.password", 3 * time.Millisecond},
	}}
	want := `failed   postgres warehouse: refused the password (3ms)
         → set pipelines.warehouse.postgres.password
warning  clock redis: 40 s behind (1ms)
         → run a time daemon
ok       redis 127.0.0.1:6379: keeps what it acknowledges (2ms)
skipped  vault: no vault.url (0s)
1 failed, 1 warnings, 1 ok, 1 skipped, in 1.5s
`
	if got := r.Text(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if got := r.Brief(); got != strings.Join(strings.SplitAfter(want, "\n")[:4], "") {
		t.Errorf("brief:\n%s", got)
	}
	text, err := json.Marshal(r)
	const start = `{"healthy":false,"count":{"failed":1,"ok":1,"skipped":1,"warning":1},"took_ms":1500,"findings":[{"check":"redis","target":"127.0.0.1:6379","status":"ok","what":"keeps what it acknowledges","took_ms":2},`
	if err != nil || !strings.HasPrefix(string(text), start) {
		t.Errorf("got %s, %v", text, err)
	}
}
