#!/usr/bin/env bash
# up.sh [component]...: start the lab and wait until it works. What runs already is left running.
#
#   up.sh                 everything but connect2; then both connectors, and one record from the file to the table
#   up.sh postgres        only that
#   up.sh connect2        a second Connect worker
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "$0")/env.sh"
SOURCE=cassandra-source-connector SINK=postgres-sink-connector
CONNECT=http://127.0.0.1:$CONNECT_PORT

# render TEMPLATE TARGET NAME...: copy with every @NAME@ replaced by that variable.
render() {
  local text name from=$1 to=$2
  text=$(<"$from")
  shift 2
  for name in "$@"; do text=${text//"@$name@"/"${!name}"}; done
  printf '%s\n' "$text" >"$to"
}

# fail NAME SENTENCE: say what went wrong with a component, where its log is and how that ends.
fail() {
  say "$1 $2; log: $RUN/$1.log"
  tail -n 12 "$RUN/$1.log" 2>/dev/null | sed 's/^/    /' >&2
  return 1
}

# free NAME PORT: refuse to start beside a stranger on our port.
free() {
  ! port_open "$2" || {
    say "$1 needs port $2 of 127.0.0.1, and another process has it (lab/README.md says how to choose another port)"
    return 1
  }
}

# ready NAME SECONDS COMMAND...: wait until the command succeeds, the process ends or the time is up.
ready() {
  local name=$1 limit=$2 start
  start=$(now_ms)
  shift 2
  until "$@" >/dev/null 2>&1; do
    alive "$name" || { fail "$name" "ended while starting"; return 1; }
    [ $(($(now_ms) - start)) -lt $((limit * 1000)) ] || { fail "$name" "gave no answer in $limit s"; return 1; }
    sleep 0.1
  done
  printf '%-13s ready after %6d ms, pid %s\n' "$name" $(($(now_ms) - start)) "$(pid_of "$name")"
}

answers() { curl -sf -m 2 -o "$RUN/tmp/answer.$BASHPID" "$1"; }

sql() { "$(pg_bin)/psql" -qAt -v ON_ERROR_STOP=1 -h 127.0.0.1 -p "$POSTGRES_PORT" -U postgres "$@"; }

start_postgres() {
  local bin data su=()
  bin=$(pg_bin) data=$(pg_data)
  [ "$(id -u)" != 0 ] || su=(setpriv --reuid=postgres --regid=postgres --init-groups)
  [ -f "$data/PG_VERSION" ] || init_postgres "$bin" "$data" || { fail postgres "could not make its data folder $data"; return 1; }
  cd /
  spawn postgres "${su[@]}" "$bin/postgres" -D "$data" -p "$POSTGRES_PORT" -h 127.0.0.1 \
    -c unix_socket_directories= -c fsync=off
  ready postgres 30 "$bin/pg_isready" -h 127.0.0.1 -p "$POSTGRES_PORT"
  sql -c "select 1 from pg_roles where rolname = 'sink'" | grep -q 1 || sql >>"$RUN/postgres.log" 2>&1 <<'SQL'
create role sink login password 'sink';
create role admin login password 'admin' in role sink;
create database warehouse owner admin;
\c warehouse
grant create, usage on schema public to sink;
SQL
}

# init_postgres BIN DATA: the superuser is the tests' own door (trust); everybody else needs a password.
init_postgres() {
  (
    cd /
    rm -rf "$2"
    install -d -m 700 "$2"
    [ "$(id -u)" != 0 ] || chown postgres "$2"
    as_pg "$1/initdb" -D "$2" -U postgres -A trust -N -E UTF8 --locale=C
    printf '%s\n' 'host all postgres 127.0.0.1/32 trust' 'host all all 127.0.0.1/32 scram-sha-256' >"$2/pg_hba.conf"
  ) >>"$RUN/postgres.log" 2>&1
}

start_redis() {
  mkdir -p "$RUN/redis"
  spawn redis redis-server --bind 127.0.0.1 --port "$REDIS_PORT" --dir "$RUN/redis" --daemonize no \
    --appendonly yes --appendfsync always --save "" --maxmemory-policy noeviction
  ready redis 20 redis_answers
}

# redis_answers asks by hand, so that redis-cli is not needed; in a subshell, which a refused connection ends.
redis_answers() (
  exec 4<>"/dev/tcp/127.0.0.1/$REDIS_PORT"
  printf 'PING\r\n' >&4
  read -r -t 1 line <&4
  [ "$line" = $'+PONG\r' ]
)

java_main() { # NAME HEAP MAIN ARGUMENT...
  local name=$1 heap=$2
  shift 2
  spawn "$name" java "${JVM[@]}" "-Xmx$heap" "-Dlog4j2.configurationFile=$LAB/config/log4j2.yaml" "$@"
}

start_kafka() {
  local config=$RUN/kafka.properties
  render "$LAB/config/kafka.properties" "$config" CONTROLLER_PORT KAFKA_PORT RUN
  [ -f "$RUN/kafka/meta.properties" ] || kafka_tool kafka.tools.StorageTool format -t "$(cluster_id)" -c "$config" ||
    { fail kafka "could not format its folder"; return 1; }
  java_main kafka 384m -cp "$JARS/kafka/*" kafka.Kafka "$config"
  ready kafka 60 port_open "$KAFKA_PORT" || return 1
  [ -f "$RUN/kafka/orders.created" ] || create_topic
}

kafka_tool() { java "${JVM[@]}" -cp "$JARS/kafka/*" "$@" >>"$RUN/kafka.log" 2>&1; }
cluster_id() { head -c 16 /dev/urandom | base64 | tr '+/' 'AB' | tr -d '='; } # as Kafka's random-uuid does

create_topic() {
  kafka_tool org.apache.kafka.tools.TopicCommand --bootstrap-server "127.0.0.1:$KAFKA_PORT" \
    --create --if-not-exists --topic orders --partitions 1 --replication-factor 1 ||
    { fail kafka "did not create the topic orders"; return 1; }
  touch "$RUN/kafka/orders.created"
}

# The registry keeps its schemas in a file: its default is memory, and clients keep the ids over a restart.
start_registry() {
  REGISTRY_DATASOURCE_URL="jdbc:h2:file:$RUN/registry/db" java_main registry 256m \
    -Dquarkus.datasource.jdbc.initial-size=1 -Dquarkus.datasource.jdbc.min-size=1 \
    -Dquarkus.http.host=127.0.0.1 "-Dquarkus.http.port=$REGISTRY_PORT" \
    -jar "$JARS"/registry/apicurio-registry-app-*-runner.jar
  ready registry 90 answers "http://127.0.0.1:$REGISTRY_PORT/apis/ccompat/v7/subjects"
}

start_connect1() { start_connect 1; }
start_connect2() { start_connect 2; }

start_connect() {
  local agent config=$RUN/connect$1.properties PORT=$((CONNECT_PORT + $1 - 1))
  # shellcheck disable=SC2153  # from env.sh
  local metrics=$((METRICS_PORT + $1 - 1))
  agent=$(ls "$JARS"/extras/jmx_prometheus_javaagent-*.jar)
  render "$LAB/config/connect.properties" "$config" KAFKA_PORT PORT JARS
  java_main "connect$1" 512m "-javaagent:$agent=127.0.0.1:$metrics:$LAB/config/jmx.yaml" \
    -cp "$JARS/kafka/*" org.apache.kafka.connect.cli.ConnectDistributed "$config"
  ready "connect$1" 120 answers "http://127.0.0.1:$PORT/health"
}

start_prometheus() {
  # shellcheck disable=SC2034  # render reads it by name
  local METRICS_PORT2=$((METRICS_PORT + 1))
  render "$LAB/config/prometheus.yml" "$RUN/prometheus.yml" ALERTMANAGER_PORT METRICS_PORT METRICS_PORT2
  render "$LAB/config/rules.yml" "$RUN/rules.yml" ALERT_FOR
  spawn prometheus prometheus "--config.file=$RUN/prometheus.yml" "--storage.tsdb.path=$RUN/prometheus" \
    --storage.tsdb.retention.time=6h "--web.listen-address=127.0.0.1:$PROMETHEUS_PORT" --rules.alert.resend-delay=5s
  ready prometheus 30 answers "http://127.0.0.1:$PROMETHEUS_PORT/-/ready"
}

# Alertmanager starts without a memory: after a delivery that nobody answered it would keep a repeated alert to itself
# for a whole repeat_interval.
start_alertmanager() {
  rm -rf "$RUN/alertmanager"
  render "$LAB/config/alertmanager.yml" "$RUN/alertmanager.yml" BOT_URL RUN
  spawn alertmanager "$(alertmanager_bin)" "--config.file=$RUN/alertmanager.yml" "--storage.path=$RUN/alertmanager" \
    "--web.listen-address=127.0.0.1:$ALERTMANAGER_PORT" --cluster.listen-address=
  ready alertmanager 30 answers "http://127.0.0.1:$ALERTMANAGER_PORT/-/ready"
}

port_of() {
  case $1 in
    connect*) echo $((CONNECT_PORT + ${1#connect} - 1)) ;;
    *) local name=${1^^}_PORT && echo "${!name}" ;;
  esac
}

# start COMPONENT...: all at once; a worker waits for its broker by itself.
start() {
  local c job jobs=() failed=0
  for c in "$@"; do
    if alive "$c"; then
      printf '%-13s runs already, pid %s\n' "$c" "$(pid_of "$c")"
      continue
    fi
    { free "$c" "$(port_of "$c")" && "start_$c"; } &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  rm -f "$RUN"/tmp/answer.*
  [ $failed = 0 ] || die "not everything started; what did keeps running until lab/down.sh"
}

# put NAME: configure the connector and bring it back to RUNNING from wherever a test left it.
put() {
  local code answer=$RUN/tmp/put.$1
  ORDERS_FILE=$RUN/orders.txt render "$LAB/connectors/$1.json" "$RUN/$1.json" ORDERS_FILE REGISTRY_PORT POSTGRES_PORT
  for _ in $(seq 60); do # 409 while the workers rebalance
    code=$(curl -s -m 30 -o "$answer" -w '%{http_code}' -X PUT -H 'Content-Type: application/json' \
      --data-binary "@$RUN/$1.json" "$CONNECT/connectors/$1/config") || code=000
    case $code in 20? | 400) break ;; esac
    sleep 0.5
  done
  [[ $code == 20? ]] || die "connector $1 was refused with $code: $(cat "$answer" 2>/dev/null)"
  curl -s -m 30 -o "$answer" -X PUT "$CONNECT/connectors/$1/resume" || true
  curl -s -m 30 -o "$answer" -X POST "$CONNECT/connectors/$1/restart?includeTasks=true&onlyFailed=true" || true
}

# prove follows one record from the file to the table, which proves every component but the alerting.
prove() {
  local id start
  id=proof-$(date +%s%N) start=$(now_ms)
  echo "$id" >>"$RUN/orders.txt"
  until sql -d warehouse -c "select 1 from cdc_orders where id = '$id'" 2>/dev/null | grep -q 1; do
    [ $(($(now_ms) - start)) -lt 60000 ] || {
      curl -s -m 5 "$CONNECT/connectors?expand=status" >&2 || true
      fail connect1 "did not bring the record $id from $RUN/orders.txt to the table cdc_orders in 60 s"
      exit 1
    }
    sleep 0.1
  done
  printf '%-13s stored after %5d ms\n' 'first record' $(($(now_ms) - start))
}

# RUN/env tells tests where everything is: `set -a; . .lab/run/env`. internal/lab reads it by itself.
write_env() {
  cat >"$RUN/env" <<EOF
CDCBOT_LAB_CONNECT=$CONNECT
CDCBOT_LAB_METRICS=http://127.0.0.1:$METRICS_PORT/metrics
CDCBOT_LAB_REGISTRY=http://127.0.0.1:$REGISTRY_PORT/apis/ccompat/v7
CDCBOT_LAB_KAFKA=127.0.0.1:$KAFKA_PORT
CDCBOT_LAB_POSTGRES=postgres://admin:admin@127.0.0.1:$POSTGRES_PORT/warehouse
CDCBOT_LAB_POSTGRES_ROOT=postgres://postgres@127.0.0.1:$POSTGRES_PORT/warehouse
CDCBOT_LAB_PROMETHEUS=http://127.0.0.1:$PROMETHEUS_PORT
CDCBOT_LAB_ALERTMANAGER=http://127.0.0.1:$ALERTMANAGER_PORT
CDCBOT_LAB_REDIS=redis://127.0.0.1:$REDIS_PORT/0
CDCBOT_LAB_BOT_URL=$BOT_URL
CDCBOT_LAB_WEBHOOK_TOKEN_FILE=$RUN/webhook-token
CDCBOT_LAB_ORDERS_FILE=$RUN/orders.txt
EOF
  local c
  for c in "${KNOWN[@]}"; do
    ! declare -F "env_$c" >/dev/null || "env_$c" >>"$RUN/env"
  done
}

[ -f "$JARS/stamp" ] || die "nothing is installed in $LAB_HOME: run lab/install.sh"
known "$@"
lock
mkdir -p "$RUN/tmp"
touch "$RUN/orders.txt"
[ -s "$RUN/webhook-token" ] || (umask 077 && head -c 24 /dev/urandom | base64 | tr '+/' '-_' | tr -d '\n' >"$RUN/webhook-token")
begun=$(now_ms)
if [ $# -gt 0 ]; then
  start "$@"
  exit 0
fi
start "${COMPONENTS[@]}"
write_env
put $SOURCE
put $SINK
prove
for c in "${COMPONENTS[@]}"; do
  ! declare -F "settle_$c" >/dev/null || "settle_$c" || die "$c did not settle"
done
printf 'lab is up after %d ms; tests find it in %s\n' $(($(now_ms) - begun)) "$RUN/env"
