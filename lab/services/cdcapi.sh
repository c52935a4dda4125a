# shellcheck shell=bash  # sourced by env.sh, whose functions it uses
# The CDC API in front of the topic of dead letters; lab/cdcapi/README.md says more.

CDCAPI_PROGRAM=$LAB_HOME/cdcapi/cdcapi

# cdcapi_wanted is what the program is made from.
cdcapi_wanted() { cat "$LAB"/cdcapi/*.go "$LAB/../go.mod" | sha256sum | cut -d' ' -f1; }
cdcapi_built() { [ -x "$CDCAPI_PROGRAM" ] && [ "$(cat "$CDCAPI_PROGRAM.stamp" 2>/dev/null)" = "$(cdcapi_wanted)" ]; }

cdcapi_build() {
  local go=${GO:-go}
  command -v "$go" >/dev/null || { say "go is not there, and the CDC API is made with it"; return 1; }
  mkdir -p "$LAB_HOME/cdcapi"
  (cd "$LAB/.." && "$go" build -o "$CDCAPI_PROGRAM.new" ./lab/cdcapi) >&2 || { say "the CDC API does not compile"; return 1; }
  mv "$CDCAPI_PROGRAM.new" "$CDCAPI_PROGRAM"
  cdcapi_wanted >"$CDCAPI_PROGRAM.stamp"
}

install_cdcapi() {
  cdcapi_built && return
  if [ "${1:-}" = --check ]; then echo "missing: cdcapi (lab/install.sh)"; else cdcapi_build; fi
}

# It serves before Kafka does, and is healthy when it has read the topics to their end.
start_cdcapi() {
  cdcapi_built || cdcapi_build || return 1
  spawn cdcapi "$CDCAPI_PROGRAM" -listen "127.0.0.1:$CDCAPI_PORT" -kafka "127.0.0.1:$KAFKA_PORT"
  ready cdcapi 120 answers "http://127.0.0.1:$CDCAPI_PORT/health"
}

env_cdcapi() { echo "CDCBOT_LAB_CDCAPI=http://127.0.0.1:$CDCAPI_PORT"; }
