#!/usr/bin/env bash
# pause.sh [--resume] COMPONENT...: stop a component's processes where they stand, as a machine that hangs: connections
# stay open and nothing answers. --resume lets them go on.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "$0")/env.sh"

signal=STOP components=()
for arg in "$@"; do
  case $arg in
    --resume) signal=CONT ;;
    -*) die "option '$arg' is not known, expected --resume" ;;
    *) components+=("$arg") ;;
  esac
done
[ ${#components[@]} -gt 0 ] || die "pause.sh: which component?"
known "${components[@]}"

# family PID: the process and all that descend from it, children first.
family() {
  local child
  for child in $(pgrep -P "$1"); do family "$child"; done
  echo "$1"
}

for c in "${components[@]}"; do
  alive "$c" || die "$c does not run"
  mapfile -t pids < <(family "$(pid_of "$c")")
  kill "-$signal" "${pids[@]}"
  echo "$c ${signal,,}: ${#pids[@]} processes"
done
