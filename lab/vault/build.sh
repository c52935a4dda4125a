#!/usr/bin/env bash
# build.sh: build the lab's Vault into $CDCBOT_LAB_HOME/vault, once for each version of what lies here. Two runs at once
# build once: the second waits.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../env.sh
. "$(dirname "$0")/../env.sh"
GO=${GO:-go}
home=$LAB_HOME/vault log=$LAB_HOME/vault/build.log
export GOFLAGS=-buildvcs=false GOWORK=off CGO_ENABLED=0

command -v "$GO" >/dev/null || die "go is missing: install Go 1.26 or newer (https://go.dev/dl)"
mkdir -p "$home"
begun=$SECONDS

# progress says how far the compiler is: -v writes a line for each package that it had to compile.
progress() { say "building vault: $(wc -l <"$log") of at most $(cat "$home/packages") packages after $((SECONDS - begun)) s"; }

exec 8>"$home/build.lock"
flock -n 8 || {
  say "vault is being built already; waiting for that (log: $log)"
  until flock -w 30 8; do
    progress
    [ $((SECONDS - begun)) -lt 1800 ] || die "another build of vault has held $home/build.lock for 30 min"
  done
}
! vault_built || exit 0

cd "$LAB/vault"
say "building vault $VAULT_VERSION (once; about 5 min on 2 cores; log: $log)"
for try in 1 2 3; do # a module that could not be fetched is worth another try
  "$GO" list -deps . 2>"$log" | wc -l >"$home/packages" && break
  [ "$try" != 3 ] || { tail -n 5 "$log" >&2; die "vault's modules could not be fetched; log: $log"; }
done
nice -n 10 "$GO" build -p 2 -v -trimpath -ldflags '-s -w' -o "$home/vault.new" . >"$log" 2>&1 8>&- &
build=$!
trap 'kill "$build" 2>/dev/null || true' EXIT
for ((ticks = 1; ; ticks++)); do
  kill -0 "$build" 2>/dev/null || break
  [ $((ticks % 60)) != 0 ] || progress
  sleep 0.5
done
wait "$build" || { tail -n 12 "$log" >&2; die "vault could not be built; log: $log"; }
mv "$home/vault.new" "$home/vault"
vault_wanted >"$home/stamp"
say "built vault in $((SECONDS - begun)) s"
