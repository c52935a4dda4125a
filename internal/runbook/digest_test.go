package runbook

import (
	"fmt"
	"maps"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// digests are those of every plan of the operator's runbook, a line each.
func digests(t *testing.T, b *Book, inputs map[string]string) string {
	t.Helper()
	var lines []string
	for _, s := range b.Sections {
		options := []int{0}
		if len(s.Options) > 0 {
			options = options[:0]
			for _, o := range s.Options {
				options = append(options, o.Number)
			}
		}
		for _, option := range options {
			p, err := b.Plan(s.ID, option, inputs, targets)
			if err != nil {
				t.Fatal(err)
			}
			lines = append(lines, fmt.Sprintf("%s %d %s", s.ID, option, p.Digest()))
		}
	}
	return strings.Join(lines, "\n") + "\n"
}

// TestDigestsAreGolden: what people agreed to on one machine must be what another machine runs. The file was written by
// another process, perhaps years ago; a change of it means that every pending approval is void.
func TestDigestsAreGolden(t *testing.T) {
	source, err := os.ReadFile("testdata/operator.md")
	if err != nil {
		t.Fatal(err)
	}
	got := digests(t, mustCompile(t, string(source)), map[string]string{"lease_id": "7Qm2dVb1"})
	const file = "testdata/operator.digests"
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil || got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s\n%v (run with -update if the change is meant)", file, got, want, err)
	}
}

// TestDigestInOtherProcesses: the same in processes of their own, with other seeds of maps and another time zone.
func TestDigestInOtherProcesses(t *testing.T) {
	if os.Getenv("CDCBOT_DIGEST_CHILD") != "" {
		source, err := os.ReadFile("testdata/operator.md")
		if err != nil {
			t.Fatal(err)
		}
		fmt.Print(digests(t, mustCompile(t, string(source)), map[string]string{"lease_id": "7Qm2dVb1"}))
		return
	}
	want, err := os.ReadFile("testdata/operator.digests")
	if err != nil {
		t.Fatal(err)
	}
	for i := range 3 {
		child := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^TestDigestInOtherProcesses$")
		child.Env = append(os.Environ(), "CDCBOT_DIGEST_CHILD=1", fmt.Sprintf("TZ=Etc/GMT%+d", i*5), fmt.Sprintf("GOMAXPROCS=%d", i+1), "LANG=C")
		out, err := child.Output()
		if err != nil || !strings.Contains(string(out), string(want)) {
			t.Fatalf("process %d: %v, got\n%s", i, err, out)
		}
	}
}

// TestDigestHoldsOver1000Runs: whatever order maps and inputs come in, and however often, a plan has one digest; and a
// different input has another.
func TestDigestHoldsOver1000Runs(t *testing.T) {
	b := mustCompile(t, "## Emergency\n### X\n```bash\ncurl -X PATCH localhost:8083/connectors/<connector>/config -d '{\"a\":\"<one>\",\"b\":\"<two>\",\"c\":null,\"d\":1,\"e\":true}'\ncurl -X POST localhost:8080/dlq/replay -d '{\"error_type\":\"<three>\",\"table\":\"t\",\"limit\":5}'\n```\n")
	digest := func(inputs map[string]string) string {
		p, err := b.Plan("x", 0, inputs, targets)
		if err != nil {
			t.Fatal(err)
		}
		return p.Digest()
	}
	runs := 0
	rapid.Check(t, func(r *rapid.T) {
		inputs := map[string]string{}
		for _, name := range []string{"connector", "one", "two", "three"} {
			inputs[name] = rapid.StringMatching(`[a-zA-Z0-9_./-]{1,20}`).Draw(r, name)
		}
		want := digest(inputs)
		for range 10 {
			shuffled := map[string]string{}
			for _, k := range rapid.Permutation(slices.Sorted(maps.Keys(inputs))).Draw(r, "order") {
				shuffled[k] = inputs[k]
			}
			if got := digest(shuffled); got != want {
				r.Fatalf("inputs %v: digests %s and %s", inputs, got, want)
			}
			runs++
		}
		other := maps.Clone(inputs)
		other["one"] += "x"
		if digest(other) == want {
			r.Fatalf("inputs %v and %v have one digest", inputs, other)
		}
	})
	if runs < 1000 {
		t.Errorf("%d runs, want 1,000", runs)
	}
}
