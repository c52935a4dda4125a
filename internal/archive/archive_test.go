package archive

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"cdcbot/internal/lab"
)

// onLab is an archive in the lab's PostgreSQL, and incident names that nobody else uses.
func onLab(t *testing.T) (*Store, func(n int) string) {
	t.Helper()
	s, err := New(Options{URL: lab.Require(t, lab.Postgres).PostgresRoot})
	if err != nil {
		t.Fatal(err)
	}
	run := time.Now().UnixNano()
	return s, func(n int) string { return fmt.Sprintf("INC-%d%d", run, n) }
}

// A record comes back byte by byte, and nothing that comes later changes it.
func TestRecordsStay(t *testing.T) {
	s, name := onLab(t)
	odd := Record{Incident: name(1), Head: "h1", Events: 3, Export: "{ \"b\": 1, \"a\" : [1.0, \"é\u2028\\u0000\"],\r\n \"a\": 2 }\n"}
	for range 2 {
		if err := s.Put(t.Context(), odd); err != nil {
			t.Fatal(err)
		}
	}
	forged := odd
	forged.Export = "another"
	if err := s.Put(t.Context(), forged); err != nil {
		t.Fatal(err)
	}
	got, err := s.Get(t.Context(), odd.Incident, "h1")
	if err != nil || got.Export != odd.Export || got.Events != 3 || got.At.IsZero() {
		t.Errorf("read %+v, %v", got, err)
	}
	later := Record{Incident: odd.Incident, Head: "h2", Events: 5, Export: "later"}
	if err := s.Put(t.Context(), later); err != nil {
		t.Fatal(err)
	}
	if got, err := s.Get(t.Context(), odd.Incident, ""); err != nil || got.Head != "h2" {
		t.Errorf("the newest is %+v, %v", got, err)
	}
	if got, err := s.Get(t.Context(), odd.Incident, "h1"); err != nil || got.Export != odd.Export {
		t.Errorf("the older one is %+v, %v", got, err)
	}
	if _, err := s.Get(t.Context(), name(2), ""); !errors.Is(err, ErrNotFound) {
		t.Errorf("an unknown incident: %v, want ErrNotFound", err)
	}
}

func TestErrorsNameWhatIsWrong(t *testing.T) {
	const secret = "Zq7kPlantedSecret"
	for _, row := range []struct {
		name string
		o    Options
		want string
	}{
		{"no url", Options{}, "archive url"},
		{"not a url", Options{URL: "postgres://u:" + secret + "@h:notaport/db"}, "archive url"},
		{"nobody there", Options{URL: "postgres://u:" + secret + "@127.0.0.1:1/db"}, "connecting to 127.0.0.1"},
		{"no password file", Options{URL: "postgres://u@127.0.0.1:1/db", PasswordFile: "/nowhere/password"}, "/nowhere/password"},
	} {
		s, err := New(row.o)
		if err == nil {
			_, err = s.Get(t.Context(), "INC-1", "")
		}
		if err == nil || !strings.Contains(err.Error(), row.want) || strings.Contains(err.Error(), secret) {
			t.Errorf("%s: %v, want %q and no secret", row.name, err, row.want)
		}
	}
}
