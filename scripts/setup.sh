#!/bin/sh
# Makes .env from .env.example: generated passwords, a port and a project name of this checkout's own, the
# runtime. Needs nothing but a POSIX shell. Does nothing when .env is there.
set -eu
cd "$(dirname "$0")/.."
[ ! -e .env ] || exit 0

# shellcheck source=scripts/place.sh
. scripts/place.sh

# Without .env a database may still be there. A new file would name another, empty one.
find_database() {
    if is_accepted new; then
        [ ! -e "$place" ] || start_empty
    elif [ -n "$(recorded docker)$(recorded embedded)" ] && [ -n "$(recorded env)" ]; then
        is_accepted recorded && kept_lines=$(recorded env) && return
        refuse_recorded
    elif [ "$runtime" = docker ] && [ -z "${COMPOSE_PROJECT_NAME:-}" ]; then
        refuse_volumes
    fi
}

refuse_recorded() {
    docker=$(recorded docker)
    volume=${docker#* } project=${docker% *}
    what="volume $volume, of Compose project $project" use="To use that, with new passwords: make roles ACCEPT=recorded."
    [ -n "$docker" ] || what=$(recorded embedded)
    # A staging host's .env has more than this would write into it.
    case $volume in "" | "${project}_db") ;; *) use="It has COMPOSE_PROJECT_NAME=$project and DB_VOLUME=$volume." ;; esac
    complain "There is no .env, but this checkout has a database: $what." "a new .env would make another, empty one" \
        "put .env back. $use To start empty: make up ACCEPT=new" "nothing was changed"
}

# Compose projects of this folder's name, unless another checkout runs them. One that runs from here is the one.
refuse_volumes() {
    found=
    for project in $(docker volume ls --filter label=com.docker.compose.volume=db \
        --format '{{.Label "com.docker.compose.project"}}' 2>/dev/null | grep "^$(project_stem)-[0-9a-f]\{6\}\$"); do
        case $(checkouts_of "$project") in
        "") found="$found $project" ;;
        .) found=" $project" && break ;;
        esac
    done
    [ -z "$found" ] || complain "There is no .env, but Docker has a database of a checkout of this name: Compose project${found}." \
        "a new .env would make another, empty one" \
        "to use it, with new passwords: make roles RUNTIME=docker COMPOSE_PROJECT_NAME=${found##* }. To start empty: make up ACCEPT=new" \
        "nothing was changed"
}

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

kept_lines=
find_database
project=${COMPOSE_PROJECT_NAME:-$(new_project)}

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
printf '%s\n' "$kept_lines" | awk -F= \
    'kept { line[$1] = $0; next } $1 in line { $0 = line[$1] } { print }' kept=1 - kept=0 .env.example |
    sed -e "s|^RUNTIME=\$|RUNTIME=$runtime|" \
        -e "s|^COMPOSE_PROJECT_NAME=\$|COMPOSE_PROJECT_NAME=$project|" \
        -e "s|^DB_PORT=\$|DB_PORT=$(new_port)|" \
        -e "s|^POSTGRES_PASSWORD=\$|POSTGRES_PASSWORD=$(random_hex 20)|" \
        -e "s|^APP_DB_PASSWORD=\$|APP_DB_PASSWORD=$(random_hex 20)|" \
        -e "s|^HOST_UID=\$|HOST_UID=$uid|" \
        -e "s|^HOST_GID=\$|HOST_GID=$gid|" \
    >".env.new.$$"
# A link, because unlike mv it never replaces a file: another target may have made .env meanwhile, and used it.
ln ".env.new.$$" .env 2>/dev/null || {
    [ ! -e .env ] || exit 0
    mv ".env.new.$$" .env # a file system without links
}
if [ -n "$kept_lines" ]; then reason="it was so"; fi
echo "Made .env (mode 0600, generated passwords): RUNTIME=$(setting RUNTIME), because $reason." >&2
