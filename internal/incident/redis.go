package incident

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
)

// Store keeps incidents in Redis. Its keys are listed in docs/redis.md; all but leases share one hash tag, so that the
// index and an incident change together, also on a Redis Cluster.
type Store struct {
	Redis       redis.UniversalClient
	Now         func() time.Time
	QuietPeriod time.Duration // a relapse within it reopens; default 30 min
}

//go:embed open.lua
var openSource string

//go:embed save.lua
var saveSource string

var (
	openScript = redis.NewScript(openSource)
	saveScript = redis.NewScript(saveSource)
)

const (
	seqKey   = "cdcbot:{incidents}:seq"
	indexKey = "cdcbot:{incidents}:current"
	allKey   = "cdcbot:{incidents}:all"
	openKey  = "cdcbot:{incidents}:open"
)

// isID tells INC-42 from anything else a person may type; other names under the tag are indexes.
func isID(id string) bool {
	digits, ok := strings.CutPrefix(id, "INC-")
	return ok && digits != "" && len(digits) < 19 && strings.Trim(digits, "0123456789") == ""
}

func incidentKey(id string) string { return "cdcbot:{incidents}:" + id }

// The fields of an incident's hash: its body, and one for each row.
const bodyField = "body"

func rowField(connector, task string) string { return "row:" + quoted(connector, task) }

// quoted is an unambiguous name for texts that may hold anything.
func quoted(texts ...string) string {
	var b strings.Builder
	for _, t := range texts {
		b.WriteString(strconv.Quote(t))
	}
	return b.String()
}

// body is an Incident as it is stored, without its rows.
type body struct {
	Incident
	Firing int `json:"firing"` // rows that are not well
	Rows   int `json:"rows"`
}

func (s *Store) now() time.Time { return s.Now().UTC().Truncate(time.Millisecond) }

func (s *Store) quiet() time.Duration {
	if s.QuietPeriod == 0 {
		return 30 * time.Minute
	}
	return s.QuietPeriod
}

// look reads what an alert about a connector and task meets.
func (s *Store) look(ctx context.Context, pipeline, alertName, connector, task string) (sight, error) {
	seen := sight{index: quoted(pipeline, alertName), rowField: rowField(connector, task)}
	id, err := s.Redis.HGet(ctx, indexKey, seen.index).Result()
	if errors.Is(err, redis.Nil) {
		return seen, nil
	}
	if err != nil {
		return seen, away("finding the incident of "+alertName, err)
	}
	seen.id = id
	fields, err := s.Redis.HMGet(ctx, incidentKey(id), bodyField, seen.rowField).Result()
	if err != nil {
		return seen, away("reading "+id, err)
	}
	seen.rawBody, _ = fields[0].(string)
	seen.rawRow, _ = fields[1].(string)
	if err := json.Unmarshal([]byte(seen.rawBody), &seen.body); err != nil {
		return seen, fmt.Errorf("decoding %s: %w", id, err)
	}
	if seen.rawRow == "" {
		return seen, nil
	}
	if err := json.Unmarshal([]byte(seen.rawRow), &seen.row); err != nil {
		return seen, fmt.Errorf("decoding connector %q of %s: %w", connector, id, err)
	}
	return seen, nil
}

// store writes what was decided, unless what was seen has changed meanwhile: then it is ErrConflict.
func (s *Store) store(ctx context.Context, seen sight, n next) (body, error) {
	rawRow, err := json.Marshal(n.row)
	if err != nil {
		return n.body, fmt.Errorf("encoding connector %q: %w", n.row.Connector, err)
	}
	if n.fresh {
		return s.create(ctx, seen, n.body, rawRow)
	}
	return s.save(ctx, seen, n.body, rawRow)
}

func (s *Store) create(ctx context.Context, seen sight, b body, rawRow []byte) (body, error) {
	last, err := s.Redis.Get(ctx, seqKey).Int64()
	if err != nil && !errors.Is(err, redis.Nil) {
		return b, away("numbering an incident", err)
	}
	b.ID, b.Version = "INC-"+strconv.FormatInt(last+1, 10), 1
	raw, err := json.Marshal(b)
	if err != nil {
		return b, fmt.Errorf("encoding %s: %w", b.ID, err)
	}
	before := seen.id
	if before == "" {
		before = b.ID
	}
	keys := []string{seqKey, indexKey, allKey, openKey, incidentKey(b.ID), incidentKey(before)}
	return b, s.swap(ctx, openScript, "opening "+b.ID, keys, last, seen.index, seen.id, seen.rawBody, b.ID, raw, seen.rowField, rawRow)
}

// save writes a body, if it differs, and a row, if there is one.
func (s *Store) save(ctx context.Context, seen sight, b body, rawRow []byte) (body, error) {
	raw, err := json.Marshal(b)
	if err != nil {
		return b, fmt.Errorf("encoding %s: %w", seen.id, err)
	}
	if string(raw) != seen.rawBody {
		b.Version++
		if raw, err = json.Marshal(b); err != nil {
			return b, fmt.Errorf("encoding %s: %w", seen.id, err)
		}
	}
	field := seen.rowField
	if rawRow == nil {
		field = ""
	}
	listed := "over"
	if b.Active() {
		listed = "open"
	}
	return b, s.swap(ctx, saveScript, "storing "+seen.id, []string{incidentKey(seen.id), openKey},
		seen.id, number(seen.id), seen.rawBody, raw, listed, field, seen.rawRow, rawRow)
}

// swap runs a script that returns 1, or 0 when what it compares with has changed.
func (s *Store) swap(ctx context.Context, script *redis.Script, doing string, keys []string, args ...any) error {
	done, err := script.Run(ctx, s.Redis, keys, args...).Int()
	if err != nil {
		return away(doing, err)
	}
	if done == 0 {
		return fmt.Errorf("%s: %w", doing, ErrConflict)
	}
	return nil
}

// Get reads one incident with everything that is affected, in order of appearance.
func (s *Store) Get(ctx context.Context, id string) (Incident, error) {
	_, inc, err := s.open(ctx, id)
	return inc, err
}

// open reads an incident, and what a change of its body must compare with.
func (s *Store) open(ctx context.Context, id string) (sight, Incident, error) {
	seen := sight{id: id}
	if !isID(id) {
		return seen, Incident{}, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	fields, err := s.Redis.HGetAll(ctx, incidentKey(id)).Result()
	if err != nil {
		return seen, Incident{}, away("reading "+id, err)
	}
	inc, err := decode(id, fields)
	if err != nil {
		return seen, inc, err
	}
	seen.rawBody = fields[bodyField]
	return seen, inc, json.Unmarshal([]byte(seen.rawBody), &seen.body)
}

func decode(id string, fields map[string]string) (Incident, error) {
	raw, ok := fields[bodyField]
	if !ok {
		return Incident{}, fmt.Errorf("%q: %w", id, ErrNotFound)
	}
	var b body
	if err := json.Unmarshal([]byte(raw), &b); err != nil {
		return Incident{}, fmt.Errorf("decoding %s: %w", id, err)
	}
	rows := make([]row, 0, len(fields)-1)
	for name, text := range fields {
		if name == bodyField {
			continue
		}
		var r row
		if err := json.Unmarshal([]byte(text), &r); err != nil {
			return Incident{}, fmt.Errorf("decoding %s of %s: %w", name, id, err)
		}
		rows = append(rows, r)
	}
	slices.SortFunc(rows, func(x, y row) int { return x.N - y.N })
	for _, r := range rows {
		b.Affected = append(b.Affected, r.Affected)
	}
	return b.Incident, nil
}

func number(id string) int64 {
	_, digits, _ := strings.Cut(id, "-")
	n, _ := strconv.ParseInt(digits, 10, 64) // only IDs that create made come here
	return n
}

func away(doing string, err error) error {
	return fmt.Errorf("%s: %w: %w", doing, ErrUnavailable, err)
}
