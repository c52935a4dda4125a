#!/usr/bin/env bash
# build.sh: build the lab's API server, and helm, into $CDCBOT_LAB_HOME/kubernetes, once for each version of what lies here.
# Two runs at once build once: the second waits.
set -euo pipefail
# shellcheck source-path=SCRIPTDIR source=../env.sh
. "$(dirname "$0")/../env.sh"
GO=${GO:-go}
home=$LAB_HOME/kubernetes log=$LAB_HOME/kubernetes/build.log
export GOFLAGS=-buildvcs=false GOWORK=off CGO_ENABLED=0

command -v "$GO" >/dev/null || die "go is missing: install Go 1.26 or newer (https://go.dev/dl)"
mkdir -p "$home/new"
begun=$SECONDS

exec 8>"$home/build.lock"
flock -n 8 || {
  say "kubernetes is being built already; waiting for that (log: $log)"
  flock -w 1800 8 || die "another build of kubernetes has held $home/build.lock for 30 min"
}
! kubernetes_built || exit 0

cd "$LAB/kubernetes"
say "building kube-apiserver $(kubernetes_version) and helm (once; 3 to 4 min on 2 cores; log: $log)"
for try in 1 2 3; do # a module that could not be fetched is worth another try
  "$GO" list -deps . helm.sh/helm/v4/cmd/helm 2>"$log" >/dev/null && break
  [ "$try" != 3 ] || { tail -n 5 "$log" >&2; die "kubernetes' modules could not be fetched; log: $log"; }
done
# Clients ask the server for its version. Unoptimised, because they serve a few tests and are mostly compiled.
version=$(kubernetes_version)
flags="-s -w -X k8s.io/component-base/version.gitVersion=$version -X k8s.io/component-base/version.gitMajor=1 -X k8s.io/component-base/version.gitMinor=$(cut -d. -f2 <<<"$version")"
nice -n 10 "$GO" build -p 2 -trimpath -gcflags='all=-N -l' -ldflags "$flags" -o "$home/new/" . helm.sh/helm/v4/cmd/helm >"$log" 2>&1 8>&- || {
  tail -n 12 "$log" >&2
  die "kubernetes could not be built; log: $log"
}
mv "$home"/new/* "$home/"
kubernetes_wanted >"$home/stamp"
say "built kubernetes in $((SECONDS - begun)) s"
