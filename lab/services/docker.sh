# shellcheck shell=bash disable=SC2034,SC2153,SC2154  # sourced by env.sh
# docker: a Docker Engine of the lab's own, with containers named as those of the reference environment, so that
# "docker-compose restart postgres" of a runbook meets something real. Nothing of the machine's own Docker is used: it has
# its own socket, data and exec root, no bridge and no iptables. See lab/docker/README.md.

DOCKER_HOME=$LAB_HOME/docker
DOCKER_SOCKET=$RUN/docker.sock
# Containers: the compose service's name, and the container's.
DOCKER_SERVICES=(kafka schema-registry kafka-connect cassandra postgres vault cdc-api)

docker_container() { case $1 in cdc-*) echo "$1" ;; *) echo "cdc-$1" ;; esac; }
# Debian's own client where it is: another "docker" in the PATH may be something else.
DOCKER_CLI=$([ -x /usr/bin/docker ] && echo /usr/bin/docker || echo docker)
DOCKER_PORT=0 # it listens on a socket only

docker_cli() { "$DOCKER_CLI" -H "unix://$DOCKER_SOCKET" "$@"; }

install_docker() {
  command -v dockerd >/dev/null && command -v "$DOCKER_CLI" >/dev/null && return
  [ "${1:-}" != --check ] && can_apt && apt_install docker.io >&2 && return
  echo "missing: dockerd (apt install docker.io)"
}

# docker_image imports an image of one static program, built here.
docker_image() {
  local dir=$DOCKER_HOME/image
  mkdir -p "$dir/tmp"
  chmod 1777 "$dir/tmp"
  (cd "$LAB/.." && CGO_ENABLED=0 "${GO:-go}" build -trimpath -o "$dir/service" ./lab/docker/service) || return 1
  tar -C "$dir" -c service tmp | docker_cli import -c 'ENTRYPOINT ["/service"]' \
    -c 'HEALTHCHECK --interval=1s --timeout=2s --retries=2 CMD ["/service","check"]' - cdcbot/service:3 >/dev/null
}

start_docker() {
  mkdir -p "$DOCKER_HOME"/{data,exec} && echo '{}' >"$DOCKER_HOME/daemon.json"
  rm -f "$RUN/docker.engine.pid" "$DOCKER_SOCKET"
  spawn docker dockerd --config-file "$DOCKER_HOME/daemon.json" -H "unix://$DOCKER_SOCKET" --data-root "$DOCKER_HOME/data" \
    --exec-root "$DOCKER_HOME/exec" --pidfile "$RUN/docker.engine.pid" --iptables=false --ip6tables=false --bridge=none \
    --ip-forward=false --ip-masq=false --userland-proxy=false --storage-driver=vfs --cgroup-parent cdcbot-lab
  ready docker 60 docker_cli version || return 1
  docker_cli image inspect cdcbot/service:3 >/dev/null 2>&1 || docker_image || { fail docker "could not import its image"; return 1; }
  local s c
  for s in "${DOCKER_SERVICES[@]}"; do
    c=$(docker_container "$s")
    docker_cli inspect "$c" >/dev/null 2>&1 || docker_cli create --name "$c" --network host --restart no \
      --label com.docker.compose.project=cdc --label "com.docker.compose.service=$s" --label com.docker.compose.container-number=1 \
      cdcbot/service:3 "$s" >/dev/null ||
      { fail docker "could not make the container $c"; return 1; }
    docker_cli start "$c" >/dev/null || { fail docker "could not start the container $c"; return 1; }
  done
}

# stop_docker SIGNAL: the engine takes its containers along. What it mounts for them is its own, and goes too.
stop_docker() {
  if alive docker && [ "$1" != KILL ]; then
    local ids
    mapfile -t ids < <(docker_cli ps -q 2>/dev/null)
    [ ${#ids[@]} = 0 ] || docker_cli kill "${ids[@]}" >/dev/null 2>&1 || true
  fi
  stop_one docker "$1" 30
  local mount
  grep -o "$DOCKER_HOME/exec[^ ]*" /proc/mounts | sort -r | while read -r mount; do umount "$mount" 2>/dev/null || true; done
  rmdir /sys/fs/cgroup/*/cdcbot-lab /sys/fs/cgroup/cdcbot-lab 2>/dev/null || true
}

env_docker() { echo "CDCBOT_LAB_DOCKER=unix://$DOCKER_SOCKET"; }
