package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// surroundings answer as Vault and as a Docker engine do, with a script's own words: what they say is planted. The files
// vault-credentials, vault-refusal and worker-log are read once.
type surroundings struct{ credentials, refusal, log string }

func (s surroundings) start() *httptest.Server { return httptest.NewServer(http.HandlerFunc(s.answer)) }

func (s surroundings) answer(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Api-Version", "1.47")
	path := r.URL.Path
	switch {
	case strings.HasPrefix(path, "/v1/database/creds/"):
		_, _ = w.Write([]byte(s.credentials))
	case strings.HasPrefix(path, "/v1/sys/health"):
		_, _ = w.Write([]byte(`{"initialized":true,"sealed":false,"standby":false,"version":"1.21.1"}`))
	case strings.HasPrefix(path, "/v1/"):
		w.WriteHeader(http.StatusForbidden)
		_, _ = w.Write([]byte(s.refusal))
	case strings.HasSuffix(path, "/logs"):
		_, _ = w.Write([]byte(s.log))
	case strings.HasSuffix(path, "/containers/json"):
		_, _ = w.Write([]byte("[]"))
	case strings.HasSuffix(path, "/json"):
		_, _ = w.Write([]byte(`{"Id":"c1","Name":"/cdc-kafka-connect","State":{"Status":"running","Running":true},"Config":{"Tty":true,"Labels":{}}}`))
	}
}

// plant adds a connector with the configuration in a file.
func plant(ts *testscript.TestScript, _ bool, args []string) {
	var config map[string]string
	ts.Check(json.Unmarshal([]byte(ts.ReadFile(args[1])), &config))
	ts.Check(of(ts).worker.AddConnector(args[0], config))
}
