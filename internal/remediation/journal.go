package remediation

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"cdcbot/internal/diagnosis"
	"cdcbot/internal/seal"
)

// Journal keeps what the corridor must remember between jobs and crashes: the latest diagnosis, the runs, what people
// signalled to a run, and which threads are not drawn yet. Its keys are listed in docs/redis.md.
type Journal struct {
	Redis redis.UniversalClient
	// Seal proves that runs, previews and what people signalled were written by this bot. A nil one seals nothing.
	Seal *seal.Ring
}

//go:embed save_run.lua
var saveRunSource string

//go:embed painted.lua
var paintedSource string

var (
	saveRunScript = redis.NewScript(saveRunSource)
	paintedScript = redis.NewScript(paintedSource)
)

// ErrFenced means that another replica has taken the run over: this one must stop touching it.
var ErrFenced = errors.New("another replica has taken the run over")

// ErrForged means that a record in Redis is not as this bot wrote it: nothing runs on its word.
var ErrForged = errors.New("the record in Redis is not as this bot wrote it")

// close seals a record; what says which one it is.
func (j *Journal) close(what string, v any) []byte { return j.Seal.Close(what, encode(v)) }

// open checks a sealed record and decodes it.
func (j *Journal) open(what string, record []byte, to any) error {
	text, err := j.Seal.Open(what, record)
	if err != nil {
		return fmt.Errorf("%s: %w: %w", what, ErrForged, err)
	}
	if err := json.Unmarshal(text, to); err != nil {
		return fmt.Errorf("decoding %s: %w", what, err)
	}
	return nil
}

func key(incident, part string) string { return "cdcbot:{" + incident + "}:" + part }

// encode never fails for the plain data that events and journal entries are made of.
func encode(v any) json.RawMessage {
	if v == nil {
		return nil
	}
	b, err := json.Marshal(v)
	if err != nil {
		b, _ = json.Marshal(map[string]string{"unencodable": err.Error()})
	}
	return b
}

// SaveDiagnosis keeps the latest diagnosis of an incident.
func (j *Journal) SaveDiagnosis(ctx context.Context, id string, d diagnosis.Diagnosis) error {
	return j.away("saving diagnosis of "+id, j.Redis.Set(ctx, key(id, "diagnosis"), []byte(encode(d)), 0).Err())
}

// Diagnosis is the latest diagnosis, nil when there is none yet.
func (j *Journal) Diagnosis(ctx context.Context, id string) (*diagnosis.Diagnosis, error) {
	b, err := j.Redis.Get(ctx, key(id, "diagnosis")).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, j.away("reading diagnosis of "+id, err)
	}
	var d diagnosis.Diagnosis
	if err := json.Unmarshal(b, &d); err != nil {
		return nil, fmt.Errorf("decoding diagnosis of %s: %w", id, err)
	}
	return &d, nil
}

// SaveLooks keeps what the steps of a request would do, as it was seen when people were asked.
func (j *Journal) SaveLooks(ctx context.Context, id, request string, looks []Look) error {
	return j.away("saving previews of "+request, j.Redis.HSet(ctx, key(id, "previews"), request, j.close("previews of "+request+" of "+id, looks)).Err())
}

// Looks are the previews of a request, none when there are none.
func (j *Journal) Looks(ctx context.Context, id, request string) ([]Look, error) {
	b, err := j.Redis.HGet(ctx, key(id, "previews"), request).Bytes()
	if errors.Is(err, redis.Nil) {
		return nil, nil
	}
	if err != nil {
		return nil, j.away("reading previews of "+request, err)
	}
	var looks []Look
	return looks, j.open("previews of "+request+" of "+id, b, &looks)
}

// NewRun stores a run under the next number. The same request makes one run, however often it is asked.
func (j *Journal) NewRun(ctx context.Context, r Run) (Run, bool, error) {
	n, err := j.Redis.Incr(ctx, "cdcbot:run:seq").Result()
	if err != nil {
		return r, false, j.away("numbering a run", err)
	}
	r.ID = "RUN-" + strconv.FormatInt(n, 10)
	first, err := j.Redis.HSetNX(ctx, key(r.Incident, "requests:run"), r.Request, r.ID).Result()
	if err != nil {
		return r, false, j.away("storing "+r.ID, err)
	}
	if !first {
		existing, err := j.runOf(ctx, r)
		return existing, false, err
	}
	return r, true, j.SaveRun(ctx, r, 0)
}

// runOf returns the run a request already has. The claim may outlive a crash before its run was stored: then it is stored now.
func (j *Journal) runOf(ctx context.Context, r Run) (Run, error) {
	id, err := j.Redis.HGet(ctx, key(r.Incident, "requests:run"), r.Request).Result()
	if err != nil {
		return r, j.away("reading run of "+r.Request, err)
	}
	run, err := j.Run(ctx, r.Incident, id)
	if !errors.Is(err, ErrNoRun) {
		return run, err
	}
	r.ID = id
	return r, j.SaveRun(ctx, r, 0)
}

// SaveRun stores a run; token is the fencing token of the lease under which it runs. A smaller token than one seen
// before is refused with ErrFenced.
func (j *Journal) SaveRun(ctx context.Context, r Run, token int64) error {
	keys := []string{key(r.Incident, "runs"), key(r.Incident, "fence")}
	ok, err := saveRunScript.Run(ctx, j.Redis, keys, r.ID, j.close("run "+r.ID+" of "+r.Incident, r), token).Bool()
	if err != nil && !errors.Is(err, redis.Nil) {
		return j.away("saving "+r.ID, err)
	}
	if !ok {
		return fmt.Errorf("saving %s: %w", r.ID, ErrFenced)
	}
	return nil
}

// Run reads one run.
func (j *Journal) Run(ctx context.Context, incident, id string) (Run, error) {
	b, err := j.Redis.HGet(ctx, key(incident, "runs"), id).Bytes()
	if errors.Is(err, redis.Nil) {
		return Run{}, fmt.Errorf("%s of %s: %w", id, incident, ErrNoRun)
	}
	if err != nil {
		return Run{}, j.away("reading "+id, err)
	}
	var r Run
	return r, j.open("run "+id+" of "+incident, b, &r)
}

// Runs lists an incident's runs in the order they were made.
func (j *Journal) Runs(ctx context.Context, incident string) ([]Run, error) {
	all, err := j.Redis.HGetAll(ctx, key(incident, "runs")).Result()
	if err != nil {
		return nil, j.away("reading runs of "+incident, err)
	}
	runs := make([]Run, 0, len(all))
	for id, text := range all {
		var r Run
		err := j.open("run "+id+" of "+incident, []byte(text), &r)
		if errors.Is(err, ErrForged) { // one of them must not hide the others
			r, err = Run{ID: id, Incident: incident, State: Failed, Verdict: ErrForged.Error()}, nil
		}
		if err != nil {
			return nil, err
		}
		runs = append(runs, r)
	}
	slices.SortFunc(runs, func(a, b Run) int { return number(a.ID) - number(b.ID) })
	return runs, nil
}

func number(id string) int {
	_, digits, _ := strings.Cut(id, "-")
	n, _ := strconv.Atoi(digits)
	return n
}

// Signal leaves word for a run: "cancel", or "done:2" when a person has done step 2. The value says who.
func (j *Journal) Signal(ctx context.Context, incident, run, what, who string) error {
	return j.away("signalling "+run, j.Redis.HSetNX(ctx, key(incident, "signals"), run+":"+what, j.close(signal(incident, run, what), who)).Err())
}

// Signalled returns who left word, "" when nobody did.
func (j *Journal) Signalled(ctx context.Context, incident, run, what string) (string, error) {
	record, err := j.Redis.HGet(ctx, key(incident, "signals"), run+":"+what).Bytes()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	if err != nil {
		return "", j.away("reading signals of "+run, err)
	}
	var who string
	return who, j.open(signal(incident, run, what), record, &who)
}

func signal(incident, run, what string) string {
	return "signal " + what + " to " + run + " of " + incident
}

// firstFor is how long the first trace of an outage is kept.
const firstFor = 90 * 24 * time.Hour

// First keeps the first trace that was seen of a connector in this outage, and returns it: a restart while the cause lasts
// overwrites what Connect shows by a trace that tells less. An empty trace only asks.
func (j *Journal) First(ctx context.Context, incident, connector, trace string) (string, error) {
	at := key(incident, "first")
	if trace != "" {
		_, err := j.Redis.Pipelined(ctx, func(p redis.Pipeliner) error {
			p.HSetNX(ctx, at, connector, trace)
			p.Expire(ctx, at, firstFor)
			return nil
		})
		if err != nil {
			return "", j.away("keeping the first trace of "+connector, err)
		}
	}
	first, err := j.Redis.HGet(ctx, at, connector).Result()
	if errors.Is(err, redis.Nil) {
		return "", nil
	}
	return first, j.away("reading the first trace of "+connector, err)
}

// ForgetFirst forgets them: the outage is over.
func (j *Journal) ForgetFirst(ctx context.Context, incident string) error {
	return j.away("forgetting traces of "+incident, j.Redis.Del(ctx, key(incident, "first")).Err())
}

// Once is true the first time it is asked about what.
func (j *Journal) Once(ctx context.Context, incident, what string) (bool, error) {
	first, err := j.Redis.HSetNX(ctx, key(incident, "signals"), "once:"+what, "1").Result()
	return first, j.away("marking "+what, err)
}

// Marked reports whether Once was asked about what.
func (j *Journal) Marked(ctx context.Context, incident, what string) (bool, error) {
	yes, err := j.Redis.HExists(ctx, key(incident, "signals"), "once:"+what).Result()
	return yes, j.away("reading whether "+what+" is done", err)
}

// Dirty marks an incident's thread as not drawn since a change.
func (j *Journal) Dirty(ctx context.Context, incident string) error {
	return j.away("marking "+incident, j.Redis.Incr(ctx, key(incident, "dirty")).Err())
}

// Dirtiness is the number of changes marked, and how many of them are drawn.
func (j *Journal) Dirtiness(ctx context.Context, incident string) (changed, painted int64, err error) {
	values, err := j.Redis.MGet(ctx, key(incident, "dirty"), key(incident, "painted")).Result()
	if err != nil {
		return 0, 0, j.away("reading marks of "+incident, err)
	}
	return integer(values[0]), integer(values[1]), nil
}

func integer(v any) int64 {
	text, _ := v.(string)
	n, _ := strconv.ParseInt(text, 10, 64)
	return n
}

// Painted marks everything up to change as drawn. It never goes backwards.
func (j *Journal) Painted(ctx context.Context, incident string, change int64) error {
	return j.away("marking "+incident, paintedScript.Run(ctx, j.Redis, []string{key(incident, "painted")}, change).Err())
}

func (j *Journal) away(doing string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}

// NoteStopped remembers that an approved plan stopped a connector on purpose, or started it again.
func (j *Journal) NoteStopped(ctx context.Context, pipeline, connector string, stopped bool) error {
	k := "cdcbot:stopped:" + strconv.Quote(pipeline)
	if stopped {
		return j.away("noting that "+connector+" is stopped", j.Redis.HSet(ctx, k, connector, "1").Err())
	}
	return j.away("noting that "+connector+" runs", j.Redis.HDel(ctx, k, connector).Err())
}

// Stopped reports whether an approved plan stopped a connector on purpose.
func (j *Journal) Stopped(ctx context.Context, pipeline, connector string) (bool, error) {
	yes, err := j.Redis.HExists(ctx, "cdcbot:stopped:"+strconv.Quote(pipeline), connector).Result()
	return yes, j.away("reading whether "+connector+" is stopped", err)
}
