# shellcheck shell=sh
# What docker.sh says when something fails: what happened, why, what to type next, what state was left.

quote() { printf '%s\n' "$1" | tail -n "${2:-15}" | sed 's/^/    /' >&2; }
last_line() { printf '%s\n' "$1" | sed '/^[[:space:]]*$/d; s/^[[:space:]*]*//' | tail -n 1; }

# The settings without which this .env cannot work.
required() {
    echo COMPOSE_PROJECT_NAME
    staging=$(setting COMPOSE_FILE | grep staging || true)
    [ -z "$staging" ] || echo APP_IMAGE SECRETS_DIR
    [ -z "$(setting DATABASE_URL)" ] || return 0
    echo POSTGRES_DB POSTGRES_USER
    [ -n "$(setting SECRETS_DIR)" ] || echo POSTGRES_PASSWORD
    [ -z "$staging" ] || echo DB_VOLUME APP_DB_USER
}

# All faults in one list: Compose would stop at the first.
check_env() {
    faults=$(awk -v required="$(required | tr '\n' ' ')" -f scripts/runtimes/env_faults.awk .env)
    [ -n "$faults" ] || return 0
    printf '✗ .env is not usable as it is:\n' >&2
    quote "$faults" 99
    printf '  Do:    correct it; .env.example explains every setting\n  State: nothing was changed.\n' >&2
    exit 1
}

# The owner's, and the application's.
secrets="postgres_password app_db_password"

# A secret reaches a container with the mode that it has here, and the containers are not its owner.
check_secrets() {
    for name in $secrets; do
        file=$(setting SECRETS_DIR)/$name
        [ -f "$file" ] || complain "There is no $file." "SECRETS_DIR in .env names the folder" \
            "write that role's password into $file (mode 0444, in a folder of mode 0700)" "nothing was changed"
        [ -n "$(find "$file" -perm -0004)" ] || complain "The containers cannot read $file." \
            "they run as other users, and the file is not readable by all" \
            "chmod 0444 $file && chmod 0700 ${file%/*}" "nothing was changed"
    done
}

explain_roles() {
    quote "$1"
    complain "The roles could not be made; psql's words are above." "" "correct the names in .env, then: make roles" \
        "no role was changed"
}

go_over="or set RUNTIME=embedded in .env: a PostgreSQL without Docker (the data does not move along)"

explain_engine() {
    command -v docker >/dev/null || complain "RUNTIME is docker, but there is no docker command here." "" \
        "install Docker Engine 25 or newer with Compose; $go_over" "nothing was changed"
    case $1 in *"permission denied"*) complain "The Docker engine does not let you in." "$(last_line "$1")" \
        "sudo usermod -aG docker $(id -un), then log in again; $go_over" "nothing was changed" ;;
    esac
    complain "RUNTIME is docker, but the Docker engine does not answer." "$(last_line "$1")" \
        "start Docker; $go_over" "nothing was changed"
}

explain_config() {
    version=$(docker compose version --short 2>/dev/null) || complain "The docker command here has no Compose." "" \
        "install the plugin docker-compose (2.24.4 or newer); $go_over" "nothing was changed"
    complain "Compose $version cannot read this project." "$(last_line "$1")" \
        "correct what it names; where that is none of yours: Compose 2.24.4 or newer" "nothing was changed"
}

explain_build() {
    case $1 in *"failed to resolve source metadata"* | *"failed to do request"* | *"pull access denied"*) explain_pull "$1" ;; esac
    quote "$1" 20
    complain "The image could not be built." "" "read the lines above; what failed is in Dockerfile or requirements*.txt" \
        "what runs still runs"
}

explain_commit() {
    complain "Nothing says which commit this checkout is." "$(printf '%s\n' "$1" | head -n 1)" "GIT_COMMIT=<the commit> make build" \
        "nothing was built"
}

explain_changes() {
    quote "$1"
    complain "These files are not what the last commit says." "a release is named by its commit" \
        "commit them, or: git stash; to build them under a name of yours: GIT_COMMIT=<name> make build" "nothing was built"
}

explain_release() {
    complain "The image $(image) could not be pulled." "$(last_line "$1")" \
        "correct APP_IMAGE in .env, or docker login; to build it from this checkout: make build" \
        "nothing was built; what runs still runs"
}

explain_accident() {
    complain "The image $(image) is no release." "Compose built it from a checkout, and it names no commit" \
        "docker compose pull app; to build it from this checkout: make build" "what runs still runs"
}

explain_pull() {
    complain "An image could not be pulled." "$(last_line "$1")" \
        "correct POSTGRES_IMAGE or PYTHON_IMAGE in .env, check the network, or name a mirror's image there; $go_over" \
        "what runs still runs"
}

# explain_start SERVICE OUTPUT: Compose could not bring the service up.
explain_start() {
    case $2 in
    *"port is already allocated"* | *"address already in use"*)
        complain "Port $(setting DB_PORT) of this machine is taken." "another program or another checkout listens on it" \
            "set another DB_PORT in .env, then: make up" "the database is down; its data is untouched" ;;
    *"external volume"*)
        complain "There is no volume $(setting DB_VOLUME)." "staging's data lives outside the project, where down -v cannot reach it" \
            "docker volume create $(setting DB_VOLUME)" "nothing was changed" ;;
    *"unhealthy"* | *"exited ("*) explain_service "$1" ;;
    *"access denied"* | *"unauthorized"* | *"manifest"* | *"failed to resolve"* | *"lookup "* | *"dial tcp"* | \
        *"Client.Timeout"* | *"toomanyrequests"* | *"invalid reference format"*)
        explain_pull "$2" ;;
    esac
    complain "$1 could not be started." "$(last_line "$2")" "make ps" "volumes are untouched"
}

explain_service() {
    log=$(docker compose --profile '*' logs --no-color --no-log-prefix --tail 15 "$1" 2>&1)
    case $log in
    *"not compatible with this version"*) explain_major "$log" ;;
    esac
    if [ "$1" = app ] && refuses_login; then
        quote "$log" 3
        complain "app cannot log in to the database." "the server has no such role, or another password for it" \
            "make roles" "the data is untouched"
    fi
    quote "$log"
    complain "$1 does not become healthy; its last lines are above." "" "make logs c=$1" "volumes are untouched"
}

# The server of Compose does not take the application's password. Of one out of a file psql then names the file, whatever
# language the server speaks. Not by 127.0.0.1, from where the image lets everybody in.
refuses_login() {
    # shellcheck disable=SC2016  # expanded in the container
    compose exec -T db sh -c '
        umask 077
        file=$(mktemp)
        if [ -n "$APP_DB_USER" ]; then user=$APP_DB_USER password=${APP_DB_PASSWORD:-$(cat "$APP_DB_PASSWORD_FILE")}
        else user=$OWNER_USER password=${POSTGRES_PASSWORD:-$(cat "$POSTGRES_PASSWORD_FILE")}; fi
        printf "*:*:*:*:%s\n" "$(printf %s "$password" | sed "s/[\\\\:]/\\\\&/g")" >"$file"
        said=$(PGPASSFILE=$file psql -Xqw -h "$(hostname -i | cut -d" " -f1)" -U "$user" -d postgres -c "" 2>&1)
        rm -f "$file"
        case $said in *"$file"*) exit 0 ;; esac
        exit 1' </dev/null 2>/dev/null
}

explain_major() {
    old=$(printf '%s\n' "$1" | sed -n 's/.*initialized by PostgreSQL version \([0-9]*\).*/\1/p' | tail -n 1)
    new=$(printf '%s\n' "$1" | sed -n 's/.*compatible with this version \([0-9]*\).*/\1/p' | tail -n 1)
    complain "The volume was made by PostgreSQL $old, and this is PostgreSQL $new." \
        "a major version cannot read another's files" \
        "to use the data: POSTGRES_IMAGE=postgres:$old-trixie in .env, then make up; to start empty: another COMPOSE_PROJECT_NAME" \
        "nothing was deleted; the data is in the volume"
}
