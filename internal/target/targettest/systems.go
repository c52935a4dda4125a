package targettest

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Vault is HashiCorp Vault with the database engine.
type Vault struct{ all *Surroundings }

// Vault returns Vault.
func (s *Surroundings) Vault() Vault { return Vault{s} }

// Health implements action.Vault.
func (v Vault) Health(context.Context) (map[string]any, error) {
	if err := v.all.need("vault"); err != nil {
		return nil, err
	}
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	return map[string]any{"initialized": true, "sealed": v.all.sealed, "standby": false, "version": "1.21.1"}, nil
}

func (v Vault) open() error {
	if err := v.all.need("vault"); err != nil {
		return err
	}
	if h, _ := v.Health(context.Background()); h["sealed"] == true {
		return fmt.Errorf("Vault is sealed: its key holders must unseal it; the bot never handles unseal keys") //nolint:staticcheck // a name
	}
	return nil
}

// Leases implements action.Vault.
func (v Vault) Leases(_ context.Context, prefix string) ([]string, error) {
	if err := v.open(); err != nil {
		return nil, err
	}
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	var list []string
	for lease := range v.all.leases {
		if strings.HasPrefix(lease, strings.TrimSuffix(prefix, "/")+"/") {
			list = append(list, lease)
		}
	}
	slices.Sort(list)
	return list, nil
}

// Lookup implements action.Vault.
func (v Vault) Lookup(_ context.Context, lease string) (time.Duration, bool, error) {
	if err := v.open(); err != nil {
		return 0, false, err
	}
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	end, ok := v.all.leases[lease]
	if !ok {
		return 0, false, fmt.Errorf("lease %s: no such lease; it has ended or was revoked", lease)
	}
	return end.Sub(v.all.Now()), true, nil
}

// Renew implements action.Vault.
func (v Vault) Renew(ctx context.Context, lease string) (time.Duration, error) {
	if _, _, err := v.Lookup(ctx, lease); err != nil {
		return 0, err
	}
	v.all.mu.Lock()
	v.all.leases[lease] = v.all.Now().Add(24 * time.Hour)
	v.all.mu.Unlock()
	if v.all.Renewed != nil {
		v.all.Renewed(lease)
	}
	return 24 * time.Hour, nil
}

// Credentials implements action.Vault.
func (v Vault) Credentials(_ context.Context, path string) (username, password, lease string, ttl time.Duration, err error) {
	if err := v.open(); err != nil {
		return "", "", "", 0, err
	}
	v.all.mu.Lock()
	defer v.all.mu.Unlock()
	v.all.fetched++
	n := strconv.Itoa(v.all.fetched)
	lease = path + "/fresh" + n
	v.all.leases[lease] = v.all.Now().Add(24 * time.Hour)
	return "v-bot-" + n, "simulated-password-" + n, lease, 24 * time.Hour, nil
}

// HTTP is a system that answers GET.
type HTTP struct {
	all  *Surroundings
	name string
}

// HTTP returns "registry", "prometheus", "vault", "cdc-api" or "connect".
func (s *Surroundings) HTTP(name string) HTTP { return HTTP{s, name} }

// homes are the services behind the systems.
var homes = map[string]string{"registry": "schema-registry", "prometheus": "prometheus", "vault": "vault", "cdc-api": "cdc-api", "grafana": "grafana", "connect": "kafka-connect"}

// Get implements action.HTTP.
func (h HTTP) Get(ctx context.Context, path string) (int, []byte, error) {
	if err := h.all.need(homes[h.name]); err != nil {
		return 0, nil, err
	}
	u, err := url.Parse(path)
	if err != nil {
		return 0, nil, err
	}
	switch {
	case h.name == "registry" && strings.HasSuffix(u.Path, "/subjects"):
		return answer(200, []string{"cdc-events-orders-value", "cdc-events-users-value"})
	case h.name == "registry" && strings.HasSuffix(u.Path, "/versions/latest"):
		return answer(200, map[string]any{"subject": "cdc-events-users-value", "version": 1, "id": 1, "schema": `{"type":"record","name":"users","fields":[]}`})
	case h.name == "prometheus" && u.Path == "/-/ready":
		return 200, []byte("Prometheus Server is Ready.\n"), nil
	case h.name == "prometheus" && strings.HasSuffix(u.Path, "/query"):
		return answer(200, map[string]any{"status": "success", "data": map[string]any{"resultType": "vector", "result": []any{map[string]any{"metric": map[string]string{"__name__": u.Query().Get("query")}, "value": []any{h.all.Now().Unix(), "0"}}}}})
	case h.name == "vault":
		health, err := h.all.Vault().Health(ctx)
		if err != nil {
			return 0, nil, err
		}
		return answer(map[bool]int{true: 503, false: 200}[health["sealed"] == true], health)
	case h.name == "cdc-api" && strings.HasSuffix(u.Path, "/dlq/records"):
		return h.letters(ctx, u.Query())
	case u.Path == "/" || u.Path == "/health" || strings.HasPrefix(u.Path, "/-/"):
		return answer(200, map[string]string{"status": "healthy"})
	}
	return answer(404, map[string]any{"error_code": 404, "message": "HTTP 404 Not Found"})
}

func answer(status int, value any) (int, []byte, error) {
	body, err := json.Marshal(value)
	return status, body, err
}

func (h HTTP) letters(ctx context.Context, query url.Values) (int, []byte, error) {
	filter := map[string]string{}
	for k := range query {
		filter[k] = query.Get(k)
	}
	limit, _ := strconv.Atoi(query.Get("limit"))
	delete(filter, "limit")
	columns, rows, total, err := h.all.DLQ().Records(ctx, filter, max(limit, 10))
	if err != nil {
		return answer(400, map[string]string{"detail": err.Error()})
	}
	records := []map[string]string{}
	for _, row := range rows {
		record := map[string]string{}
		for i, c := range columns {
			record[c] = row[i]
		}
		records = append(records, record)
	}
	return answer(200, map[string]any{"records": records, "total": total, "limit": max(limit, 10), "offset": 0})
}

// DLQ is the dead-letter queue of the CDC API.
type DLQ struct{ all *Surroundings }

// DLQ returns the dead-letter queue.
func (s *Surroundings) DLQ() DLQ { return DLQ{s} }

// Values that the API's filters know.
var (
	errorTypes = []string{"SCHEMA_MISMATCH", "TYPE_CONVERSION_ERROR", "CONSTRAINT_VIOLATION", "NETWORK_TIMEOUT", "UNKNOWN"}
	statuses   = []string{"PENDING", "AUTO_RESOLVED", "MANUAL_RESOLVED", "IGNORED"}
)

// Records implements action.DLQ.
func (q DLQ) Records(_ context.Context, filter map[string]string, limit int) ([]string, [][]string, int, error) {
	if err := q.all.need("cdc-api"); err != nil {
		return nil, nil, 0, err
	}
	if v := filter["error_type"]; v != "" && !slices.Contains(errorTypes, v) {
		return nil, nil, 0, fmt.Errorf("error_type %q: expected one of %s", v, strings.Join(errorTypes, ", "))
	}
	if v := filter["resolution_status"]; v != "" && !slices.Contains(statuses, v) {
		return nil, nil, 0, fmt.Errorf("resolution_status %q: expected one of %s", v, strings.Join(statuses, ", "))
	}
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	var rows [][]string
	total := 0
	for _, l := range q.all.dead {
		if !fits(filter["error_type"], l.kind) || !fits(filter["resolution_status"], l.status) || !fits(filter["table"], l.table) {
			continue
		}
		if total++; len(rows) < limit {
			rows = append(rows, []string{l.id, l.table, l.kind, l.message, l.status})
		}
	}
	return []string{"dlq_id", "source_table", "error_type", "error_message", "resolution_status"}, rows, total, nil
}

func fits(want, is string) bool { return want == "" || want == is }

// Replay implements action.DLQ.
func (q DLQ) Replay(_ context.Context, ids []string, _, _ string) (replayed, failed int, message string, err error) {
	if err := q.all.need("cdc-api"); err != nil {
		return 0, 0, "", err
	}
	q.all.mu.Lock()
	defer q.all.mu.Unlock()
	for _, id := range ids {
		i := slices.IndexFunc(q.all.dead, func(l letter) bool { return l.id == id })
		if i < 0 {
			return 0, 0, "", fmt.Errorf("dlq_id %s: unknown", id)
		}
		if q.all.dead[i].status != "PENDING" {
			return 0, 0, "", fmt.Errorf("dlq_id %s: resolved already", id)
		}
	}
	for i, l := range q.all.dead {
		if slices.Contains(ids, l.id) {
			q.all.dead[i].status = "MANUAL_RESOLVED"
			replayed++
		}
	}
	return replayed, 0, fmt.Sprintf("Replayed %d records", replayed), nil
}

// Kafka is the broker.
type Kafka struct{ all *Surroundings }

// Kafka returns the broker.
func (s *Surroundings) Kafka() Kafka { return Kafka{s} }

// Brokers implements action.Kafka.
func (k Kafka) Brokers(context.Context) ([]string, [][]string, error) {
	return k.table([]string{"id", "address", "controller", "version"}, []string{"1", "kafka:9092", "yes", "4.3"})
}

// Topics implements action.Kafka.
func (k Kafka) Topics(_ context.Context, topic string) ([]string, [][]string, error) {
	if topic == "" {
		topic = "cdc-events-orders"
	}
	return k.table([]string{"topic", "partitions", "replicas"}, []string{topic, "3", "1"})
}

// Lag implements action.Kafka.
func (k Kafka) Lag(_ context.Context, group string) ([]string, [][]string, error) {
	return k.table([]string{"group", "topic", "lag"}, []string{group, "cdc-events-orders", "0"})
}

// Offsets implements action.Kafka.
func (k Kafka) Offsets(_ context.Context, topic string, _ bool) ([]string, [][]string, error) {
	return k.table([]string{"topic", "partition", "offset"}, []string{topic, "0", "1000"})
}

// Records implements action.Kafka.
func (k Kafka) Records(_ context.Context, topic string, _ int, _ bool) ([]string, [][]string, error) {
	return k.table([]string{"partition", "offset", "key", "value"}, []string{"0", "0", topic, "{}"})
}

func (k Kafka) table(columns []string, rows ...[]string) ([]string, [][]string, error) {
	if err := k.all.need("kafka"); err != nil {
		return nil, nil, err
	}
	return columns, rows, nil
}
