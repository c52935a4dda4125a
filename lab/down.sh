#!/usr/bin/env bash
# down.sh [-9] [--purge] [component]...: end the lab, or some of it. Data stays for the next up.sh.
#
#   down.sh               everything
#   down.sh postgres      only that; a clean stop
#   down.sh -9 connect1   kill, as a machine that went away
#   down.sh --purge       everything, and delete data and logs
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "$0")/env.sh"

# What ends before what: a worker says goodbye to its broker and waits for it when it is gone.
FIRST=(connect1 connect2 prometheus alertmanager redis)
THEN=(kafka registry postgres)

signal=TERM purge=no only=()
for arg in "$@"; do
  case $arg in
    -9) signal=KILL ;;
    --purge) purge=yes ;;
    -*) die "option '$arg' is not known, expected -9 or --purge" ;;
    *) only+=("$arg") ;;
  esac
done
known "${only[@]}"
[ $purge = no ] || [ ${#only[@]} = 0 ] || die "--purge deletes everything: name no component with it"

# end COMPONENT...: all of them at once.
end() {
  local c how job jobs=() failed=0
  for c in "$@"; do
    how=$signal
    ! declare -F "stop_$c" >/dev/null || {
      "stop_$c" "$how" &
      jobs+=($!)
      continue
    }
    [ "$c:$how" != postgres:TERM ] || how=INT # a fast shutdown; TERM would wait for every client to leave
    stop_one "$c" "$how" 20 &
    jobs+=($!)
  done
  for job in "${jobs[@]}"; do wait "$job" || failed=1; done
  return $failed
}

[ -d "$RUN" ] || exit 0
lock
if [ ${#only[@]} -gt 0 ]; then
  end "${only[@]}"
  exit 0
fi
mapfile -t services < <(for file in "$LAB"/services/*.sh; do [ ! -e "$file" ] || basename "$file" .sh; done)
end "${FIRST[@]}" "${services[@]}"
end "${THEN[@]}"
rm -rf "$RUN/tmp" "$RUN/env"
[ $purge = no ] || rm -rf "$(pg_data)" "$RUN"
