package remediation

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/alicebob/miniredis/v2"
	"github.com/redis/go-redis/v9"
	"go.uber.org/zap"

	"cdcbot/internal/action"
	"cdcbot/internal/alert"
	"cdcbot/internal/approval"
	"cdcbot/internal/connect"
	"cdcbot/internal/connect/connecttest"
	"cdcbot/internal/diagnosis"
	"cdcbot/internal/incident"
	"cdcbot/internal/runbook"
	"cdcbot/internal/seal"
	"cdcbot/internal/timeline"
)

// room is a thread that keeps the newest view.
type room struct {
	mu    sync.Mutex
	last  View
	away  bool // files cannot be posted
	files []File
}

func (r *room) Show(_ context.Context, v View) (incident.Thread, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.last = v
	return incident.Thread{Channel: "C1", TS: "1.1"}, nil
}

func (r *room) Attach(_ context.Context, _ incident.Thread, f File) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.away {
		return errors.New("slack is away")
	}
	r.files = append(r.files, f)
	return nil
}

// later is a queue that keeps jobs until a test works on them; the same ID is kept once, as asynq does.
type later struct {
	mu   sync.Mutex
	jobs []Job
}

func (q *later) Enqueue(_ context.Context, j Job, _ time.Time) error {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.jobs = append(q.jobs, j)
	return nil
}

// take removes the waiting jobs of a kind.
func (q *later) take(kind JobKind) []Job {
	q.mu.Lock()
	defer q.mu.Unlock()
	var taken, rest []Job
	for _, j := range q.jobs {
		if j.Kind == kind {
			taken = append(taken, j)
		} else {
			rest = append(rest, j)
		}
	}
	q.jobs = rest
	return taken
}

type everybody struct{}

func (everybody) Person(_ context.Context, id string) (approval.Person, error) {
	return approval.Person{ID: id, Name: strings.ToLower(strings.TrimPrefix(id, "U")), Human: true, Active: true}, nil
}

func (e everybody) Anew(ctx context.Context, id string) (approval.Person, error) {
	return e.Person(ctx, id)
}

// books is a library that a test may change.
type books map[string]*runbook.Book

func (b books) Book(name string) (*runbook.Book, bool) { book, ok := b[name]; return book, ok }

func (b books) Answers(name string) (*runbook.Book, bool) {
	for _, book := range b {
		if book.Answers(name) {
			return book, true
		}
	}
	return nil, false
}

const runbookText = "# T\n\n**Alert**: `KafkaConnectTaskFailure`\n\n## Root Causes\n\n### Cause 1: Database Connection Failure\n\n**Symptom**:\n- Error: `Connection refused`\n\n**Solution**:\n```bash\n# If PostgreSQL is down\nhelm rollback postgres\n\n# Ask the database team\nmake-a-call\n\n# Restart\ncurl -X POST \"http://localhost:8083/connectors/sink/restart?includeTasks=true&onlyFailed=true\"\n```\n"

// stage is a corridor with a simulated worker, an embedded Redis, and jobs that run when a test says so.
type stage struct {
	*Flow
	t      *testing.T
	redis  *miniredis.Miniredis
	worker *connecttest.Worker
	queue  *later
	room   *room
	books  books
	client *connect.Client
}

type world struct {
	action.Nothing
	client *connect.Client
}

func (w world) Connect(string) (action.Connect, error) { return w.client, nil }

func newStage(t *testing.T) *stage {
	t.Helper()
	s := &stage{t: t, redis: miniredis.RunT(t), worker: connecttest.New(connecttest.Options{}), queue: &later{}, room: &room{}, books: books{}}
	rdb := redis.NewClient(&redis.Options{Addr: s.redis.Addr(), MaxRetries: -1})
	t.Cleanup(func() { _ = rdb.Close() })
	url, err := s.worker.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.worker.Close() })
	s.worker.AddConnector("sink", map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "topics": "orders", "connection.url": "jdbc:x"})
	client, err := connect.New(connect.Options{Cluster: "warehouse", URL: url})
	if err != nil {
		t.Fatal(err)
	}
	book, err := runbook.Compile("book", []byte(runbookText))
	if err != nil {
		t.Fatal(err)
	}
	s.books["book"] = book
	keys, err := seal.Parse("k1:" + strings.Repeat("5a", 32))
	if err != nil {
		t.Fatal(err)
	}
	s.Flow = &Flow{Incidents: &incident.Store{Redis: rdb, Now: time.Now}, Timeline: &timeline.Log{Redis: rdb, Now: time.Now}, Approvals: &approval.Store{Redis: rdb, Now: time.Now, Seal: keys}, Journal: &Journal{Redis: rdb, Seal: keys},
		People: everybody{}, Library: s.books, Room: s.room, Queue: s.queue, Redact: func(text string) string { return text }, Now: time.Now, Log: zap.NewNop(), Replica: "test",
		Quiet: time.Minute, Settle: 0, Verify: 3 * time.Second, Poll: 20 * time.Millisecond, Route: func(alert.Alert) string { return "warehouse" }, Painter: NewPainter(s.room)}
	s.Painter.View, s.Painter.Journal, s.Painter.Threads, s.Painter.Owner, s.Painter.Log = s.View, s.Journal, s.Incidents, "test", s.Log
	s.Pipelines, s.client = map[string]Pipeline{"warehouse": s.pipeline(client)}, client
	return s
}

func (s *stage) pipeline(client *connect.Client) Pipeline {
	collector := &diagnosis.Collector{Connect: map[string]diagnosis.ConnectReader{"warehouse": client}, Now: time.Now, Probes: []diagnosis.Prober{diagnosis.Look("postgres", "SELECT 1", func(context.Context) (string, error) { return "answers", s.worker.Database() })}}
	return Pipeline{Name: "warehouse", Cluster: "warehouse", World: world{client: client}, Targets: runbook.Targets{Clusters: map[string]string{"localhost:8083": "warehouse"}, Default: "warehouse"},
		Collect: func(ctx context.Context, suspects []string) diagnosis.Evidence {
			return collector.Collect(ctx, "warehouse", suspects)
		},
		Offsets: func(ctx context.Context, name string) (string, error) {
			list, err := client.Offsets(ctx, name)
			return fmt.Sprint(list), err
		},
		Rows: map[string]func(context.Context) (int64, error){"cdc_orders": func(context.Context) (int64, error) { return int64(s.worker.Rows()), s.worker.Database() }}}
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

// fire lets the sink fail and the alert arrive; it returns the incident's ID.
func (s *stage) fire() string {
	s.t.Helper()
	s.must(s.worker.Fail("sink", -1, "java.net.ConnectException: Connection refused"))
	s.must(s.Receive(s.t.Context(), []alert.Alert{{Source: "alertmanager", Name: "KafkaConnectTaskFailure", Status: alert.Firing, Connector: "sink", Task: "0", StartsAt: time.Now(), Fingerprint: "f"}}))
	s.must(s.Painter.paint(s.t.Context(), "INC-1")) // the trace is attached to a thread that exists
	for _, j := range s.queue.take(Investigate) {
		s.must(s.Work(s.t.Context(), j))
	}
	return "INC-1"
}

// agree asks for a plan and approves it; the run waits in the queue.
func (s *stage) agree(recipe approval.Recipe) approval.Request {
	s.t.Helper()
	req, err := s.Ask(s.t.Context(), Wish{Incident: "INC-1", Recipe: recipe, By: Person{ID: "UONCALL", Name: "oncall"}})
	s.must(err)
	yes := Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: "UAPPROVER", Name: "approver"}}
	if req.Risk == "high" {
		yes.Typed = "sink"
	}
	req, err = s.Decide(s.t.Context(), yes)
	s.must(err)
	return req
}

func (s *stage) count(kind timeline.Type) int {
	s.t.Helper()
	events, err := s.Timeline.Events(s.t.Context(), "INC-1")
	s.must(err)
	s.must(timeline.Verify(events))
	n := 0
	for _, e := range events {
		if e.Type == kind {
			n++
		}
	}
	return n
}

func (s *stage) run() Run {
	s.t.Helper()
	r, err := s.Journal.Run(s.t.Context(), "INC-1", "RUN-1")
	s.must(err)
	return r
}

// flowing lets records happen while do runs, so that verification sees progress.
func (s *stage) flowing(do func()) {
	ctx, cancel := context.WithCancel(s.t.Context())
	var group sync.WaitGroup
	group.Go(func() {
		ticker := time.NewTicker(20 * time.Millisecond)
		defer ticker.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-ticker.C:
				s.worker.Produce(1)
			}
		}
	})
	do()
	cancel()
	group.Wait()
}

func restartSink() approval.Recipe { return RecipeFor(Restart, []string{"sink"}, nil) }

func TestTwoJobsOfOneRunRunItOnce(t *testing.T) {
	s := newStage(t)
	s.worker.AddConnector("source", map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": "orders"})
	s.fire()
	s.agree(restartSink())
	jobs := s.queue.take(Execute)
	if len(jobs) != 1 {
		t.Fatalf("%d runs wait, want 1", len(jobs))
	}
	s.flowing(func() {
		var group sync.WaitGroup
		for range 4 {
			group.Go(func() {
				if err := s.Work(t.Context(), jobs[0]); err != nil && !errors.Is(err, incident.ErrLeaseHeld) {
					t.Error(err)
				}
			})
		}
		group.Wait()
	})
	s.must(s.Work(t.Context(), jobs[0])) // asynq may hand a finished job out again
	for kind, want := range map[timeline.Type]int{timeline.RunStarted: 1, timeline.StepStarted: 1, timeline.StepSucceeded: 1, timeline.VerificationPassed: 1, timeline.RunFinished: 1} {
		if got := s.count(kind); got != want {
			t.Errorf("%s: %d events, want %d", kind, got, want)
		}
	}
	inc, err := s.Incidents.Get(t.Context(), "INC-1")
	s.must(err)
	if inc.State != incident.Monitoring || s.run().State != Fixed {
		t.Errorf("incident %s, run %s; want monitoring and fixed", inc.State, s.run().State)
	}
}

// deed is an action that a test watches.
type deed struct {
	visible    bool
	look       error
	idempotent bool
	ran        *int
	before     func() error
}

func (deed) Kind() string                                          { return "test.deed" }
func (deed) Effect() string                                        { return "Does a deed." }
func (deed) Risk() action.Risk                                     { return action.Change }
func (deed) Target() string                                        { return "test" }
func (deed) Deadline() time.Duration                               { return time.Second }
func (d deed) Idempotent() bool                                    { return d.idempotent }
func (d deed) Observe(context.Context, action.World) (bool, error) { return d.visible, d.look }
func (d deed) Run(context.Context, action.World) (action.Output, error) {
	*d.ran++
	if d.before != nil {
		return action.Output{}, d.before()
	}
	return action.Output{Text: "done"}, nil
}

// execution of one step as it stands in the journal.
func (s *stage) execution(state StepState) *execution {
	s.t.Helper()
	inc, err := s.Incidents.Get(s.t.Context(), "INC-1")
	s.must(err)
	return &execution{Flow: s.Flow, inc: inc, token: 1, run: Run{ID: "RUN-1", Incident: "INC-1", State: Running, Steps: []RunStep{{Title: "deed", State: state, StartedAt: time.Now(), Attempt: 1}}}}
}

// After a crash the bot looks; it does not guess.
func TestResumeLooksFirst(t *testing.T) {
	for _, row := range []struct {
		name    string
		deed    deed
		ran     int
		state   StepState
		going   bool
		waiting bool
	}{
		{"the effect is visible", deed{visible: true}, 0, StepSucceeded, true, false},
		{"not visible, may run twice", deed{idempotent: true}, 1, StepSucceeded, true, false},
		{"not visible, may not run twice", deed{}, 0, StepUnknown, false, true},
		{"cannot be seen, may not run twice", deed{look: errors.New("no answer")}, 0, StepUnknown, false, true},
		{"cannot be seen, may run twice", deed{look: errors.New("no answer"), idempotent: true}, 1, StepSucceeded, true, false},
	} {
		t.Run(row.name, func(t *testing.T) {
			s := newStage(t)
			s.fire()
			ran := 0
			row.deed.ran = &ran
			x := s.execution(StepRunning)
			going, err := x.step(t.Context(), 0, runbook.Step{Title: "deed", Action: row.deed}, world{})
			s.must(err)
			if step := x.run.Steps[0]; ran != row.ran || step.State != row.state || going != row.going || (x.run.State == Waiting) != row.waiting {
				t.Errorf("ran %d times, step %s, going %v, run %s; want %d, %s, %v", ran, step.State, going, x.run.State, row.ran, row.state, row.going)
			}
			if row.deed.visible && !x.run.Steps[0].Observed {
				t.Error("success by observation is not marked")
			}
		})
	}
}

// No action runs before its start is durable.
func TestStepsAreWrittenAhead(t *testing.T) {
	s := newStage(t)
	s.fire()
	ran := 0
	d := deed{ran: &ran, idempotent: true}
	d.before = func() error {
		if s.count(timeline.StepStarted) != 1 {
			return errors.New("step.started is not in the timeline while the action runs")
		}
		return nil
	}
	x := s.execution(StepPending)
	if going, err := x.step(t.Context(), 0, runbook.Step{Title: "deed", Action: d}, world{}); err != nil || !going {
		t.Errorf("going %v, %v, step: %+v", going, err, x.run.Steps[0])
	}
	s.redis.SetError("LOADING the store is away")
	y := s.execution2(x)
	if _, err := y.step(t.Context(), 0, runbook.Step{Title: "deed", Action: d}, world{}); err == nil || ran != 1 {
		t.Errorf("with the timeline away: error %v, the action ran %d times, want 1", err, ran)
	}
}

// execution2 is the next step of the same run; it reads nothing from the store.
func (s *stage) execution2(x *execution) *execution {
	return &execution{Flow: s.Flow, inc: x.inc, token: 1, run: Run{ID: "RUN-2", Incident: "INC-1", State: Running, Steps: []RunStep{{Title: "deed", State: StepPending}}}}
}

func TestLateHolderIsFencedOff(t *testing.T) {
	s := newStage(t)
	r := Run{ID: "RUN-1", Incident: "INC-1", State: Running}
	s.must(s.Journal.SaveRun(t.Context(), r, 7))
	r.State = Failed
	if err := s.Journal.SaveRun(t.Context(), r, 6); !errors.Is(err, ErrFenced) {
		t.Errorf("an older token: got %v, want ErrFenced", err)
	}
	if got := s.run().State; got != Running {
		t.Errorf("the run became %s", got)
	}
	s.must(s.Journal.SaveRun(t.Context(), r, 8))
}

// What people agreed to must be what runs: an edited runbook voids the request, before and after the approval.
func TestEditedRunbookVoidsTheRequest(t *testing.T) {
	edited := func(t *testing.T) *runbook.Book {
		book, err := runbook.Compile("book", []byte(runbookText+"\nA new sentence.\n"))
		if err != nil {
			t.Fatal(err)
		}
		return book
	}
	recipe := approval.Recipe{Runbook: "book", Section: "cause-1-database-connection-failure"}
	t.Run("before approval", func(t *testing.T) {
		s := newStage(t)
		s.fire()
		req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: recipe, By: Person{ID: "UONCALL"}})
		s.must(err)
		s.books["book"] = edited(t)
		_, err = s.Decide(t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: "UAPPROVER"}})
		if !errors.Is(err, ErrChanged) || s.count(timeline.PlanVoided) != 1 || len(s.queue.take(Execute)) != 0 {
			t.Errorf("got %v, %d void events", err, s.count(timeline.PlanVoided))
		}
	})
	t.Run("after approval", func(t *testing.T) {
		s := newStage(t)
		s.fire()
		s.agree(recipe)
		s.books["book"] = edited(t)
		s.must(s.Work(t.Context(), s.queue.take(Execute)[0]))
		if s.run().State != Failed || s.count(timeline.StepStarted) != 0 {
			t.Errorf("run %s, %d steps started; want failed and none", s.run().State, s.count(timeline.StepStarted))
		}
	})
}

// A guarded step is skipped when its target answers; a manual one waits for a person; then the run goes on.
func TestManualStepWaitsForAPerson(t *testing.T) {
	s := newStage(t)
	s.worker.AddConnector("source", map[string]string{"connector.class": "org.apache.kafka.connect.file.FileStreamSourceConnector", "topic": "orders"})
	s.fire()
	s.agree(approval.Recipe{Runbook: "book", Section: "cause-1-database-connection-failure"})
	s.must(s.Work(t.Context(), s.queue.take(Execute)[0]))
	r := s.run()
	if r.Steps[0].State != StepSkipped || r.Steps[1].State != StepWaiting || r.State != Waiting {
		t.Fatalf("steps %s and %s, run %s; want skipped, waiting, waiting", r.Steps[0].State, r.Steps[1].State, r.State)
	}
	who := Person{ID: "UONCALL", Name: "oncall"}
	if err := s.Done(t.Context(), "INC-1", "RUN-1", 3, who); !errors.Is(err, ErrNotWaiting) {
		t.Errorf("a step that does not wait: got %v", err)
	}
	s.must(s.Done(t.Context(), "INC-1", "RUN-1", 2, who))
	s.flowing(func() { s.must(s.Work(t.Context(), s.queue.take(Execute)[0])) })
	if r := s.run(); r.State != Fixed || r.Steps[1].By != "UONCALL" {
		t.Errorf("run %s (%s), step 2 by %s", r.State, r.Verdict, r.Steps[1].By)
	}
}

func TestCancelStopsBeforeTheNextStep(t *testing.T) {
	s := newStage(t)
	s.fire()
	s.agree(restartSink())
	s.must(s.Cancel(t.Context(), "INC-1", "RUN-1", Person{ID: "UMANAGER", Name: "manager"}))
	s.must(s.Work(t.Context(), s.queue.take(Execute)[0]))
	if s.run().State != Cancelled || s.count(timeline.StepStarted) != 0 || s.count(timeline.RunCancelled) != 1 {
		t.Errorf("run %s, %d steps started", s.run().State, s.count(timeline.StepStarted))
	}
	if err := s.Cancel(t.Context(), "INC-1", "RUN-1", Person{ID: "UMANAGER"}); !errors.Is(err, ErrRunEnded) {
		t.Errorf("cancelling what has ended: got %v", err)
	}
}

// RUNNING is not healed: without a record that moves, verification fails and says so.
func TestNothingMovedIsNotFixed(t *testing.T) {
	s := newStage(t)
	s.Verify = 300 * time.Millisecond
	s.fire()
	s.agree(restartSink())
	s.must(s.Work(t.Context(), s.queue.take(Execute)[0]))
	if r := s.run(); r.State != Failed || !strings.Contains(r.Verdict, "nothing moved") {
		t.Errorf("run %s: %s; want failed: nothing moved", r.State, r.Verdict)
	}
	if len(s.queue.take(Investigate)) == 0 {
		t.Error("a failed verification leads to no new diagnosis")
	}
}

// What a crash left between two writes is found: an approval without a run, a thread that is not drawn.
func TestReconcilerFinishesWhatACrashLeft(t *testing.T) {
	s := newStage(t)
	s.fire()
	req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: restartSink(), By: Person{ID: "UONCALL"}})
	s.must(err)
	_, err = s.Approvals.Decide(t.Context(), req.ID, approval.Decision{User: "UAPPROVER", Verdict: approval.Approve, Digest: req.Digest}) // the process dies right after
	s.must(err)
	s.must(s.reconcile(t.Context()))
	s.must(s.reconcile(t.Context()))
	jobs := s.queue.take(Execute)
	if len(jobs) == 0 || jobs[0].Run != "RUN-1" {
		t.Fatalf("jobs %+v, want the run of the approved request", jobs)
	}
	runs, err := s.Journal.Runs(t.Context(), "INC-1")
	s.must(err)
	if len(runs) != 1 {
		t.Errorf("%d runs, want one however often it is looked", len(runs))
	}
	s.must(s.Painter.paint(t.Context(), "INC-1"))
	if s.room.last.Incident.ID != "INC-1" || len(s.room.last.Requests) != 1 {
		t.Errorf("the thread shows %+v", s.room.last.Incident)
	}
	inc, err := s.Incidents.Get(t.Context(), "INC-1")
	s.must(err)
	if inc.Thread.TS != "1.1" {
		t.Errorf("thread %+v, want where the room put it", inc.Thread)
	}
	// The decision was not written when the process died; the run writes it before it does anything.
	s.must(s.Work(t.Context(), jobs[0]))
	if s.count(timeline.PlanApproved) != 1 {
		t.Errorf("%d decisions in the timeline, want 1", s.count(timeline.PlanApproved))
	}
}

func TestExpiryAndQuietPeriod(t *testing.T) {
	s := newStage(t)
	s.fire()
	now := time.Now()
	s.Approvals.Now = func() time.Time { return now }
	req, err := s.Ask(t.Context(), Wish{Incident: "INC-1", Recipe: restartSink(), By: Person{ID: "UONCALL"}})
	s.must(err)
	now = now.Add(31 * time.Minute)
	_, err = s.Decide(t.Context(), Choice{Request: req.ID, Digest: req.Digest, Verdict: approval.Approve, By: Person{ID: "UAPPROVER"}})
	if !errors.Is(err, approval.ErrExpired) && !errors.Is(err, approval.ErrNotPending) {
		t.Errorf("an expired request: got %v", err)
	}
	s.must(s.Work(t.Context(), Job{Kind: Expire, Incident: "INC-1", Request: req.ID}))
	s.must(s.Work(t.Context(), Job{Kind: Expire, Incident: "INC-1", Request: req.ID}))
	if s.count(timeline.PlanExpired) != 1 {
		t.Errorf("%d expiries, want 1", s.count(timeline.PlanExpired))
	}
	s.must(s.Receive(t.Context(), []alert.Alert{{Source: "alertmanager", Name: "KafkaConnectTaskFailure", Status: alert.Resolved, Connector: "sink", Task: "0", StartsAt: time.Now().Add(-time.Minute), EndsAt: time.Now().Add(time.Second), Fingerprint: "f"}}))
	s.Now = func() time.Time { return time.Now().Add(2 * time.Minute) }
	for _, j := range s.queue.take(Settle) {
		s.must(s.Work(t.Context(), j))
	}
	if inc, err := s.Incidents.Get(t.Context(), "INC-1"); err != nil || inc.State != incident.Resolved {
		t.Errorf("incident %s %v, want resolved after the quiet period", inc.State, err)
	}
}
