package deploy

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/rand"
	"debug/elf"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/moby/moby/api/pkg/stdcopy"
	"github.com/moby/moby/api/types/build"
	"github.com/moby/moby/api/types/container"
	"github.com/moby/moby/client"

	"cdcbot/internal/lab"
	"cdcbot/internal/slacksim"
)

// What the binary and the image may weigh, in bytes.
const (
	mostBinary = 50_000_000
	mostImage  = 60_000_000
)

// tag is the image that the tests build.
const tag = "cdcbot/test:image"

// The image's root is laid out as the Dockerfile does it, and its last stage is built and run on a real engine; only the
// stage before it is replaced, because it would pull Go's own image.
func TestImage(t *testing.T) {
	s := lab.Require(t, lab.Docker)
	rootfs := layOut(t)
	docker, err := client.New(client.WithHost(s.Docker))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = docker.Close() }()
	buildImage(t, docker, rootfs)
	t.Run("root", func(t *testing.T) { checkRoot(t, rootfs) })
	t.Run("inspect", func(t *testing.T) { inspect(t, docker) })
	t.Run("version", func(t *testing.T) { sayVersion(t, docker) })
	t.Run("serve", func(t *testing.T) { serveInImage(t, docker) })
}

// layOut makes the image's root with the command that the Dockerfile has.
func layOut(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "rootfs")
	c := exec.Command("make", "-s", "rootfs", "ROOTFS="+dir, "VERSION=v1.2.3", "COMMIT=0123456789ab")
	c.Dir = top
	if out, err := c.CombinedOutput(); err != nil {
		t.Fatalf("make rootfs: %v\n%s", err, out)
	}
	return dir
}

func checkRoot(t *testing.T, rootfs string) {
	binary := filepath.Join(rootfs, "bot")
	info, err := os.Stat(binary)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the binary has %.1f MB", float64(info.Size())/1e6)
	if info.Size() > mostBinary {
		t.Errorf("the binary has %d bytes, more than %d", info.Size(), mostBinary)
	}
	program, err := elf.Open(binary)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = program.Close() }()
	if slices.ContainsFunc(program.Progs, func(p *elf.Prog) bool { return p.Type == elf.PT_INTERP }) {
		t.Error("the binary is not static: it names an interpreter")
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Component struct{ Name, Version string }
		}
		Components []struct {
			Name, Version, Purl string
			Licenses            []struct{ License struct{ ID string } }
		}
	}
	text, err := os.ReadFile(filepath.Join(rootfs, "sbom.cdx.json"))
	if err == nil {
		err = json.Unmarshal(text, &bom)
	}
	if err != nil {
		t.Fatal(err)
	}
	if bom.BOMFormat != "CycloneDX" || bom.SpecVersion != "1.6" || bom.Metadata.Component.Name != "cdcbot" || bom.Metadata.Component.Version != "v1.2.3" || len(bom.Components) < 100 {
		t.Errorf("the bill of materials is %s %s of %+v with %d components", bom.BOMFormat, bom.SpecVersion, bom.Metadata.Component, len(bom.Components))
	}
	for _, c := range bom.Components {
		files, err := os.ReadDir(filepath.Join(rootfs, "licenses", filepath.FromSlash(c.Name)))
		if err != nil || len(files) == 0 || len(c.Licenses) == 0 || c.Version == "" || c.Purl != "pkg:golang/"+c.Name+"@"+c.Version {
			t.Errorf("%s: got %+v and %d licence files (%v)", c.Name, c, len(files), err)
		}
	}
}

// lastStage is the Dockerfile from its last FROM on.
func lastStage(t *testing.T) string {
	t.Helper()
	text := string(read(t, "Dockerfile"))
	at := strings.LastIndex(text, "\nFROM ")
	if at < 0 || !strings.HasPrefix(text[at+1:], "FROM scratch\n") {
		t.Fatal("the Dockerfile's last stage is not from scratch")
	}
	return text[at+1:]
}

func buildImage(t *testing.T, docker *client.Client, rootfs string) {
	t.Helper()
	var bundle bytes.Buffer
	files := tar.NewWriter(&bundle)
	text := "FROM scratch AS build\nCOPY rootfs/ /rootfs/\n" + lastStage(t)
	put(t, files, "Dockerfile", []byte(text), 0o644)
	err := filepath.WalkDir(rootfs, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		rel, err := filepath.Rel(rootfs, path)
		put(t, files, "rootfs/"+filepath.ToSlash(rel), body, info.Mode().Perm())
		return err
	})
	if err := errors.Join(err, files.Close()); err != nil {
		t.Fatal(err)
	}
	version, commit := "v1.2.3", "0123456789ab"
	o := client.ImageBuildOptions{Tags: []string{tag}, Remove: true, ForceRemove: true, Version: build.BuilderV1, BuildArgs: map[string]*string{"VERSION": &version, "COMMIT": &commit}}
	answer, err := docker.ImageBuild(t.Context(), &bundle, o)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	for lines := json.NewDecoder(answer.Body); ; {
		var line struct{ Error string }
		err := lines.Decode(&line)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil || line.Error != "" {
			t.Fatalf("building the image: %v %s", err, line.Error)
		}
	}
	t.Cleanup(func() {
		if _, err := docker.ImageRemove(context.WithoutCancel(t.Context()), tag, client.ImageRemoveOptions{Force: true, PruneChildren: true}); err != nil {
			t.Error(err)
		}
	})
}

func put(t *testing.T, files *tar.Writer, name string, body []byte, mode fs.FileMode) {
	t.Helper()
	if err := files.WriteHeader(&tar.Header{Name: name, Mode: int64(mode), Size: int64(len(body))}); err != nil {
		t.Fatal(err)
	}
	if _, err := files.Write(body); err != nil {
		t.Fatal(err)
	}
}

func inspect(t *testing.T, docker *client.Client) {
	image, err := docker.ImageInspect(t.Context(), tag)
	if err != nil {
		t.Fatal(err)
	}
	t.Logf("the image has %.1f MB", float64(image.Size)/1e6)
	if image.Size > mostImage {
		t.Errorf("the image has %d bytes, more than %d", image.Size, mostImage)
	}
	c := image.Config
	if c.User != "65532:65532" || len(c.Volumes) > 0 || !slices.Equal(c.Entrypoint, []string{"/bot"}) || !slices.Equal(c.Cmd, []string{"serve"}) {
		t.Errorf("user %q, volumes %v, entry %v, command %v", c.User, c.Volumes, c.Entrypoint, c.Cmd)
	}
	if _, open := c.ExposedPorts["8080/tcp"]; !open || c.Labels["org.opencontainers.image.version"] != "v1.2.3" || c.Labels["org.opencontainers.image.revision"] != "0123456789ab" {
		t.Errorf("ports %v, labels %v", c.ExposedPorts, c.Labels)
	}
}

// start runs the image as strictly as the chart does: nothing may be written, and no right is left.
func start(t *testing.T, docker *client.Client, environ []string, args ...string) string {
	t.Helper()
	made, err := docker.ContainerCreate(t.Context(), client.ContainerCreateOptions{
		Config: &container.Config{Image: tag, Cmd: args, Env: environ, Healthcheck: &container.HealthConfig{Interval: time.Second}}, // sooner than the image says
		HostConfig: &container.HostConfig{ReadonlyRootfs: true, NetworkMode: "host", CapDrop: []string{"ALL"}, SecurityOpt: []string{"no-new-privileges"},
			Resources: container.Resources{Memory: 256 << 20}},
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if _, err := docker.ContainerRemove(context.WithoutCancel(t.Context()), made.ID, client.ContainerRemoveOptions{Force: true}); err != nil {
			t.Error(err)
		}
	})
	if _, err := docker.ContainerStart(t.Context(), made.ID, client.ContainerStartOptions{}); err != nil {
		t.Fatal(err)
	}
	return made.ID
}

// end waits for a container's end, and gives its exit code and what it has written.
func end(t *testing.T, docker *client.Client, id string) (int64, string) {
	t.Helper()
	waiting := docker.ContainerWait(t.Context(), id, client.ContainerWaitOptions{})
	select {
	case err := <-waiting.Error:
		t.Fatal(err)
	case result := <-waiting.Result:
		return result.StatusCode, output(t, docker, id)
	}
	return 0, ""
}

func output(t *testing.T, docker *client.Client, id string) string {
	t.Helper()
	stream, err := docker.ContainerLogs(t.Context(), id, client.ContainerLogsOptions{ShowStdout: true, ShowStderr: true})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = stream.Close() }()
	var text bytes.Buffer
	if _, err := stdcopy.StdCopy(&text, &text, stream); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func sayVersion(t *testing.T, docker *client.Client) {
	code, text := end(t, docker, start(t, docker, nil, "version"))
	if code != 0 || !strings.HasPrefix(text, "cdcbot v1.2.3 commit 0123456789ab go1.") {
		t.Errorf("got %d, %q", code, text)
	}
	if code, text := end(t, docker, start(t, docker, nil, "serve")); code != 1 || !strings.Contains(text, "connect.url") {
		t.Errorf("without settings: got %d, %q", code, text)
	}
}

// serveInImage runs the bot with a real Redis and a simulated workspace until it is ready, and ends it as an orchestrator
// does.
func serveInImage(t *testing.T, docker *client.Client) {
	slack := slacksim.New(slacksim.Options{})
	if _, err := slack.Start("127.0.0.1:0"); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = slack.Close() }()
	address := free(t)
	id := start(t, docker, serving(t, slack, address), "serve")
	lab.Await(t, "readiness", patient, func(ctx context.Context) (bool, error) {
		code, text := get(ctx, "http://"+address+"/readyz")
		if code == http.StatusOK {
			return true, nil
		}
		return false, fmt.Errorf("%d %s\n%s", code, text, output(t, docker, id))
	})
	if code, text := get(t.Context(), "http://"+address+"/healthz"); code != http.StatusOK {
		t.Errorf("health: %d %s", code, text)
	}
	lab.Await(t, "the engine's health check", patient, func(ctx context.Context) (bool, error) {
		got, err := docker.ContainerInspect(ctx, id, client.ContainerInspectOptions{})
		if err != nil {
			return false, err
		}
		h := got.Container.State.Health
		if h != nil && h.Status == container.Healthy {
			return true, nil
		}
		said, err := json.Marshal(h)
		return false, errors.Join(fmt.Errorf("it says %s", said), err)
	})
	checkProcess(t, docker, id)
	if _, err := docker.ContainerKill(t.Context(), id, client.ContainerKillOptions{Signal: "TERM"}); err != nil {
		t.Fatal(err)
	}
	if code, text := end(t, docker, id); code != 0 || !strings.Contains(text, "cdcbot is down") {
		t.Errorf("after SIGTERM: %d, %q", code, text)
	}
}

// serving are the settings of a bot that serves on the lab.
func serving(t *testing.T, slack *slacksim.Server, address string) []string {
	t.Helper()
	return []string{
		"CDCBOT_LISTEN=" + address, "CDCBOT_REDIS_URL=" + lab.Redis(t).URL, "CDCBOT_ALERTS_TOKEN=" + rand.Text(), "CDCBOT_SEAL_KEYS=k1:" + sealKey(),
		"CDCBOT_SLACK_API_URL=" + slack.APIURL(), "CDCBOT_SLACK_BOT_TOKEN=" + slack.BotToken(), "CDCBOT_SLACK_APP_TOKEN=" + slack.AppToken(), "CDCBOT_SLACK_CHANNEL=C0123456789",
		"CDCBOT_PIPELINES_WAREHOUSE_CONNECT_URL=http://127.0.0.1:1",
	}
}

// sealKey is a key as `openssl rand -hex 32` makes one.
func sealKey() string {
	var key [32]byte
	_, _ = rand.Read(key[:]) // it never fails
	return fmt.Sprintf("%x", key)
}

// checkProcess asks the kernel who the bot is and what it may do.
func checkProcess(t *testing.T, docker *client.Client, id string) {
	t.Helper()
	got, err := docker.ContainerInspect(t.Context(), id, client.ContainerInspectOptions{})
	if err != nil {
		t.Fatal(err)
	}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", got.Container.State.Pid))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"Uid:\t65532\t65532\t65532\t65532", "Gid:\t65532\t65532\t65532\t65532", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(string(status), want) {
			t.Errorf("%q is not in\n%s", want, status)
		}
	}
	mounts, err := os.ReadFile(fmt.Sprintf("/proc/%d/mounts", got.Container.State.Pid))
	if root, _, _ := strings.Cut(string(mounts), "\n"); err != nil || !strings.Contains(root, " / ") || !strings.Contains(root, " ro,") {
		t.Errorf("the root may be written (%v):\n%s", err, mounts)
	}
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmRSS:") {
			t.Log("resident memory: " + strings.Join(strings.Fields(line)[1:], " "))
		}
	}
}

// free finds an address of loopback that nobody listens on.
func free(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	return l.Addr().String()
}

// get asks once; what goes wrong is the text.
func get(ctx context.Context, url string) (int, string) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return 0, err.Error()
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer func() { _ = response.Body.Close() }()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return 0, err.Error()
	}
	return response.StatusCode, string(body)
}
