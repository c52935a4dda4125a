# shellcheck shell=bash
# The source database: one Cassandra node with change data capture, and the keyspace warehouse.

CASSANDRA_HOME=$LAB_HOME/cassandra # jars and programs, not data
CASSANDRA_DATA=$RUN/cassandra

# Connect's plugins come with it: connect3 needs both, and one Maven run resolves them.
install_cassandra() {
  local missing=()
  cassandra_jars_ok || missing+=(jars)
  cassandra_transform_ok || missing+=(transform)
  cassandra_cql_ok || missing+=(cql)
  if [ ${#missing[@]} -gt 0 ] && [ "${1:-}" != --check ]; then
    cassandra_install "${missing[@]}" >&2 || return 1
    missing=()
  fi
  [ ${#missing[@]} = 0 ] || echo "missing: cassandra ${missing[*]} (lab/install.sh)"
}

cassandra_install() {
  local what
  mkdir -p "$CASSANDRA_HOME"
  for what in "$@"; do "cassandra_$what" || return 1; done
}

# What each part is made from: another version makes it stale. New jars take the transform away with the plugins.
cassandra_wanted_jars() { cat "$LAB"/cassandra/pom.xml "$LAB"/cassandra/*/pom.xml "${BASH_SOURCE[0]}" | sha256sum | cut -d' ' -f1; }
cassandra_wanted_transform() { cat "$LAB"/cassandra/transform/src/cdcbot/lab/*.java "$CASSANDRA_HOME/jars/stamp" "$JARS/stamp" | sha256sum | cut -d' ' -f1; }
cassandra_wanted_cql() { cat "$LAB"/cassandra/cql/*.go "$LAB/../go.mod" | sha256sum | cut -d' ' -f1; }
cassandra_jars_ok() { [ "$(cat "$CASSANDRA_HOME/jars/stamp" 2>/dev/null)" = "$(cassandra_wanted_jars)" ]; }
cassandra_transform_ok() { [ "$(cat "$CASSANDRA_HOME/transform.stamp" 2>/dev/null)" = "$(cassandra_wanted_transform 2>/dev/null)" ]; }
cassandra_cql_ok() { [ -x "$CASSANDRA_HOME/cql" ] && [ "$(cat "$CASSANDRA_HOME/cql.stamp" 2>/dev/null)" = "$(cassandra_wanted_cql)" ]; }

# cassandra_jars makes the jars beside the old ones and then moves them, as install.sh does with the others.
cassandra_jars() {
  local new=$CASSANDRA_HOME/jars.new log=$LAB_HOME/cassandra-maven.log try
  say "resolving the jars of Cassandra into $CASSANDRA_HOME/jars (145 MB, once)"
  for try in 1 2 3 failed; do
    [ $try != failed ] || break
    rm -rf "$new"
    ! MAVEN_OPTS="${MAVEN_OPTS:-} -XX:-UsePerfData" mvn -B -q -f "$LAB/cassandra/pom.xml" "-Dlab.jars=$new" package >"$log" 2>&1 || break
    say "maven failed, try $try of 3"
  done
  [ $try != failed ] || {
    say "maven could not resolve the jars of Cassandra; log: $log"
    grep -m 5 ERROR "$log"
    return 1
  }
  cassandra_wanted_jars >"$new/stamp"
  stop_one connect3 TERM 20
  stop_one cassandra TERM 20
  rm -rf "$CASSANDRA_HOME/jars"
  mv "$new" "$CASSANDRA_HOME/jars"
}

# cassandra_transform compiles with the compiler that Cassandra brings, because a Java runtime has none.
cassandra_transform() {
  local to=$CASSANDRA_HOME/jars/plugins/lab-transforms log=$LAB_HOME/cassandra-javac.log api
  api=$(printf '%s:' "$JARS"/kafka/connect-api-*.jar "$JARS"/kafka/kafka-clients-*.jar)
  stop_one connect3 TERM 20
  rm -rf "$to"
  mkdir -p "$to"
  cp -r "$LAB/cassandra/transform/META-INF" "$to/"
  java "${JVM[@]}" -cp "$(ls "$CASSANDRA_HOME"/jars/server/ecj-*.jar)" org.eclipse.jdt.internal.compiler.batch.Main \
    -source 17 -target 17 -cp "$api" -d "$to" "$LAB/cassandra/transform/src" >"$log" 2>&1 || {
    say "the transform of connect3 does not compile; log: $log"
    return 1
  }
  cassandra_wanted_transform >"$CASSANDRA_HOME/transform.stamp"
}

cassandra_cql() {
  command -v go >/dev/null || { say "go is not there, and the program that writes the schema is made with it"; return 1; }
  (cd "$LAB/.." && go build -o "$CASSANDRA_HOME/cql" ./lab/cassandra/cql) || return 1
  cassandra_wanted_cql >"$CASSANDRA_HOME/cql.stamp"
}

# cql runs the statements on its standard input as the superuser.
cql() { "$CASSANDRA_HOME/cql" -host "127.0.0.1:$CASSANDRA_PORT" "$@"; }

cassandra_installed() {
  local file
  for file in cql jars/stamp transform.stamp; do
    [ -e "$CASSANDRA_HOME/$file" ] || { say "$CASSANDRA_HOME/$file is not there: run lab/install.sh"; return 1; }
  done
}

start_cassandra() {
  # shellcheck disable=SC2034  # render reads them by name
  local DATA=$CASSANDRA_DATA STORAGE_PORT=$((CASSANDRA_PORT + 1))
  cassandra_installed || return 1
  mkdir -p "$CASSANDRA_DATA"
  render "$LAB/cassandra/conf/cassandra.yaml" "$CASSANDRA_DATA/cassandra.yaml" DATA CASSANDRA_PORT STORAGE_PORT
  spawn cassandra java "${JVM[@]}" -Xms256m -Xmx256m -XX:MaxDirectMemorySize=96m -XX:ReservedCodeCacheSize=96m -Xss512k \
    -XX:+ExitOnOutOfMemoryError "@$LAB/cassandra/conf/modules.options" \
    "-Dcassandra.config=file://$CASSANDRA_DATA/cassandra.yaml" "-Dcassandra.storagedir=$CASSANDRA_DATA" \
    "-Dlogback.configurationFile=$LAB/cassandra/conf/logback.xml" "-Dcassandra.jmx.local.port=$((CASSANDRA_PORT + 2))" \
    -Dcassandra-foreground=yes -Dcassandra.skip_wait_for_gossip_to_settle=0 -Dcassandra.ring_delay_ms=1 -Dcassandra.initial_token=0 \
    -Dcassandra.superuser_setup_delay_ms=0 -Dcassandra.disable_auth_caches_remote_configuration=true \
    -Dcassandra.shutdown_announce_in_ms=0 \
    -cp "$CASSANDRA_HOME/jars/server/*" org.apache.cassandra.service.CassandraDaemon
  ready cassandra 90 port_open "$CASSANDRA_PORT" || return 1
  cql -wait 30s <"$LAB/cassandra/schema.cql" >>"$RUN/cassandra.log" 2>&1 || fail cassandra "did not take its schema"
}

env_cassandra() {
  cat <<EOF
CDCBOT_LAB_CASSANDRA=127.0.0.1:$CASSANDRA_PORT
EOF
}
