package main

import (
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestHealth(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/readyz" {
			w.WriteHeader(http.StatusServiceUnavailable)
			_, _ = io.WriteString(w, `{"slack":"no connection","status":"not ready"}`)
			return
		}
		_, _ = io.WriteString(w, `{"status":"alive"}`)
	}))
	defer server.Close()
	there := file(t, "there.yaml", settings+"listen: "+strings.TrimPrefix(server.URL, "http://"))
	nowhere := file(t, "nowhere.yaml", settings+"listen: 127.0.0.1:1")
	rows := []struct {
		name string
		args []string
		code int
		want string
	}{
		{"alive", []string{"health", "-c", there}, 0, `{"status":"alive"}`},
		{"not ready", []string{"health", "--ready", "-c", there}, 1, "no connection"},
		{"away", []string{"health", "-c", nowhere}, 1, "connection refused"},
		{"no configuration", []string{"health", "-c", "/nowhere/x.yaml"}, 1, "no such file"},
	}
	for _, row := range rows {
		if code, out, errs := bot(t, "", row.args...); code != row.code || !strings.Contains(out+errs, row.want) {
			t.Errorf("%s: got %d, %q, %q", row.name, code, out, errs)
		}
	}
}

func TestLocal(t *testing.T) {
	for listen, want := range map[string]string{":8080": "localhost:8080", "0.0.0.0:80": "localhost:80", "[::]:80": "localhost:80", "127.0.0.1:8080": "127.0.0.1:8080", "bot:8080": "bot:8080"} {
		if got := local(listen); got != want {
			t.Errorf("%s: got %s, want %s", listen, got, want)
		}
	}
}
