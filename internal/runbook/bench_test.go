package runbook

import (
	"os"
	"testing"
)

func operator(b *testing.B) []byte {
	b.Helper()
	source, err := os.ReadFile("testdata/operator.md")
	if err != nil {
		b.Fatal(err)
	}
	return source
}

// BenchmarkCompile compiles the operator's runbook; the target is 5 ms.
func BenchmarkCompile(b *testing.B) {
	source := operator(b)
	b.SetBytes(int64(len(source)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Compile("operator", source); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkPlan makes the plan of a cause and its digest.
func BenchmarkPlan(b *testing.B) {
	book, err := Compile("operator", operator(b))
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		plan, err := book.Plan("cause-1-database-connection-failure", 0, nil, targets)
		if err != nil || plan.Digest() == "" {
			b.Fatal(err)
		}
	}
}
