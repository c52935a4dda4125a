#!/bin/sh
# secrets.sh: make what is missing of the secrets that compose.yaml names, in secrets/ beside it. What is there stays. Slack's
# two tokens only you can have: it makes empty files for them, and says so.
set -eu
cd "$(dirname "$0")"
# Only you may enter the folder. The files themselves can be read by the containers' users, which differ.
mkdir -p secrets/connect
chmod 700 secrets

# make NAME COMMAND...: the file secrets/NAME with what the command prints, unless it is there.
make() {
  name=$1
  shift
  [ -s "secrets/$name" ] || "$@" >"secrets/$name"
  chmod 444 "secrets/$name"
}
token() { head -c 32 /dev/urandom | od -An -tx1 | tr -d ' \n'; }
key() { printf 'k1:%s\n' "$(token)"; }
sink() { printf 'user=admin\npassword=%s\n' "$(cat secrets/postgres-password)"; }

make webhook-token token
make redis-password token
make postgres-password token
make vault-token token
make seal-keys key
make connect/postgres sink
for name in slack-bot-token slack-app-token; do
  [ -s "secrets/$name" ] || {
    : >"secrets/$name"
    echo "put Slack's token into $PWD/secrets/$name (docs/slack.md)"
  }
done
