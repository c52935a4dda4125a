# shellcheck shell=bash disable=SC2034  # sourced: the scripts beside it use the variables
# What the lab's scripts share: where things lie, which ports they use, how processes start and end. Sourced, not run.

LAB=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
LAB_HOME=${CDCBOT_LAB_HOME:-$(dirname "$LAB")/.lab} # everything the lab writes, but PG_DATA
JARS=$LAB_HOME/jars
RUN=$LAB_HOME/run # data, logs, pid files; `down.sh --purge` deletes it

CONNECT_PORT=${CDCBOT_LAB_CONNECT_PORT:-18083} # worker 1; worker 2 is +1
METRICS_PORT=${CDCBOT_LAB_METRICS_PORT:-18090} # worker 1; worker 2 is +1
KAFKA_PORT=${CDCBOT_LAB_KAFKA_PORT:-18092}
CONTROLLER_PORT=${CDCBOT_LAB_CONTROLLER_PORT:-18093}
REGISTRY_PORT=${CDCBOT_LAB_REGISTRY_PORT:-18081}
POSTGRES_PORT=${CDCBOT_LAB_POSTGRES_PORT:-18432}
PROMETHEUS_PORT=${CDCBOT_LAB_PROMETHEUS_PORT:-18490}
ALERTMANAGER_PORT=${CDCBOT_LAB_ALERTMANAGER_PORT:-18491}
REDIS_PORT=${CDCBOT_LAB_REDIS_PORT:-18379}
CASSANDRA_PORT=${CDCBOT_LAB_CASSANDRA_PORT:-18042} # CQL; the ports of storage and JMX are +1 and +2
CONNECT3_PORT=${CDCBOT_LAB_CONNECT3_PORT:-18183}   # the worker with the Cassandra source
VAULT_PORT=${CDCBOT_LAB_VAULT_PORT:-18200}
CDCAPI_PORT=${CDCBOT_LAB_CDCAPI_PORT:-18180}
KUBERNETES_PORT=${CDCBOT_LAB_KUBERNETES_PORT:-18443}
BOT_URL=${CDCBOT_LAB_BOT_URL:-http://127.0.0.1:18492/alerts} # where Alertmanager delivers
ALERT_FOR=${CDCBOT_LAB_ALERT_FOR:-10s}                       # operators use 2m

COMPONENTS=(postgres redis kafka registry connect1 prometheus alertmanager)
OPTIONAL=(connect2)
JVM=(-XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto -XX:-UsePerfData "-Djava.io.tmpdir=$RUN/tmp")

say() { echo "lab: $*" >&2; }
die() {
  say "$*"
  exit 1
}

# The path goes into Java options and property files, which have no common way of quoting.
[[ $LAB_HOME =~ ^/[A-Za-z0-9._/+@-]+$ ]] ||
  die "CDCBOT_LAB_HOME is '$LAB_HOME', expected an absolute path of letters, digits and . _ / + @ - only"

# pg_bin prints the folder of the newest PostgreSQL server.
pg_bin() {
  local dirs=(/usr/lib/postgresql/*/bin) initdb
  [ -x "${dirs[0]}/initdb" ] || {
    initdb=$(command -v initdb) && dirs=("$(dirname "$(readlink -f "$initdb")")") || return 1
  }
  printf '%s\n' "${dirs[@]}" | sort -V | tail -n 1
}

# alertmanager_bin prints the program: Debian has given it a longer name.
alertmanager_bin() { command -v prometheus-alertmanager || command -v alertmanager; }

# as_pg runs a command as the user postgres when we are root: PostgreSQL refuses to run as root.
as_pg() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --init-groups "$@"; else "$@"; fi; }

# pg_data prints where the database lies: in RUN, unless the user postgres cannot reach that (a checkout under /root).
pg_data() {
  if (cd / && as_pg test -x "$RUN"); then echo "$RUN/postgres"; else
    echo "/var/tmp/cdcbot-lab-$(printf %s "$LAB_HOME" | cksum | cut -d' ' -f1)"
  fi
}

# known fails unless every argument names a component.
known() {
  local c
  for c in "$@"; do
    [[ " ${KNOWN[*]} " == *" $c "* ]] || die "component '$c' is not known, expected one of: ${KNOWN[*]}"
  done
}

# lock lets one script at a time change the lab; the lock ends with the script (spawn closes it in children).
lock() {
  mkdir -p "$LAB_HOME"
  exec 9>"$LAB_HOME/scripts.lock"
  flock -w 300 9 || die "another lab script has held $LAB_HOME/scripts.lock for 300 s"
}

now_ms() { echo $(($(date +%s%N) / 1000000)); }
port_open() { (exec 3<>"/dev/tcp/127.0.0.1/$1") 2>/dev/null; }

# born PID prints when the process started, in clock ticks: a pid alone may have been given to another process since.
# A zombie has ended, but not while threads of it are left: a killed Java still holds its ports then.
born() {
  local stat tasks=(/proc/"$1"/task/*)
  stat=$(cat "/proc/$1/stat" 2>/dev/null) || return 1
  stat=${stat##*) } # the name before it may hold blanks
  # shellcheck disable=SC2086
  set -- $stat
  { [ "$1" != Z ] || [ ${#tasks[@]} -gt 1 ]; } && echo "${20}"
}

# alive NAME: the process of that component's pid file runs and is the one we started.
alive() {
  local pid tick
  { read -r pid tick <"$RUN/$1.pid"; } 2>/dev/null || return 1
  [ -n "$tick" ] && [ "$(born "$pid")" = "$tick" ]
}

pid_of() { cut -d' ' -f1 "$RUN/$1.pid"; }

# spawn NAME COMMAND...: run in the background in a session of its own, log to RUN/NAME.log. It inherits no other open
# file: a lock or a pipe of the caller would stay open as long as the service runs.
spawn() {
  local name=$1 pid
  shift
  setsid "$@" >>"$RUN/$name.log" 2>&1 </dev/null 3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- &
  pid=$!
  echo "$pid $(born "$pid")" >"$RUN/$name.pid"
}

# stop_one NAME SIGNAL SECONDS: signal the component's process and wait until it is gone; kill it after SECONDS.
stop_one() {
  local name=$1 signal=$2 seconds=$3 pid start how=stopped
  alive "$name" || {
    rm -f "$RUN/$name.pid"
    return 0
  }
  pid=$(pid_of "$name") start=$(now_ms)
  kill -0 "$pid" 2>/dev/null || ! alive "$name" || {
    say "$name (pid $pid) belongs to another user: end it as that user"
    return 1
  }
  kill "-$signal" "$pid" 2>/dev/null || true
  while alive "$name"; do
    if [ "$how" = stopped ] && [ $(($(now_ms) - start)) -gt $((seconds * 1000)) ]; then
      kill -KILL "$pid" 2>/dev/null || true
      how="killed, it did not stop in ${seconds} s,"
    fi
    sleep 0.1
  done
  rm -f "$RUN/$name.pid"
  printf '%-13s %s after %5d ms\n' "$name" "$how" $(($(now_ms) - start))
}

# services/NAME.sh adds a component in a file of its own. It defines start_NAME; it may define install_NAME (what
# install.sh does for it; with --check it prints what is missing), env_NAME (lines for RUN/env), settle_NAME (what a plain
# up.sh does last, when everything runs), stop_NAME and OPTIONAL_NAME=yes, which keeps it out of a plain up.sh.
for service in "$LAB"/services/*.sh; do
  [ -e "$service" ] || continue
  # shellcheck source=/dev/null
  . "$service"
  service=$(basename "$service" .sh)
  optional=OPTIONAL_${service}
  if [ "${!optional:-}" = yes ]; then OPTIONAL+=("$service"); else COMPONENTS+=("$service"); fi
done
KNOWN=("${COMPONENTS[@]}" "${OPTIONAL[@]}")
