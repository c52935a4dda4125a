package app

import (
	"encoding/json"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The contracts of the stores are tests of their own packages, which run each on miniredis and on one real server
// (onEach). Here the same tests run on other shapes: the compiler is given an onEach with another client, and nothing of
// the packages changes. A script that does not name its keys, or whose keys lie in several slots, fails on the Cluster.
var contracts = []string{"approval", "incident", "timeline"}

func TestContractsOnACluster(t *testing.T) {
	t.Parallel()
	n := bootCluster(t, false)
	for _, pkg := range contracts {
		t.Run(pkg, func(t *testing.T) { play(t, pkg, "CLUSTER="+n.masters[0].addr) })
	}
}

// The master is killed without a farewell in the middle of the contract.
func TestContractsThroughAFailover(t *testing.T) {
	t.Parallel()
	for _, pkg := range contracts {
		t.Run(pkg, func(t *testing.T) {
			s := bootTrio(t, "--min-replicas-to-write", "1")
			var sentinels []string
			for _, each := range s.sentinels {
				sentinels = append(sentinels, each.addr)
			}
			play(t, pkg, "SENTINELS="+strings.Join(sentinels, ","), "MASTER="+masterName, fmt.Sprintf("VICTIM=%d", s.master.cmd.Process.Pid))
			s.promoted() // nobody can have been spared
		})
	}
}

// play runs the contract of a package on a shape that the environment describes.
func play(t *testing.T, pkg string, shape ...string) {
	t.Helper()
	folder, err := filepath.Abs(filepath.Join("..", pkg))
	if err != nil {
		t.Fatal(err)
	}
	names, file, source := rewritten(t, folder)
	scratch := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(scratch, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	replace, err := json.Marshal(map[string]any{"Replace": map[string]string{
		file:                                   write("redis_test.go", source),
		filepath.Join(folder, "shape_test.go"): write("shape_test.go", "package "+pkg+"\n"+shapeSource),
	}})
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-v", "-overlay", write("overlay.json", string(replace)), "-run", "^("+strings.Join(names, "|")+")$", ".")
	cmd.Dir, cmd.Env = folder, append(os.Environ(), shape...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v:\n%s", err, out)
	}
	for _, name := range names {
		if !regexp.MustCompile(`(?m)^ *--- PASS: ` + name + `/shape`).Match(out) {
			t.Errorf("%s did not run on this shape:\n%s", name, out)
		}
	}
}

// rewritten gives the file of a package that has onEach, with another body in it, and the tests that use it.
func rewritten(t *testing.T, folder string) (names []string, file, source string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(folder, "*_test.go"))
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range files {
		text, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, path, text, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range parsed.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			body := string(text[set.Position(f.Body.Pos()).Offset:set.Position(f.Body.End()).Offset])
			if f.Name.Name == "onEach" {
				file, source = path, strings.Replace(string(text), body, "{ onShape(t, test) }", 1)
			}
			if strings.HasPrefix(f.Name.Name, "Test") && strings.Contains(body, "onEach(") {
				names = append(names, f.Name.Name)
			}
		}
	}
	if file == "" || len(names) == 0 {
		t.Fatalf("%s has no onEach, or no test that uses it", folder)
	}
	slices.Sort(names)
	return names, file, source
}

// shapeSource is what the compiler is given: one test after another on an empty Redis; as the second begins, the victim ends.
const shapeSource = `
import (
	"context"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// whole empties every node: a Cluster's client empties one.
type whole struct{ *redis.ClusterClient }

func (w whole) FlushAll(ctx context.Context) *redis.StatusCmd {
	answer := redis.NewStatusCmd(ctx)
	answer.SetErr(w.ForEachMaster(ctx, func(ctx context.Context, node *redis.Client) error { return node.FlushAll(ctx).Err() }))
	return answer
}

var shapes int

func onShape(t *testing.T, test func(*testing.T, redis.UniversalClient)) {
	t.Run("shape", func(t *testing.T) {
		var client redis.UniversalClient
		if addr := os.Getenv("CLUSTER"); addr != "" {
			cluster := redis.NewClusterClient(&redis.ClusterOptions{Addrs: []string{addr}, MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled}})
			client = whole{cluster}
		} else {
			client = redis.NewFailoverClient(&redis.FailoverOptions{MasterName: os.Getenv("MASTER"), SentinelAddrs: strings.Split(os.Getenv("SENTINELS"), ","),
				MaxRetries: 100, MinRetryBackoff: 50 * time.Millisecond, MaxRetryBackoff: 200 * time.Millisecond})
		}
		defer func() { _ = client.Close() }()
		if err := client.FlushAll(context.Background()).Err(); err != nil {
			t.Fatal(err)
		}
		if shapes++; shapes == 2 && os.Getenv("VICTIM") != "" {
			pid, err := strconv.Atoi(os.Getenv("VICTIM"))
			if err != nil {
				t.Fatal(err)
			}
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
		}
		test(t, client)
	})
}
`

// On a Cluster a key that is not named may lie elsewhere. Redis itself refuses named keys of several slots; that a script
// touches no others is read off its source, where every key is one of KEYS.
func TestScriptsNameTheirKeys(t *testing.T) {
	scripts, err := filepath.Glob(filepath.Join("..", "*", "*.lua"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("%d scripts, %v", len(scripts), err)
	}
	for _, script := range scripts {
		source, err := os.ReadFile(script)
		if err != nil {
			t.Fatal(err)
		}
		for _, named := range regexp.MustCompile(`(?m)^local (\w+) = (KEYS\[\d\])$`).FindAllSubmatch(source, -1) {
			source = regexp.MustCompile(`', `+string(named[1])+`\b`).ReplaceAll(source, append([]byte("', "), named[2]...))
		}
		calls := strings.Count(string(source), "redis.call(") + strings.Count(string(source), "redis.pcall(")
		named := len(regexp.MustCompile(`redis\.p?call\(\s*['"]\w+['"]\s*,\s*KEYS\[`).FindAll(source, -1))
		if calls == 0 || calls != named {
			t.Errorf("%s: %d of %d calls name a key of KEYS", script, named, calls)
		}
	}
}
