#!/bin/sh
# Makes .env from .env.example: generated passwords, a port and a project name of this checkout's own, the
# runtime. Needs nothing but a POSIX shell. Does nothing when .env is there.
set -eu
cd "$(dirname "$0")/.."
[ ! -e .env ] || exit 0

random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }

if [ -n "${RUNTIME:-}" ]; then
    runtime=$RUNTIME
    reason="as you asked"
elif docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
    runtime=docker
    reason="a Docker engine answers"
else
    runtime=embedded
    reason="no Docker engine answers here"
fi

# Compose takes lower case letters, digits, - and _ only, and a letter or digit first.
folder=$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9_-' | sed 's/^[-_]*//')
project="${folder:-app}-$(random_hex 3)"
# Below the ports that kernels hand out to outgoing connections; random, so that two checkouts do not collide.
port=$((15432 + 0x$(random_hex 2) % 10000))

# What a killed setup left.
for left in .env.new.*; do
    kill -0 "${left##*.}" 2>/dev/null || rm -f "$left"
done

# In rootless Docker the container's root is the host's user, and every other id is a stranger to the host.
uid=$(id -u)
gid=$(id -g)
case $(docker info --format '{{.SecurityOptions}}' 2>/dev/null) in *rootless*) uid=0 gid=0 ;; esac

umask 077
trap 'rm -f ".env.new.$$"' EXIT
trap "exit 130" INT TERM
sed -e "s|^RUNTIME=\$|RUNTIME=$runtime|" \
    -e "s|^COMPOSE_PROJECT_NAME=\$|COMPOSE_PROJECT_NAME=$project|" \
    -e "s|^DB_PORT=\$|DB_PORT=$port|" \
    -e "s|^POSTGRES_PASSWORD=\$|POSTGRES_PASSWORD=$(random_hex 20)|" \
    -e "s|^APP_DB_PASSWORD=\$|APP_DB_PASSWORD=$(random_hex 20)|" \
    -e "s|^HOST_UID=\$|HOST_UID=$uid|" \
    -e "s|^HOST_GID=\$|HOST_GID=$gid|" \
    .env.example >".env.new.$$"
# A link, because unlike mv it never replaces a file: another target may have made .env meanwhile, and used it.
ln ".env.new.$$" .env 2>/dev/null || {
    [ ! -e .env ] || exit 0
    mv ".env.new.$$" .env # a file system without links
}
echo "Made .env (mode 0600, generated passwords): RUNTIME=$runtime, because $reason." >&2
