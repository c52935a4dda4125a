# shellcheck shell=bash disable=SC2034,SC2154  # sourced by env.sh, whose variables it uses
# The real API server of Kubernetes with its etcd, and helm; lab/kubernetes/README.md says more.

ETCD_PORT=${CDCBOT_LAB_ETCD_PORT:-18444}

kubernetes_version() { sed -n 's|.*k8s.io/kubernetes \(v[0-9.]*\).*|\1|p' "$LAB/kubernetes/go.mod" | head -n 1; }
# kubernetes_wanted is what the programs are made from.
kubernetes_wanted() { cat "$LAB"/kubernetes/*.go "$LAB"/kubernetes/build.sh "$LAB"/kubernetes/go.mod "$LAB"/kubernetes/go.sum | sha256sum | cut -d' ' -f1; }
kubernetes_built() { [ "$(cat "$LAB_HOME/kubernetes/stamp" 2>/dev/null)" = "$(kubernetes_wanted)" ] && [ -x "$LAB_HOME/kubernetes/helm" ]; }

# install_kubernetes begins the build and does not wait, as Vault's does: start_kubernetes waits.
install_kubernetes() {
  ! kubernetes_built || return 0
  if [ "${1:-}" = --check ]; then
    echo "missing: kubernetes (lab/kubernetes/build.sh)"
  elif ! command -v "${GO:-go}" >/dev/null; then
    echo "missing: kubernetes (go first, then lab/kubernetes/build.sh)"
  else
    mkdir -p "$RUN"
    say "kubernetes is built in the background (log: $RUN/kubernetes-build.log); lab/up.sh waits for it"
    alive kubernetes-build || spawn kubernetes-build "$LAB/kubernetes/build.sh"
  fi
}

start_kubernetes() {
  kubernetes_built || "$LAB/kubernetes/build.sh" || { say "kubernetes is not there: lab/kubernetes/build.sh"; return 1; }
  local dir=$RUN/kubernetes token
  mkdir -p "$dir"
  chmod 700 "$dir"
  # Tokens of service accounts are signed with this key; the administrator's is new with every start.
  [ -s "$dir/accounts.key" ] || openssl genrsa -out "$dir/accounts.key" 2048 2>/dev/null || return 1
  token=$(head -c 24 /dev/urandom | base64 | tr '+/' '-_')
  (umask 077 && echo "$token,admin,admin,system:masters" >"$dir/tokens.csv" && kubernetes_config "$token" >"$RUN/kubeconfig")
  spawn kubernetes "$LAB_HOME/kubernetes/kubernetes" -data "$dir/etcd" -etcd "127.0.0.1:$ETCD_PORT" -- \
    --secure-port "$KUBERNETES_PORT" --bind-address 127.0.0.1 --advertise-address 192.0.2.1 --cert-dir "$dir/certificates" \
    --authorization-mode RBAC --anonymous-auth=false --token-auth-file "$dir/tokens.csv" --service-cluster-ip-range 10.0.0.0/24 \
    --service-account-issuer https://lab.cdcbot --service-account-key-file "$dir/accounts.key" --service-account-signing-key-file "$dir/accounts.key"
  ready kubernetes 60 kubernetes_ready "$token"
}

kubernetes_ready() {
  printf 'header = "Authorization: Bearer %s"' "$1" | curl -skf -m 2 -K - "https://127.0.0.1:$KUBERNETES_PORT/readyz"
}

# The certificate is the server's own, made at its first start.
kubernetes_config() {
  cat <<EOF
apiVersion: v1
kind: Config
current-context: lab
clusters: [{name: lab, cluster: {server: "https://127.0.0.1:$KUBERNETES_PORT", insecure-skip-tls-verify: true}}]
users: [{name: admin, user: {token: "$1"}}]
contexts: [{name: lab, context: {cluster: lab, user: admin}}]
EOF
}

stop_kubernetes() {
  ! alive kubernetes-build || kill -TERM -- "-$(pid_of kubernetes-build)" 2>/dev/null || true
  stop_one kubernetes-build TERM 20
  stop_one kubernetes "$1" 20
}

env_kubernetes() {
  echo "CDCBOT_LAB_KUBERNETES=127.0.0.1:$KUBERNETES_PORT"
  echo "CDCBOT_LAB_KUBECONFIG=$RUN/kubeconfig"
  echo "CDCBOT_LAB_HELM=$LAB_HOME/kubernetes/helm"
}
