package deploy

import (
	"crypto/sha256"
	"encoding/hex"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// TestTheBuildIsReproducible builds the image's binary from the same sources in two folders: whoever builds a release again
// gets the same bytes, wherever the sources lie.
func TestTheBuildIsReproducible(t *testing.T) {
	var sums []string
	for _, name := range []string{"here", "somewhere/else entirely"} {
		folder := filepath.Join(t.TempDir(), name)
		checkOut(t, folder)
		root := filepath.Join(t.TempDir(), "root")
		build := exec.CommandContext(t.Context(), "make", "-C", folder, "binary", "ROOTFS="+root, "VERSION=v1.2.3", "COMMIT=0123456789ab")
		if out, err := build.CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		sums = append(sums, sum(t, filepath.Join(root, "bot")))
	}
	if sums[0] != sums[1] {
		t.Errorf("two builds of the same sources differ: %s and %s", sums[0], sums[1])
	}
}

// checkOut copies what git knows of the sources, as they are now.
func checkOut(t *testing.T, folder string) {
	t.Helper()
	list := exec.CommandContext(t.Context(), "git", "ls-files", "-z", "--cached", "--others", "--exclude-standard")
	list.Dir = ".."
	names, err := list.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Split(strings.TrimSuffix(string(names), "\x00"), "\x00") {
		body, err := os.ReadFile(filepath.Join("..", name))
		if os.IsNotExist(err) {
			continue // deleted and not committed yet
		}
		if err != nil {
			t.Fatal(err)
		}
		if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, name)), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(folder, name), body, 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func sum(t *testing.T, file string) string {
	t.Helper()
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		t.Fatal(err)
	}
	return hex.EncodeToString(h.Sum(nil))
}
