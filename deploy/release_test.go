package deploy

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// A release builds what `make binary` builds, and GoReleaser understands every key of its configuration.
func TestReleaseConfiguration(t *testing.T) {
	told := func(file string) (string, error) {
		cmd := exec.CommandContext(t.Context(), "go", "run", ".", file)
		cmd.Dir = filepath.Join(top, "deploy", "release")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	file, err := filepath.Abs(filepath.Join(top, ".goreleaser.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	out, err := told(file)
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, platform := range []string{"linux/amd64", "linux/arm64"} {
		if !strings.Contains(out, "cdcbot bot ./cmd/bot "+platform) {
			t.Errorf("no release for %s: %s", platform, out)
		}
	}
	makefile := string(read(t, "Makefile"))
	for _, flag := range append(regexp.MustCompile(`-s -w|-X main\.\w+=|-trimpath|-buildvcs=false|CGO_ENABLED=0`).FindAllString(makefile, -1), "-X main.version=", "-X main.commit=") {
		if !strings.Contains(out, flag) {
			t.Errorf("`make binary` builds with %s, and a release does not: %s", flag, out)
		}
	}
	workflow := string(read(t, ".github/workflows/release.yml"))
	for _, step := range []string{"make vuln", ".ci/run", "version: v2.15.4"} {
		if !strings.Contains(workflow, step) {
			t.Errorf("the release workflow has no %q", step)
		}
	}
	if pinned := string(read(t, "deploy/release/go.mod")); !strings.Contains(pinned, "goreleaser/v2 v2.15.4") {
		t.Error("the workflow releases with another GoReleaser than the one that checks its configuration")
	}
	wrong := filepath.Join(t.TempDir(), "wrong.yaml")
	if err := os.WriteFile(wrong, []byte(strings.Replace(string(read(t, ".goreleaser.yaml")), "ldflags:", "ldflag:", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if out, err := told(wrong); err == nil || !strings.Contains(out, "ldflag") {
		t.Errorf("a key that GoReleaser does not know passes: %v %s", err, out)
	}
}
