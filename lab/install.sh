#!/usr/bin/env bash
# install.sh: put on this machine what the lab and the tests run on; does nothing when it is all there.
#
#   install.sh            programs by apt (root on Debian), jars by Maven into $CDCBOT_LAB_HOME/jars
#   install.sh --check    change nothing; list what is missing
#
# What cannot be installed is listed, one line each: "missing: NAME (how to get it)"; the exit code is then 1.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "$0")/env.sh"
# shellcheck source=sdk/install.sh
. "$LAB/sdk/install.sh"
POLICY=/usr/sbin/policy-rc.d
OURS='lab/install.sh of cdcbot, while it installs'

java_ok() { command -v java >/dev/null && [ "$(java_major)" -ge 17 ]; }

# java_major prints 17 for 17.0.15. It reads the release file beside the program, because starting Java takes a second.
java_major() {
  local release
  release=$(dirname "$(dirname "$(readlink -f "$(command -v java)")")")/release
  { cat "$release" 2>/dev/null || java -version 2>&1; } |
    sed -n -e 's/^JAVA_VERSION="\([0-9]*\).*/\1/p' -e 's/.* version "\([0-9]*\).*/\1/p' | head -n 1 | grep . || echo 0
}

maven_ok() { command -v mvn >/dev/null || jars_ok; }
postgres_ok() { pg_bin >/dev/null && { [ "$(id -u)" != 0 ] || id postgres >/dev/null 2>&1; }; }
alertmanager_ok() { alertmanager_bin >/dev/null; }
chromium_ok() { command -v chromium || command -v chromium-browser || command -v google-chrome; }

# What must be there: its name, its package on Debian, the test for it.
NEEDED=(
  'java default-jre-headless java_ok'
  'mvn maven maven_ok'
  'postgres postgresql postgres_ok'
  'redis-server redis-server command -v redis-server'
  'prometheus prometheus command -v prometheus'
  'alertmanager prometheus-alertmanager alertmanager_ok'
  'chromium chromium chromium_ok'
  'cc build-essential command -v cc'
  'curl curl command -v curl'
  'node nodejs command -v node'
  'npm npm command -v npm'
  'python3 python3 command -v python3'
  'venv python3-venv venv_ok'
  'setpriv util-linux command -v setpriv'
)

# each_missing prints "name package" for all that is not there.
each_missing() {
  local row name package test
  for row in "${NEEDED[@]}"; do
    read -r name package test <<<"$row"
    $test >/dev/null 2>&1 || echo "$name $package"
  done
}

can_apt() { [ "$(id -u)" = 0 ] && [ -f /etc/debian_version ] && command -v apt-get >/dev/null; }

# no_services tells Debian's package scripts to start nothing while we install; restore_policy takes that back.
# A policy of ours that is still there was left by a run that was killed.
no_services() {
  trap restore_policy EXIT
  [ ! -e "$POLICY" ] || grep -q "$OURS" "$POLICY" || mv "$POLICY" "$POLICY.before-cdcbot-lab"
  printf '#!/bin/sh\n# %s\nexit 101\n' "$OURS" >"$POLICY"
  chmod 755 "$POLICY"
}

restore_policy() {
  rm -f "$POLICY"
  [ ! -e "$POLICY.before-cdcbot-lab" ] || mv "$POLICY.before-cdcbot-lab" "$POLICY"
  trap - EXIT
}

apt_install() {
  local log=$LAB_HOME/apt.log options=(-q -y -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
  export DEBIAN_FRONTEND=noninteractive
  say "installing $* (log: $log)"
  no_services
  { apt-get "${options[@]}" update && apt-get "${options[@]}" install --no-install-recommends "$@"; } >"$log" 2>&1 || {
    tail -n 15 "$log" >&2
    die "apt could not install $*; log: $log"
  }
  restore_policy
}

programs() {
  local missing packages
  missing=$(each_missing)
  if [ -n "$missing" ] && [ "${1:-}" != --check ] && can_apt; then
    mapfile -t packages < <(cut -d' ' -f2 <<<"$missing" | sort -u)
    apt_install "${packages[@]}"
    missing=$(each_missing)
  fi
  [ -z "$missing" ] || while read -r name package; do
    echo "missing: $name (apt install $package)"
  done <<<"$missing"
}

# wanted is what the jars are made from: another version in a pom, or another way to unpack, makes them stale.
wanted() { cat "$LAB"/maven/pom.xml "$LAB"/maven/*/pom.xml "$LAB/install.sh" | sha256sum | cut -d' ' -f1; }
jars_ok() { [ "$(cat "$JARS/stamp" 2>/dev/null)" = "$(wanted)" ]; }

resolve() {
  local log=$LAB_HOME/maven.log try
  for try in 1 2 3; do
    MAVEN_OPTS="${MAVEN_OPTS:-} -XX:-UsePerfData" mvn -B -q -f "$LAB/maven/pom.xml" "-Dlab.jars=$1" package >"$log" 2>&1 && return
    say "maven failed, try $try of 3"
  done
  grep -m 5 ERROR "$log" >&2 || tail -n 15 "$log" >&2
  die "maven could not resolve the jars; log: $log"
}

# jars are made beside the old ones and then moved, so that an interrupted run leaves nothing half done.
jars() {
  local new=$JARS.new
  rm -rf "$new"
  mkdir -p "$new/registry" "$new/plugins" "$RUN/tmp"
  say "resolving jars into $JARS (300 MB, once)"
  resolve "$new"
  tar xzf "$new"/extras/apicurio-registry-app-*.tar.gz -C "$new/registry"
  tar xzf "$new"/extras/debezium-connector-jdbc-*-plugin.tar.gz -C "$new/plugins"
  rm "$new"/extras/*.tar.gz
  # The Apicurio converter has no ServiceLoader manifest. Kafka's own tool adds one, so that workers can start with
  # plugin.discovery=service_load: 7 s instead of 27 s.
  java "${JVM[@]}" -cp "$new/kafka/*" org.apache.kafka.tools.ConnectPluginPath sync-manifests \
    --plugin-path "$new/plugins" >"$LAB_HOME/manifests.log" 2>&1 ||
    die "could not write plugin manifests; log: $LAB_HOME/manifests.log"
  wanted >"$new/stamp"
  end_java
  rm -rf "$JARS"
  mv "$new" "$JARS"
}

# end_java stops what runs on the old jars: a JVM opens some of them only when it needs them. up.sh starts it again.
end_java() {
  local c
  for c in connect1 connect2 registry kafka; do stop_one "$c" TERM 20 >&2; done
}

case ${1:-} in
  '' | --check) ;;
  *) die "install.sh takes nothing or --check, not '$1'" ;;
esac
lock
missing=$(programs "${1:-}")
if ! jars_ok; then
  if [ "${1:-}" = --check ]; then
    missing+=${missing:+$'\n'}"missing: jars (lab/install.sh)"
  elif java_ok && command -v mvn >/dev/null; then
    jars
  else
    missing+=$'\n'"missing: jars (java and mvn first, then lab/install.sh)"
  fi
fi
for c in sdk "${KNOWN[@]}"; do
  declare -F "install_$c" >/dev/null || continue
  more=$("install_$c" "${1:-}") || more=${more:-"missing: $c (its installation failed; see above)"}
  missing+=${missing:+${more:+$'\n'}}$more
done
[ -z "$missing" ] || {
  echo "$missing"
  exit 1
}
say "installed"
