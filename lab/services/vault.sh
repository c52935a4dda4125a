# shellcheck shell=bash disable=SC2034,SC2154  # sourced by env.sh, whose variables it uses
# A real Vault with the PostgreSQL database engine on the lab's database; lab/vault/README.md says more.

VAULT_VERSION=$(sed -n 's|.*github.com/hashicorp/vault \(v[0-9.]*\).*|\1|p' "$LAB/vault/go.mod" | head -n 1)

# vault_wanted is what the program is made from.
vault_wanted() { cat "$LAB"/vault/*.go "$LAB"/vault/go.mod "$LAB"/vault/go.sum | sha256sum | cut -d' ' -f1; }
vault_built() { [ "$(cat "$LAB_HOME/vault/stamp" 2>/dev/null)" = "$(vault_wanted)" ] && [ -x "$LAB_HOME/vault/vault" ]; }

# install_vault begins the build and does not wait: the rest of the installation and the start of everything else go on
# beside it, and start_vault waits. `make lab-vault` waits at once.
install_vault() {
  ! vault_built || return 0
  if [ "${1:-}" = --check ]; then
    echo "missing: vault (make lab-vault)"
  elif ! command -v "${GO:-go}" >/dev/null; then
    echo "missing: vault (go first, then make lab-vault)"
  else
    mkdir -p "$RUN"
    say "vault is built in the background (log: $RUN/vault-build.log); lab/up.sh waits for it"
    alive vault-build || spawn vault-build "$LAB/vault/build.sh"
  fi
}

start_vault() {
  vault_built || "$LAB/vault/build.sh" || { say "vault is not there: make lab-vault"; return 1; }
  mkdir -p "$RUN/vault"
  chmod 700 "$RUN/vault"
  spawn vault "$LAB_HOME/vault/vault" serve -listen "127.0.0.1:$VAULT_PORT" -data "$RUN/vault"
  ready vault 60 vault_provisioned
}

# vault_provisioned unseals the server and brings its mounts, roles and tokens to what they should be.
vault_provisioned() {
  port_open "$VAULT_PORT" && "$LAB_HOME/vault/vault" provision -vault "http://127.0.0.1:$VAULT_PORT" \
    -postgres "127.0.0.1:$POSTGRES_PORT" -out "$RUN" >>"$RUN/vault.log" 2>&1
}

# stop_vault SIGNAL ends the server, and a build in the background with all its compilers.
stop_vault() {
  ! alive vault-build || kill -TERM -- "-$(pid_of vault-build)" 2>/dev/null || true
  stop_one vault-build TERM 20
  stop_one vault "$1" 20
}

# seal_vault and unseal_vault are for trying what a sealed Vault does:
#   . lab/env.sh; seal_vault
seal_vault() {
  printf 'header = "X-Vault-Token: %s"' "$(cat "$RUN/vault-token")" |
    curl -sSf -m 10 -K - -X PUT "http://127.0.0.1:$VAULT_PORT/v1/sys/seal"
}
unseal_vault() { "$LAB_HOME/vault/vault" unseal -vault "http://127.0.0.1:$VAULT_PORT" -out "$RUN"; }

env_vault() {
  echo "CDCBOT_LAB_VAULT=http://127.0.0.1:$VAULT_PORT"
  echo "CDCBOT_LAB_VAULT_TOKEN_FILE=$RUN/vault-token"
  echo "CDCBOT_LAB_VAULT_BOT_TOKEN_FILE=$RUN/vault-bot-token"
}
