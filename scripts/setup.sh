#!/bin/sh
# Makes .env from .env.example, with generated passwords, a port, a project name, and the runtime. It needs only a POSIX
# shell. In an .env that is there it only fills in what is empty.
set -eu
cd "$(dirname "$0")/.."
set +x # a trace would show the passwords

# shellcheck source=scripts/place.sh
. scripts/place.sh

generated="RUNTIME COMPOSE_PROJECT_NAME DB_PORT POSTGRES_PASSWORD APP_DB_PASSWORD HOST_UID HOST_GID"

# Prints the names of the generated settings that are empty in .env. Elsewhere passwords have other sources.
empty_names() {
    grep -Eq "^[A-Z_]+=[[:blank:]]*\$" .env || return 0
    read_settings
    for name in $generated; do
        case $name in *PASSWORD) [ -z "$env_SECRETS_DIR$env_DATABASE_URL" ] || continue ;; esac
        ! grep -q "^$name=[[:blank:]]*\$" .env || echo "$name"
    done
}

mention_mode() {
    ! is_open_env || note "Every account of this machine can read the passwords in .env: chmod 600 .env"
}

empty=
if [ -e .env ]; then
    [ -r .env ] || exit 0
    mention_mode
    empty=$(empty_names | tr '\n' ' ')
    [ -n "$empty" ] || exit 0
fi

# This checkout may have a database although it has no .env. A new .env would name another, empty database.
find_database() {
    if is_accepted new; then
        [ ! -e "$place" ] || start_empty
    elif [ -n "$(recorded docker)$(recorded embedded)" ] && [ -n "$(recorded env)" ]; then
        is_accepted recorded && recorded_lines=$(recorded env) && return
        refuse_recorded
    elif [ "$runtime" = docker ] && [ -z "${COMPOSE_PROJECT_NAME:-}" ]; then
        refuse_volumes
    fi
}

refuse_recorded() {
    docker=$(recorded docker)
    volume=${docker#* } project=${docker% *}
    what="volume $volume, of Compose project $project"
    use="To make a new .env for it, with new passwords: make roles ACCEPT=recorded."
    [ -n "$docker" ] || what=$(recorded embedded)
    # A staging host's .env has more lines than are recorded.
    case $volume in "" | "${project}_db") ;; *) use="It had COMPOSE_PROJECT_NAME=$project and DB_VOLUME=$volume." ;; esac
    complain "There is no .env, but this checkout has a database: $what." "A new .env would name another, empty database." \
        "put .env back. $use To start with an empty database: make up ACCEPT=new" "nothing was changed."
}

# Finds Compose projects with this folder's name that no other checkout runs. One that runs from here is the right one.
refuse_volumes() {
    found=
    for project in $(docker volume ls --filter label=com.docker.compose.volume=db \
        --format '{{.Label "com.docker.compose.project"}}' 2>/dev/null | grep "^$(project_stem)-[0-9a-f]\{6\}\$"); do
        case $(checkouts_of "$project") in
        "") found="$found $project" ;;
        .) found=" $project" && break ;;
        esac
    done
    again="make roles RUNTIME=docker COMPOSE_PROJECT_NAME=${found##* }"
    [ -z "$found" ] || complain "There is no .env, but Docker has the database of a checkout with this name: Compose project${found}." \
        "A new .env would name another, empty database." \
        "put .env back. To make a new one, with new passwords: $again. To start with an empty database: make up ACCEPT=new" \
        "nothing was changed."
}

if [ -n "${RUNTIME:-}" ]; then
    runtime=$RUNTIME
    reason="you set it"
elif docker compose version >/dev/null 2>&1 && docker info >/dev/null 2>&1; then
    runtime=docker
    reason="a Docker engine answers"
else
    runtime=embedded
    reason="no Docker engine answers here"
fi

recorded_lines=
if [ -n "$empty" ]; then recorded_lines=$(recorded env); else find_database; fi
project=${COMPOSE_PROJECT_NAME:-$(new_project)}

# Files of a setup that was killed.
for left in .env.new.*; do
    kill -0 "${left##*.}" 2>/dev/null || rm -f "$left"
done

# In rootless Docker the container's root is the host's user. Every other id means no account of the host.
uid=$(id -u)
gid=$(id -g)
case $(docker info --format '{{.SecurityOptions}}' 2>/dev/null) in *rootless*) uid=0 gid=0 ;; esac

umask 077
trap 'rm -f ".env.new.$$"' EXIT
trap "exit 130" INT TERM
source=.env.example
[ -z "$empty" ] || source=.env
printf '%s\n' "$recorded_lines" | awk -F= -v filling="$empty" \
    'recorded { line[$1] = $0; next } $1 in line && (!filling || $0 ~ /=[ \t]*$/) { $0 = line[$1] } { print }' \
    recorded=1 - recorded=0 "$source" |
    sed -e "s|^RUNTIME=[[:blank:]]*\$|RUNTIME=$runtime|" \
        -e "s|^COMPOSE_PROJECT_NAME=[[:blank:]]*\$|COMPOSE_PROJECT_NAME=$project|" \
        -e "s|^DB_PORT=[[:blank:]]*\$|DB_PORT=$(new_port)|" \
        -e "s|^POSTGRES_PASSWORD=[[:blank:]]*\$|POSTGRES_PASSWORD=$(random_hex 20)|" \
        -e "s|^APP_DB_PASSWORD=[[:blank:]]*\$|APP_DB_PASSWORD=$(random_hex 20)|" \
        -e "s|^HOST_UID=[[:blank:]]*\$|HOST_UID=$uid|" \
        -e "s|^HOST_GID=[[:blank:]]*\$|HOST_GID=$gid|" \
    >".env.new.$$"
if [ -n "$empty" ]; then
    mv ".env.new.$$" .env
    note "Filled in what was empty in .env (now mode 0600): ${empty% }."
    exit 0
fi
# A link, unlike mv, never replaces a file. Another command may have made .env meanwhile, and used it.
ln ".env.new.$$" .env 2>/dev/null || {
    [ ! -e .env ] || exit 0
    mv ".env.new.$$" .env # a file system without links
}
if [ -n "$recorded_lines" ]; then reason="its database uses that"; fi
read_settings
echo "Made .env (mode 0600, generated passwords): RUNTIME=$(setting RUNTIME), because $reason." >&2
