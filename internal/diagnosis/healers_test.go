package diagnosis

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"cdcbot/internal/connect"
)

// strimzi is what the operator keeps of warehouse; it has restarted it three times, the last time ten minutes ago.
func strimzi(change func(*Resource)) []Resource {
	r := Resource{Connector: "warehouse", Kind: "KafkaConnector", Namespace: "cdc", Name: "warehouse", Restarts: true, Most: -1, Done: 3, Last: ago(10 * time.Minute)}
	if change != nil {
		change(&r)
	}
	return []Resource{r}
}

func TestHealers(t *testing.T) {
	const owner = "KafkaConnector cdc/warehouse"
	failed := with("warehouse", connect.Running, task(0, connect.Failed, "w1", odd))
	runs := with("warehouse", connect.Running, task(0, connect.Running, "w1", ""))
	at := func(d time.Duration) time.Time { return noon.Add(d) }
	rows := []struct {
		name      string
		subject   Subject
		config    map[string]string
		resources []Resource
		since     time.Time
		want      []Healer
	}{
		{"none", failed, map[string]string{"connector.class": "org.example.Sink"}, nil, noon, nil},
		{"of another connector", failed, nil, strimzi(func(r *Resource) { r.Connector = "z" }), noon, nil},
		{"Strimzi, restarted three times", failed, nil, strimzi(nil), ago(time.Hour), []Healer{
			{Name: "Strimzi", Text: "Strimzi restarts what has failed, next for the 4th time, by 12:04 UTC", Until: at(4 * time.Minute), Owner: owner}}},
		{"Strimzi, not yet", failed, nil, strimzi(func(r *Resource) { r.Done, r.Last, r.Most = 0, time.Time{}, 7 }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi restarts what has failed, next for the 1st of 7 times, by 12:02 UTC", Until: at(2 * time.Minute), Owner: owner}}},
		{"Strimzi, overdue", failed, nil, strimzi(func(r *Resource) { r.Last = ago(day) }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi restarts what has failed, next for the 4th time, by 12:02 UTC", Until: at(2 * time.Minute), Owner: owner}}},
		{"Strimzi, many times", failed, nil, strimzi(func(r *Resource) { r.Done, r.Last = 40, noon }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi restarts what has failed, next for the 41st time, by 13:02 UTC", Until: at(62 * time.Minute), Owner: owner}}},
		{"Strimzi has given up", failed, nil, strimzi(func(r *Resource) { r.Most = 3 }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi has given up after 3 restarts", Exhausted: true, Owner: owner}}},
		{"Strimzi has tried once", failed, nil, strimzi(func(r *Resource) { r.Most, r.Done = 1, 1 }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi has given up after 1 restart", Exhausted: true, Owner: owner}}},
		{"Strimzi only owns it", failed, nil, strimzi(func(r *Resource) { r.Restarts = false }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi does not restart it: automatic restarts are off", Exhausted: true, Owner: owner}}},
		{"Strimzi is told to leave it", failed, nil, strimzi(func(r *Resource) { r.Paused = true }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi does not restart it: its reconciliation is paused", Exhausted: true, Owner: owner}}},
		{"Confluent", failed, nil, strimzi(func(r *Resource) { r.Kind, r.Most, r.Done, r.Last = "Connector", 10, 1, time.Time{} }), noon, []Healer{
			{Name: "Confluent for Kubernetes", Text: "Confluent for Kubernetes restarts what has failed, next for the 2nd of 10 times; when it does nobody can tell", Owner: "Connector cdc/warehouse"}}},
		{"an operator that nobody knows", failed, nil, strimzi(func(r *Resource) { r.Kind = "Link" }), noon, []Healer{
			{Name: "Link", Text: "Link restarts what has failed, next for the 4th time; when it does nobody can tell", Owner: "Link cdc/warehouse"}}},
		{"Aiven", failed, map[string]string{"_aiven.restart.on.failure": "True"}, nil, ago(5 * time.Minute), []Healer{
			{Name: "Aiven", Text: "Aiven restarts failed tasks every 15 min", Until: at(10 * time.Minute)}}},
		{"Aiven has tried", failed, map[string]string{"_aiven.restart.on.failure": "true"}, nil, ago(20 * time.Minute), []Healer{
			{Name: "Aiven", Text: "Aiven restarts failed tasks every 15 min, and has had its chance: it has been failing for 20 min", Exhausted: true}}},
		{"Aiven is off", failed, map[string]string{"_aiven.restart.on.failure": "false"}, nil, noon, nil},
		{"since when nobody knows", failed, map[string]string{"_aiven.restart.on.failure": "true"}, nil, time.Time{}, []Healer{
			{Name: "Aiven", Text: "Aiven restarts failed tasks every 15 min", Until: at(15 * time.Minute)}}},
		{"since a time to come", failed, map[string]string{"_aiven.restart.on.failure": "true"}, nil, at(day), []Healer{
			{Name: "Aiven", Text: "Aiven restarts failed tasks every 15 min", Until: at(15 * time.Minute)}}},
		{"Connect", runs, map[string]string{"errors.retry.timeout": "600000"}, nil, ago(time.Minute), []Healer{
			{Name: "Connect", Text: "Connect tries records that fail in a converter or transform again for 10 min, until 12:09 UTC", Until: at(9 * time.Minute)}}},
		{"Connect without end", runs, map[string]string{"errors.retry.timeout": "-1"}, nil, noon, []Healer{
			{Name: "Connect", Text: "Connect tries records that fail in a converter or transform again without end"}}},
		{"Connect has given up", failed, map[string]string{"errors.retry.timeout": "600000"}, nil, noon, []Healer{
			{Name: "Connect", Text: "Connect tries records again that fail in a converter or transform (errors.retry.timeout), and has given up", Exhausted: true}}},
		{"Connect does not try", runs, map[string]string{"errors.retry.timeout": "0"}, nil, noon, nil},
		{"no number", runs, map[string]string{"errors.retry.timeout": "${env:RETRY}"}, nil, noon, nil},
		{"Debezium", runs, map[string]string{"connector.class": "io.debezium.connector.postgresql.PostgresConnector"}, nil, noon, []Healer{
			{Name: "Debezium", Text: "Debezium tries again what it calls retriable, every 10 s without end"}}},
		{"Debezium with an end", runs, map[string]string{"connector.class": "io.debezium.connector.mysql.MySqlConnector", "errors.max.retries": "6", "retriable.restart.connector.wait.ms": "30000"}, nil, noon, []Healer{
			{Name: "Debezium", Text: "Debezium tries again what it calls retriable, 6 times, 30 s apart, until 12:03 UTC", Until: at(3 * time.Minute)}}},
		{"Debezium has given up", failed, map[string]string{"connector.class": "io.debezium.connector.mysql.MySqlConnector"}, nil, noon, []Healer{
			{Name: "Debezium", Text: "Debezium tries again what it calls retriable (errors.max.retries), and has given up, or this error is none of those", Exhausted: true}}},
		{"Debezium does not try", runs, map[string]string{"connector.class": "io.debezium.connector.mysql.MySqlConnector", "errors.max.retries": "0"}, nil, noon, nil},
		{"Debezium's sink", runs, map[string]string{"connector.class": "io.debezium.connector.jdbc.JdbcSinkConnector", "errors.max.retries": "0"}, nil, noon, []Healer{
			{Name: "Debezium's JDBC sink", Text: "Debezium's JDBC sink tries again what it calls retriable, 5 times, 1 s apart, until 12:00 UTC", Until: at(5 * time.Second)}}},
		{"Confluent's sink", runs, map[string]string{"connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "max.retries": "1"}, nil, noon, []Healer{
			{Name: "Confluent's JDBC sink", Text: "Confluent's JDBC sink tries again what it calls retriable, once, after 3 s, until 12:00 UTC", Until: at(3 * time.Second)}}},
		{"more than a clock counts", runs, map[string]string{"connector.class": "io.debezium.connector.mysql.MySqlConnector", "errors.max.retries": "9223372036854775807", "retriable.restart.connector.wait.ms": "9223372036854775807"}, nil, noon, []Healer{
			{Name: "Debezium", Text: "Debezium tries again what it calls retriable, 9223372036854775807 times, 3650 days apart, until 2036-11-20 12:00 UTC", Until: at(longest)}}},
		{"several", failed, map[string]string{"_aiven.restart.on.failure": "true", "errors.retry.timeout": "1000"}, strimzi(func(r *Resource) { r.Restarts = false }), noon, []Healer{
			{Name: "Strimzi", Text: "Strimzi does not restart it: automatic restarts are off", Exhausted: true, Owner: owner},
			{Name: "Aiven", Text: "Aiven restarts failed tasks every 15 min", Until: at(15 * time.Minute)},
			{Name: "Connect", Text: "Connect tries records again that fail in a converter or transform (errors.retry.timeout), and has given up", Exhausted: true}}},
	}
	for _, row := range rows {
		t.Run(row.name, func(t *testing.T) {
			row.subject.Config = row.config
			for i := range row.want {
				row.want[i].Connector = "warehouse"
			}
			if diff := cmp.Diff(row.want, healers(row.subject, row.resources, row.since, noon)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestSayHealer(t *testing.T) {
	h := healers(with("warehouse", connect.Failed), strimzi(nil), noon, noon)[0]
	if got, want := h.Say(), "; warehouse belongs to KafkaConnector cdc/warehouse: change it there, an edit over REST would be reverted"; !strings.HasSuffix(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := (Healer{Text: "a"}).Say(); got != "a" {
		t.Errorf("got %q", got)
	}
}

// The pauses of the documentation.
func TestStrimziPause(t *testing.T) {
	for n, want := range []time.Duration{0, 2, 6, 12, 20, 30, 42, 56, 60, 60, 60} {
		if got := strimziPause(Resource{Done: n}); got != want*time.Minute {
			t.Errorf("after %d restarts: got %s, want %s", n, got, want*time.Minute)
		}
	}
	for want, r := range map[time.Duration]Resource{
		0: {Done: -1}, time.Hour: {Done: 1 << 60}, 10 * time.Minute: {Done: 9, Backoff: 10 * time.Minute}, 90 * time.Minute: {Done: 9, Backoff: 2 * time.Hour},
	} {
		if got := strimziPause(r); got != want {
			t.Errorf("%+v: got %s, want %s", r, got, want)
		}
	}
}

func TestOrdinal(t *testing.T) {
	for n, want := range map[int]string{1: "1st", 2: "2nd", 3: "3rd", 4: "4th", 11: "11th", 12: "12th", 13: "13th", 21: "21st", 101: "101st", 111: "111th"} {
		if got := ordinal(n); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}
