# shellcheck shell=bash  # sourced by lab/install.sh, whose functions it uses
# Slack's own SDKs, by npm and pip, in folders of the lab's own. Versions and hashes are pinned here, addresses are not.

SDK=$LAB_HOME/sdk

# sdk_wanted is what the folders are made from.
sdk_wanted() { cat "$LAB"/sdk/package-lock.json "$LAB"/sdk/requirements.txt | sha256sum | cut -d' ' -f1; }
sdk_ok() { [ "$(cat "$SDK/stamp" 2>/dev/null)" = "$(sdk_wanted)" ]; }
venv_ok() { python3 -c 'import ensurepip, venv'; }

sdk_build() {
  rm -rf "$SDK"
  mkdir -p "$SDK/node"
  cp "$LAB"/sdk/package.json "$LAB"/sdk/package-lock.json "$SDK/node/"
  (cd "$SDK/node" && npm ci --no-audit --no-fund --ignore-scripts) &&
    python3 -m venv "$SDK/python" &&
    "$SDK/python/bin/pip" install --require-hashes -r "$LAB/sdk/requirements.txt" &&
    sdk_wanted >"$SDK/stamp"
}

install_sdk() {
  local log=$LAB_HOME/sdk.log
  sdk_ok && return
  if [ "${1:-}" = --check ]; then
    echo "missing: sdk (lab/install.sh)"
    return
  fi
  say "installing Slack's SDKs into $SDK (log: $log)"
  sdk_build >"$log" 2>&1 || {
    tail -n 5 "$log" >&2
    echo "missing: sdk (npm or pip could not install it; log: $log)"
  }
}
