#!/usr/bin/env bash
# test.sh: test everything, on real services. It installs what is missing (root on Debian), starts the lab, runs every
# test, and ends the lab again if it was not up before.
#
# Elsewhere it runs what it can and names each part it had to leave out; with CI=true a part left out is a failure.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=env.sh
. "$(dirname "$0")/env.sh"
cd "$LAB/.."

GO=${GO:-go}
command -v "$GO" >/dev/null || die "go is missing: install Go 1.26 or newer (https://go.dev/dl)"

began=$SECONDS
whole=yes
"$LAB/install.sh" || whole=
if [ -z "$whole" ]; then
  [ "${CI:-}" != true ] || die "with CI=true every part must be there; see the lines that begin with 'missing:' above"
  say "going on without the parts named above; the tests that need them are left out by name"
fi

if [ -n "$whole" ]; then
  if alive connect1 && alive kafka; then
    say "the lab is up already and stays up"
  else
    trap '"$LAB/down.sh" >&2' EXIT
  fi
  "$LAB/up.sh"
  export CDCBOT_LAB=1
fi

mkdir -p "$RUN"

# The race detector needs a C compiler.
race=(-race)
command -v cc >/dev/null || {
  race=()
  say "left out: the race detector (no C compiler)"
}

say "checking format, vet and the runbooks that ship"
unformatted=$(find . -name '*.go' -not -path './.lab/*' -print0 | xargs -0 gofmt -l)
[ -z "$unformatted" ] || die "not formatted (make fmt): $unformatted"
"$GO" vet ./...
"$GO" run ./cmd/bot lint --no-targets runbooks/*.md >/dev/null

if command -v node >/dev/null; then
  say "testing the page's scripts"
  node --test internal/slacksim/web/test >"$RUN/test-page.out" 2>&1 || {
    cat "$RUN/test-page.out"
    die "the page's tests failed"
  }
fi

say "testing"
out=$RUN/test.out
status=0
# Packages run in this order, as many at once as there are cores: the longest, which has the lab to itself for most of its
# time; beside it those that need no lab; then those that share it and would only wait before.
sharing=$(grep -rlE '\b(Require|Alone)\(t' --include='*_test.go' cmd internal deploy | xargs -n1 dirname | sort -u | grep -v '^internal/e2e$')
others=$("$GO" list -f '{{.Dir}}' ./... | sed "s|^$PWD/||" | grep -vxF -e internal/e2e -f <(echo "$sharing"))
# shellcheck disable=SC2046,SC2086  # one word for each package
"$GO" test "${race[@]}" -shuffle=on -timeout 25m -v $(printf './%s ' internal/e2e $others $sharing) >"$out" 2>&1 || status=$?
if [ "$status" != 0 ]; then
  grep -E -A 40 '^(--- FAIL|    --- FAIL|FAIL|panic:|.*DATA RACE)' "$out" | head -n 400 || tail -n 200 "$out"
fi
grep -E '^(ok|FAIL|\?|---  ?FAIL)' "$out" | sed 's/^/  /' || true
echo
left=$(grep -E 'left out:' "$out" | sed 's/^ *//' | sort -u || true)
if [ -n "$left" ]; then
  echo "left out:"
  # shellcheck disable=SC2001  # one line each
  sed 's/^/  /' <<<"$left"
  [ "${CI:-}" != true ] || status=1
fi
passed=$(grep -c -E '^ *--- PASS' "$out" || true)
failed=$(grep -c -E '^ *--- FAIL' "$out" || true)
skipped=$(grep -c -E '^ *--- SKIP' "$out" || true)
if [ "$skipped" != 0 ]; then
  echo "skipped:"
  grep -E '^ *--- SKIP' "$out" | sed 's/^ */  /' | sort -u
  [ "${CI:-}" != true ] || status=1
fi
say "done after $((SECONDS - began)) s; the whole output is in $out"
echo "$passed passed, $failed failed, $skipped skipped"
exit "$status"
