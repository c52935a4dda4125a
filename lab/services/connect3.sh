# shellcheck shell=bash
# A Connect worker beside Cassandra, with the two connectors of a true flow: Cassandra's commit log to Kafka to PostgreSQL.

CONNECT3=http://127.0.0.1:$CONNECT3_PORT
CONNECT3_DATA=$RUN/connect3
CONNECT3_CONNECTORS=(cassandra-source-connector postgres-cdc-sink-connector)

# Its jars come with cassandra's. Cassandra's classes run inside the worker and want the same open modules.
start_connect3() {
  cassandra_installed || return 1
  mkdir -p "$CONNECT3_DATA/relocated" "$CONNECT3_DATA/offsets" "$CONNECT3_DATA/storage"
  render "$LAB/cassandra/conf/connect3.properties" "$CONNECT3_DATA/worker.properties" KAFKA_PORT CONNECT3_PORT JARS CASSANDRA_HOME
  render "$LAB/cassandra/conf/driver.conf" "$CONNECT3_DATA/driver.conf" CASSANDRA_PORT
  java_main connect3 768m "@$LAB/cassandra/conf/modules.options" "-Dcassandra.storagedir=$CONNECT3_DATA/storage" \
    -cp "$JARS/kafka/*" org.apache.kafka.connect.cli.ConnectDistributed "$CONNECT3_DATA/worker.properties"
  ready connect3 120 answers "$CONNECT3/health"
}

env_connect3() {
  cat <<EOF
CDCBOT_LAB_CONNECT3=$CONNECT3
EOF
}

# settle_connect3 configures both connectors, brings them back to RUNNING and follows one row from Cassandra to PostgreSQL.
settle_connect3() {
  local name
  for name in "${CONNECT3_CONNECTORS[@]}"; do connect3_put "$name" || return 1; done
  connect3_prove
}

connect3_put() {
  local code=000 name=$1 answer=$RUN/tmp/put3.$1
  # shellcheck disable=SC2034  # render reads it by name
  local HTTP_PORT=$((CONNECT3_PORT + 1))
  render "$LAB/cassandra/connectors/$name.json" "$CONNECT3_DATA/$name.json" \
    CASSANDRA_DATA CONNECT3_DATA HTTP_PORT REGISTRY_PORT POSTGRES_PORT
  for _ in $(seq 60); do # 409 while the worker rebalances
    code=$(curl -s -m 30 -o "$answer" -w '%{http_code}' -X PUT -H 'Content-Type: application/json' \
      --data-binary "@$CONNECT3_DATA/$name.json" "$CONNECT3/connectors/$name/config") || code=000
    case $code in 20? | 400) break ;; esac
    sleep 0.5
  done
  [[ $code == 20? ]] || fail connect3 "refused the connector $name with $code: $(cat "$answer" 2>/dev/null)" || return 1
  curl -s -m 30 -o "$answer" -X PUT "$CONNECT3/connectors/$name/resume" || true
  curl -s -m 30 -o "$answer" -X POST "$CONNECT3/connectors/$name/restart?includeTasks=true&onlyFailed=true" || true
}

# connect3_prove writes a user in Cassandra and waits for it in PostgreSQL; then it takes it away at both.
connect3_prove() {
  local id start limit=90
  id=proof-$(date +%s%N) start=$(now_ms)
  cql <<<"INSERT INTO warehouse.users (id, name, email, created_at) VALUES ('$id', 'Proof', 'proof@example.org', toTimestamp(now()));" ||
    return 1
  until connect3_arrived "$id"; do
    [ $(($(now_ms) - start)) -lt $((limit * 1000)) ] || {
      curl -s -m 5 "$CONNECT3/connectors?expand=status" >&2 || true
      fail connect3 "did not bring the user $id from Cassandra to the table cdc_users in $limit s"
      return 1
    }
    sleep 0.1
  done
  printf '%-13s stored after %5d ms\n' 'first change' $(($(now_ms) - start))
  cql <<<"DELETE FROM warehouse.users WHERE id = '$id';"
}

connect3_arrived() { sql -d warehouse -c "select 1 from cdc_users where id = '$1' and email is not null" 2>/dev/null | grep -q 1; }
