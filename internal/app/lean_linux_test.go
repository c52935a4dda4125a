package app

import (
	"os"
	"regexp"
	"strconv"
	"testing"
)

// What is given back is the binary's; everything works on, and less is resident.
func TestGiveBack(t *testing.T) {
	before := resident(t)
	sum, err := giveBack()
	if err != nil {
		t.Fatal(err)
	}
	after := resident(t)
	if sum < 1<<20 {
		t.Errorf("%d bytes were given back; this binary alone is bigger", sum)
	}
	if after >= before {
		t.Errorf("%d kB of files are resident, %d before", after, before)
	}
	t.Logf("resident pages of files: %d kB before, %d kB after", before, after)
}

func resident(t *testing.T) int {
	t.Helper()
	status, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`RssFile:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Fatalf("no RssFile in %s", status)
	}
	n, err := strconv.Atoi(string(m[1]))
	if err != nil {
		t.Fatal(err)
	}
	return n
}

func TestOfBinary(t *testing.T) {
	for _, row := range []struct {
		line string
		ok   bool
	}{
		{"00400000-01803000 r-xp 00000000 fe:00 10150176                           /bot", true},
		{"01803000-02d3b000 r--p 01403000 fe:00 10150176                           /bot", true},
		{"02d3b000-03044000 rw-p 0293b000 fe:00 10150176                           /bot", false},
		{"7f00-7f01 r-xp 00000000 fe:00 1                           /lib/libc.so.6", false},
		{"7f00-7f01 r--p 00000000 00:00 0 ", false},
		{"x", false}, {"", false}, {"zz-yy r-xp 0 0 0 /bot", false},
	} {
		if _, _, ok := ofBinary(row.line, "/bot"); ok != row.ok {
			t.Errorf("%q: %v, want %v", row.line, ok, row.ok)
		}
	}
}
