// Package deploy holds tests only: they build the image and run it, render the chart and ask a cluster what it thinks of
// it, load the compose world, and hold rules, dashboard and documents against the metrics that the bot has.
package deploy

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

// patient is how long a test waits for what should take a second.
const patient = 60 * time.Second

// top is the folder of the repository.
const top = ".."

// read gives a file of the repository, by its path in it.
func read(t *testing.T, path string) []byte {
	t.Helper()
	body, err := os.ReadFile(filepath.Join(top, filepath.FromSlash(path)))
	if err != nil {
		t.Fatal(err)
	}
	return body
}
