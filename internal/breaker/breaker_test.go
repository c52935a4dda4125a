package breaker

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

var errAway = fmt.Errorf("dial tcp 127.0.0.1:1: %w", syscall.ECONNREFUSED)

func ask(b *Breaker, end error) error { return b.Do(func() error { return end }) }

func fail(t *testing.T, b *Breaker, times int) {
	t.Helper()
	for range times {
		if err := ask(b, errAway); !errors.Is(err, errAway) {
			t.Fatalf("got %v", err)
		}
	}
}

func TestBreaker(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var changes []State
		s := New(Options{Failures: 3, Pause: 10 * time.Second, Changed: func(target string, now State) {
			if target != "warehouse/postgres" {
				t.Errorf("change of %s", target)
			}
			changes = append(changes, now)
		}})
		b := s.Of("warehouse/postgres")
		fail(t, b, 2)
		if err := ask(b, nil); err != nil || b.State() != Closed {
			t.Fatalf("a success in between: got %v, %s", err, b.State())
		}
		fail(t, b, 3)
		opened := time.Now()
		time.Sleep(4 * time.Second)

		err := ask(b, nil)
		var resting *RestingError
		if !errors.As(err, &resting) || !errors.Is(err, syscall.ECONNREFUSED) || b.State() != Open || b.Err() == nil {
			t.Fatalf("open: got %v, %s", err, b.State())
		}
		want := "the breaker of warehouse/postgres is open since " + opened.UTC().Format("15:04:05 UTC") + ", after 3 failures in a row; next try in 6s"
		if err.Error() != want || !resting.Resting().Equal(opened.Add(10*time.Second)) {
			t.Errorf("got %q at %s, want %q", err, resting.Resting(), want)
		}

		time.Sleep(6*time.Second + 1)
		fail(t, b, 1) // the one question after the pause decides
		if err := ask(b, nil); !errors.As(err, &resting) || !resting.Since.Equal(opened) || resting.Row != 4 {
			t.Errorf("open again: got %v", err)
		}
		time.Sleep(10*time.Second + 1)
		under := make(chan struct{})
		var all sync.WaitGroup
		all.Go(func() {
			if err := b.Do(func() error { <-under; return nil }); err != nil {
				t.Errorf("the one question: %v", err)
			}
		})
		synctest.Wait()
		if err := ask(b, nil); err == nil || !strings.HasSuffix(err.Error(), "a try is under way") {
			t.Errorf("besides the one question: got %v", err)
		}
		close(under)
		all.Wait()
		if err := ask(b, nil); err != nil || b.State() != Closed || b.Err() != nil {
			t.Errorf("closed: got %v, %s", err, b.State())
		}
		if got := fmt.Sprint(changes); got != "[open half-open open half-open closed]" {
			t.Errorf("changes: %s", got)
		}
	})
}

// Who gives up learns nothing about the target; a deadline that ended does.
func TestGivingUpDoesNotCount(t *testing.T) {
	b := New(Options{Failures: 2}).Of("x")
	for range 5 {
		if err := ask(b, context.Canceled); !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
	}
	if b.State() != Closed {
		t.Errorf("after giving up: %s", b.State())
	}
	for range 2 {
		_ = ask(b, context.DeadlineExceeded)
	}
	if b.State() != Open {
		t.Errorf("after deadlines: %s", b.State())
	}
}

type answers func(*http.Request) (*http.Response, error)

func (f answers) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

func TestTransport(t *testing.T) {
	b := New(Options{Failures: 2}).Of("warehouse/registry")
	request, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://x", io.NopCloser(strings.NewReader("x")))
	if err != nil {
		t.Fatal(err)
	}
	for _, status := range []int{404, 401, 503, 500, 409} {
		answer, err := b.Transport(answers(func(*http.Request) (*http.Response, error) {
			return &http.Response{StatusCode: status, Body: http.NoBody}, nil
		})).RoundTrip(request)
		if err != nil || answer.StatusCode != status || b.State() != Closed {
			t.Fatalf("%d: %v, %s", status, err, b.State())
		}
		_ = answer.Body.Close()
	}
	asked := 0
	away := b.Transport(answers(func(*http.Request) (*http.Response, error) { asked++; return nil, errAway }))
	for range 4 {
		if answer, err := away.RoundTrip(request); !errors.Is(err, syscall.ECONNREFUSED) || answer != nil {
			t.Fatalf("got %v", err)
		}
	}
	if asked != 2 {
		t.Errorf("asked %d times", asked)
	}
}

// A server that takes connections and says nothing opens the breaker as one that is not there.
func TestDial(t *testing.T) {
	rows := []struct {
		name  string
		serve func(net.Conn)
		use   func(context.Context, net.Conn)
		want  State
	}{
		{"it answers", func(c net.Conn) { _, _ = c.Write([]byte("x")) }, read, Closed},
		{"it hangs up", func(c net.Conn) { _ = c.Close() }, read, Open},
		{"it is silent", func(net.Conn) {}, func(_ context.Context, c net.Conn) {
			_ = c.SetReadDeadline(time.Now().Add(time.Second))
			_, _ = c.Read(make([]byte, 1))
		}, Open},
		{"it is silent until the deadline", func(net.Conn) {}, func(ctx context.Context, c net.Conn) {
			context.AfterFunc(ctx, func() { _ = c.Close() })
			_, _ = c.Read(make([]byte, 1))
		}, Open},
		{"nobody reads", func(net.Conn) {}, func(_ context.Context, c net.Conn) { _ = c.Close() }, Closed},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				b := New(Options{Failures: 1}).Of("x")
				dial := b.Dial(func(context.Context, string, string) (net.Conn, error) {
					here, there := net.Pipe()
					go row.serve(there)
					t.Cleanup(func() { _ = there.Close() })
					return here, nil
				})
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				defer cancel()
				conn, err := dial(ctx, "tcp", "x:1")
				if err != nil {
					t.Fatal(err)
				}
				row.use(ctx, conn)
				_ = conn.Close()
				if b.State() != row.want {
					t.Errorf("got %s, want %s", b.State(), row.want)
				}
			})
		})
	}
}

func read(_ context.Context, c net.Conn) { _, _ = c.Read(make([]byte, 1)) }

func TestDialThatFails(t *testing.T) {
	b := New(Options{Failures: 1}).Of("x")
	dial := b.Dial(func(context.Context, string, string) (net.Conn, error) { return nil, errAway })
	if _, err := dial(t.Context(), "tcp", "x:1"); !errors.Is(err, errAway) {
		t.Error(err)
	}
	var resting *RestingError
	if _, err := dial(t.Context(), "tcp", "x:1"); !errors.As(err, &resting) {
		t.Error(err)
	}
}

func TestForgive(t *testing.T) {
	var changes []State
	s := New(Options{Failures: 1, Pause: time.Hour, Changed: func(_ string, now State) { changes = append(changes, now) }})
	ours, others := s.Of("warehouse/postgres"), s.Of("shop/postgres")
	fail(t, ours, 1)
	fail(t, others, 1)
	s.Of("warehouse/connect")
	s.Forgive("warehouse/")
	if ours.State() != Closed || others.State() != Open || ours.Err() != nil {
		t.Errorf("got %s, %s", ours.State(), others.State())
	}
	if err := ask(ours, nil); err != nil || fmt.Sprint(changes) != "[open open closed]" {
		t.Errorf("got %v, %v", err, changes)
	}
	var none *Set
	none.Forgive("")
}

// Without a set nothing is guarded.
func TestNil(t *testing.T) {
	var s *Set
	b := s.Of("x")
	if err := ask(b, errAway); !errors.Is(err, errAway) || b.Err() != nil || s.All() != nil || b.Dial(nil) != nil || b.Transport(nil) != nil {
		t.Error(err)
	}
}

func TestSet(t *testing.T) {
	s := New(Options{})
	s.Of("b")
	if s.Of("a") != s.Of("a") {
		t.Error("one name has two breakers")
	}
	all := s.All()
	if len(all) != 2 || all[0].Target() != "a" || all[1].Target() != "b" {
		t.Errorf("got %v", all)
	}
	fail(t, s.Of("a"), 5)
	if all[0].State() != Open || all[1].State() != Closed {
		t.Errorf("got %s, %s", all[0].State(), all[1].State())
	}
}
