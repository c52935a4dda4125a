package runbook

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"cdcbot/internal/action"
	"cdcbot/internal/connect"
)

func nth(n int) *int { return &n }

func TestCurl(t *testing.T) {
	const host = "localhost:8083"
	restart := action.RestartConnector{Cluster: host, Connector: "s", OnlyFailed: true}
	pause := action.Transition{Cluster: host, Connector: "s", To: connect.Paused}
	list := action.Look{What: "list", Cluster: host}
	status := func(connector, filter string) action.Look {
		a := action.Look{What: "status", Cluster: host, Connector: connector}
		for _, program := range strings.Split(filter, " | ") {
			if filter != "" && !strings.Contains(filter, "select") {
				a.Pipe = append(a.Pipe, action.Stage{JQ: program})
			}
		}
		if strings.Contains(filter, "select") {
			a.Pipe = action.Pipe{{JQ: filter}}
		}
		return a
	}
	set := func(options ...string) action.Configure {
		a := action.Configure{Cluster: host, Connector: "s", Set: map[string]string{}}
		for i := 0; i < len(options); i += 2 {
			a.Set[options[i]] = options[i+1]
		}
		return a
	}
	for _, row := range []struct {
		name, shell string
		want        action.Action // nil: a manual step
		code        string        // a finding that must be there, "" for none at all
	}{
		{"list", "curl http://localhost:8083/connectors", list, ""},
		{"list with states", "curl 'http://localhost:8083/connectors?expand=status&expand=info'", action.Look{What: "expand", Cluster: host}, ""},
		{"unquoted query", "curl http://localhost:8083/connectors?expand=status", action.Look{What: "expand", Cluster: host}, ""},
		{"status", `curl -sf "http://localhost:8083/connectors/a%20b/status"`, status("a b", ""), ""},
		{"task", "curl localhost:8083/connectors/s/tasks/2/status", action.Look{What: "task", Cluster: host, Connector: "s", Task: 2}, ""},
		{"tasks", "curl localhost:8083/connectors/s/tasks", status("s", ""), ""},
		{"config", "curl localhost:8083/connectors/s/config", action.Look{What: "config", Cluster: host, Connector: "s"}, ""},
		{"info", "curl localhost:8083/connectors/s", action.Look{What: "info", Cluster: host, Connector: "s"}, ""},
		{"offsets", "curl localhost:8083/connectors/s/offsets", action.Look{What: "offsets", Cluster: host, Connector: "s"}, ""},
		{"https", "curl -k https://connect.example/connectors", action.Look{What: "list", Cluster: "connect.example:443"}, ""},
		{"output away", "curl -s -o /dev/null -w '%{http_code}' localhost:8083/connectors 2>/dev/null", list, ""},
		{"errors into output", "curl localhost:8083/connectors 2>&1", list, ""},
		{"trailing slash", "curl localhost:8083/connectors/", list, ""},

		{"jq", "curl -s localhost:8083/connectors | jq '.[]'", action.Look{What: "list", Cluster: host, Pipe: action.Pipe{{JQ: ".[]"}}}, ""},
		{"jq alone", "curl -s localhost:8083/connectors | jq", list, ""},
		{"jq dot", "curl -s localhost:8083/connectors | jq .", list, ""},
		{"jq flags", "curl localhost:8083/connectors/s/status | jq -rc '.tasks[].trace'", status("s", ".tasks[].trace"), ""},
		{"jq unquoted", "curl localhost:8083/connectors/s/status | jq .tasks[0].trace", status("s", ".tasks[0].trace"), ""},
		{"jq in double quotes", `curl localhost:8083/connectors/s/status | jq ".tasks[] | select(.state == \"FAILED\")"`, status("s", `.tasks[] | select(.state == "FAILED")`), ""},
		{"jq twice", "curl localhost:8083/connectors/s/status | jq .tasks | jq length", status("s", ".tasks | length"), ""},
		{"pretty printer", "curl localhost:8083/connectors | python3 -m json.tool", list, ""},
		{"jq that is none", "curl localhost:8083/connectors | jq '.['", action.Look{What: "list", Cluster: host, Pipe: action.Pipe{{JQ: ".["}}}, "bad-jq"},
		{"jq with arguments", "curl localhost:8083/connectors | jq --arg a b '.[]'", nil, unknownCode},
		{"jq of a file", "curl localhost:8083/connectors | jq . x.json", nil, unknownCode},
		{"jq with a blank", "curl localhost:8083/connectors/s/status | jq '.tasks[<n>]'", nil, unknownCode},
		{"tasks through jq", "curl localhost:8083/connectors/s/tasks | jq '.[].id'", nil, unknownCode},
		{"grep", "curl localhost:8083/connectors | grep sink", action.Look{What: "list", Cluster: host, Pipe: action.Pipe{{Grep: &action.Grep{Pattern: "sink"}}}}, ""},
		{"pipe to a shell", "curl http://localhost:8083/connectors | sh", nil, unknownCode},
		{"redirect before a pipe", "curl localhost:8083/connectors > x | jq .", nil, unknownCode},

		{"restart gets its tasks", "curl -X POST http://localhost:8083/connectors/s/restart", restart, "bare-restart"},
		{"only what failed needs includeTasks", "curl -X POST 'localhost:8083/connectors/s/restart?onlyFailed=true'", restart, "bare-restart"},
		{"restart with failed tasks", "curl -X POST 'localhost:8083/connectors/s/restart?includeTasks=true&onlyFailed=true'", restart, ""},
		{"restart with all tasks", "curl -XPOST 'http://localhost:8083/connectors/s/restart?includeTasks=true&onlyFailed=false'", action.RestartConnector{Cluster: host, Connector: "s"}, ""},
		{"restart a task", "curl --request=POST http://localhost:8083/connectors/s/tasks/0/restart", action.RestartConnector{Cluster: host, Connector: "s", Task: nth(0)}, ""},
		{"restart a task that cannot be", "curl -X POST localhost:8083/connectors/s/tasks/99999999999999999999/restart", nil, unknownCode},
		{"letters in one word", "curl -sSfXPUT localhost:8083/connectors/s/pause", pause, ""},
		{"letters with the value behind", "curl -sX PUT localhost:8083/connectors/s/pause", pause, ""},
		{"options behind the URL", "curl localhost:8083/connectors/s/pause --request PUT", pause, ""},
		{"named URL", "curl --url localhost:8083/connectors/s/pause -X put", pause, ""},
		{"resume over lines", "curl -X PUT \\\n  -H 'Content-Type: application/json' \\\n  http://localhost:8083/connectors/s/resume", action.Transition{Cluster: host, Connector: "s", To: connect.Running}, ""},
		{"stop", "curl -X PUT http://localhost:8083/connectors/s/stop", action.Transition{Cluster: host, Connector: "s", To: connect.Stopped}, ""},

		{"partial configuration", `curl -X PUT http://localhost:8083/connectors/s/config -d '{"a.b": "true", "n": 1000000}'`, set("a.b", "true", "n", "1000000"), "partial-put"},
		{"whole configuration", `curl -X PUT localhost:8083/connectors/s/config --json '{"connector.class": "x", "a": true}'`, set("connector.class", "x", "a", "true"), ""},
		{"patch", `curl -X PATCH localhost:8083/connectors/s/config -d "{\"a\": \"1\"}"`, set("a", "1"), ""},
		{"patch takes away", `curl -X PATCH localhost:8083/connectors/s/config -d '{"z": null, "a": null}'`, action.Configure{Cluster: host, Connector: "s", Set: map[string]string{}, Unset: []string{"a", "z"}}, ""},
		{"envelope", `curl -X PUT localhost:8083/connectors/s/config -d '{"name": "s", "config": {"connector.class": "x"}}'`, set("connector.class", "x"), "create-envelope"},
		{"tolerance", `curl -X PATCH localhost:8083/connectors/s/config -d '{"errors.tolerance": "all"}'`, set("errors.tolerance", "all"), "tolerance-all"},
		{"blank in a value", `curl -X PATCH localhost:8083/connectors/s/config -d '{"a": "<b>"}'`, set("a", openMark+"b"+closeMark), ""},
		{"not JSON", `curl -X PUT localhost:8083/connectors/s/config -d '{oops'`, nil, "bad-config"},
		{"no body", `curl -X PUT localhost:8083/connectors/s/config`, nil, "bad-config"},
		{"a list", `curl -X PUT localhost:8083/connectors/s/config -d '[1]'`, nil, "bad-config"},
		{"null", `curl -X PUT localhost:8083/connectors/s/config -d 'null'`, nil, "bad-config"},
		{"empty", `curl -X PUT localhost:8083/connectors/s/config -d '{}'`, nil, "bad-config"},
		{"nested", `curl -X PUT localhost:8083/connectors/s/config -d '{"a": {"b": 1}}'`, nil, "bad-config"},
		{"file", "curl -X PUT http://localhost:8083/connectors/s/config -d @x.json", action.Configure{Cluster: host, Connector: "s", Whole: true, File: "x.json"}, "create-envelope"},
		{"standard input", "curl -X PUT http://localhost:8083/connectors/s/config -d @-", nil, unknownCode},

		{"delete", "curl -X DELETE http://localhost:8083/connectors/s", nil, "delete-as-reset"},
		{"delete in one word", "curl -sXDELETE http://localhost:8083/connectors/s", nil, "delete-as-reset"},
		{"create", `curl -X POST localhost:8083/connectors -d '{}'`, nil, "bad-config"},
		{"reset offsets", "curl -X DELETE localhost:8083/connectors/s/offsets", action.AlterOffsets{Cluster: host, Connector: "s"}, offsetsCode},
		{"alter offsets", "curl -X PATCH localhost:8083/connectors/s/offsets -d '{}'", nil, "bad-offsets"},
		{"credentials", "curl -u a:b localhost:8083/connectors", list, "credentials"},
		{"credentials in the URL", "curl http://a:b@localhost:8083/connectors", list, "credentials"},
		{"credentials in a header", "curl -H 'Authorization: Bearer x' localhost:8083/connectors", list, "credentials"},

		{"another service", "curl -X POST http://localhost:8081/subjects", nil, unknownCode},
		{"head", "curl -I http://localhost:8083/connectors", list, ""},
		{"data makes it a POST", "curl localhost:8083/connectors/s/status -d x=1", nil, unknownCode},
		{"data for the query", "curl -G localhost:8083/connectors -d expand=status", action.Look{What: "expand", Cluster: host}, ""},
		{"encoded data for the query", "curl -G localhost:8083/connectors --data-urlencode 'expand=status info'", action.Look{What: "expand", Cluster: host}, ""},
		{"encoded file", "curl -G localhost:8083/connectors --data-urlencode a@b", nil, unknownCode},
		{"upload", "curl -T x localhost:8083/connectors", nil, unknownCode},
		{"form", "curl -F a=b localhost:8083/connectors", nil, unknownCode},
		{"next", "curl localhost:8083/connectors --next localhost:8083/", nil, unknownCode},
		{"to a file", "curl -o x localhost:8083/connectors", nil, unknownCode},
		{"an option without its value", "curl localhost:8083/connectors -X", nil, unknownCode},
		{"a long option without its value", "curl localhost:8083/connectors --request", nil, unknownCode},
		{"no URL", "curl -s", nil, unknownCode},
		{"another scheme", "curl file:///etc/passwd", nil, unknownCode},
		{"brackets", "curl 'localhost:8083/connectors/{a,b}/status'", nil, unknownCode},
		{"ranges", "curl 'localhost:8083/connectors/s/tasks/[0-2]/status'", nil, unknownCode},
		{"brackets as they are", "curl -g 'localhost:8083/connectors/a[1]/status'", status("a[1]", ""), ""},
		{"two URLs", "curl http://localhost:8083/connectors http://localhost:8083/", nil, unknownCode},

		{"substitution", "curl http://localhost:8083/connectors/$(hostname)/status", nil, unknownCode},
		{"backticks", "curl http://localhost:8083/connectors/`hostname`/status", nil, unknownCode},
		{"variable", `curl "http://localhost:8083/connectors/$NAME/status"`, status(openMark+"NAME"+closeMark, ""), ""},
		{"braces of the shell", "curl localhost:8083/connectors/{a,b}/status", nil, unknownCode},
		{"file names", "curl localhost:8083/connectors/*/status", nil, unknownCode},
		{"redirect", "curl http://localhost:8083/connectors > x", nil, unknownCode},
		{"sudo", "sudo curl http://localhost:8083/connectors", list, ""},
		{"loop", "for i in $(list); do curl -X POST http://localhost:8083/connectors/s/restart; done", nil, unknownCode},
		{"function", "f() { curl -X POST localhost:8083/connectors/s/restart; }", nil, unknownCode},
		{"subshell", "(curl -X POST localhost:8083/connectors/s/restart)", nil, unknownCode},
		{"and", "curl -X PUT http://localhost:8083/connectors/s/pause || rm -rf /", nil, unknownCode},
		{"or", "curl localhost:8083/connectors || exit 1", nil, unknownCode},
		{"background", "curl -X PUT http://localhost:8083/connectors/s/pause &", nil, unknownCode},
		{"negated", "! curl localhost:8083/connectors", nil, unknownCode},
		{"background pipe", "curl localhost:8083/connectors | jq . &", nil, unknownCode},
		{"environment", "X=1 curl -X PUT http://localhost:8083/connectors/s/pause", pause, ""},
	} {
		t.Run(row.name, func(t *testing.T) {
			b, s := one(t, row.shell)
			if len(s.Common) != 1 {
				t.Fatalf("%q made %d steps, want 1", row.shell, len(s.Common))
			}
			if diff := cmp.Diff(row.want, s.Common[0].Action); diff != "" {
				t.Errorf("%q (-want +got):\n%s", row.shell, diff)
			}
			if row.want == nil && !strings.Contains(s.Common[0].Manual, "yourself") {
				t.Errorf("%q: manual step says %q", row.shell, s.Common[0].Manual)
			}
			checkCodes(t, row.shell, b.Findings, row.code)
		})
	}
}

// checkCodes wants one finding of a code, or none but that the test's book has no alert.
func checkCodes(t *testing.T, input string, findings []Finding, want string) {
	t.Helper()
	var got []string
	for _, f := range findings {
		if f.Code != "no-alert" && !(f.Code == "partial-put" && want != "partial-put") {
			got = append(got, f.Code)
		}
		if f.Line < 1 || f.Column < 1 || f.Text == "" || f.Level == "" {
			t.Errorf("%q: finding %+v has no place or text", input, f)
		}
	}
	if strings.Join(got, " ") != want {
		t.Errorf("%q: findings %q, want %q", input, got, want)
	}
}

func TestToleranceIsTakenBack(t *testing.T) {
	all := `curl -X PATCH localhost:8083/connectors/s/config -d '{"errors.tolerance": "all"}'`
	none := `curl -X PATCH localhost:8083/connectors/s/config -d '{"errors.tolerance": "none"}'`
	unset := `curl -X PATCH localhost:8083/connectors/s/config -d '{"errors.tolerance": null}'`
	other := `curl -X PATCH localhost:8083/connectors/o/config -d '{"errors.tolerance": "none"}'`
	for _, row := range []struct{ name, shell, want string }{
		{"taken back", all + "\n" + none, ""},
		{"removed", all + "\n" + unset, ""},
		{"another connector's", all + "\n" + other, "tolerance-all"},
		{"before it", none + "\n" + all, "tolerance-all"},
		{"in one option only", "# Option 1: A\n" + all + "\n# Back\n" + none + "\n# Option 2: B\n" + all, "tolerance-all"},
		{"in what is common", "# Option 1: A\n" + all + "\n# Option 2: B\n" + pauseS + "\n# Back\n" + none, ""},
	} {
		b, _ := one(t, row.shell)
		checkCodes(t, row.shell, b.Findings, row.want)
	}
}

func TestHabits(t *testing.T) {
	for _, row := range []struct{ name, shell, want string }{
		{"terminal", "docker exec -it cdc-kafka ls", unknownCode + " docker-exec-it"},
		{"terminal of compose", "docker compose exec -ti kafka ls", unknownCode + " docker-exec-it"},
		{"no terminal", "docker exec cdc-kafka ls", unknownCode},
		{"a terminal inside is not ours", "docker run -it x", unknownCode},
		{"root", "vault login root", rootToken},
		{"root in a container", "docker exec vault vault login root", rootToken},
		{"token typed", "vault login <token>", rootToken},
		{"other logins", "vault login -method=userpass username=x", rootToken},
	} {
		b, _ := one(t, row.shell)
		checkCodes(t, row.shell, b.Findings, row.want)
	}
}
