# shellcheck shell=sh
# The errors of docker.sh.

# Leaves out escape sequences: Compose clears each line of a log, in a pipe too.
plain() { sed "s/$(printf '\033')\[[0-9;?]*[A-Za-z]//g"; }
quote() { printf '%s\n' "$1" | plain | tail -n "${2:-15}" | sed 's/^/    /' >&2; }
last_line() { printf '%s\n' "$1" | sed '/^[[:space:]]*$/d; s/^[[:space:]*]*//' | tail -n 1; }

# Lists the settings that this .env must have.
list_required() {
    required=COMPOSE_PROJECT_NAME
    ! is_release || required="$required APP_IMAGE SECRETS_DIR"
    [ -z "$(setting DATABASE_URL)" ] || return 0
    required="$required POSTGRES_DB POSTGRES_USER"
    [ -n "$(setting SECRETS_DIR)" ] || required="$required POSTGRES_PASSWORD"
    ! is_release || required="$required DB_VOLUME APP_DB_USER"
}

explain_colon() {
    complain "There is a colon in the path of this checkout, $PWD." "Docker takes what follows it for a folder of the container." \
        "move the checkout to a path without a colon$(go_over)" "nothing was changed."
}

# Lists all faults of .env. Compose would stop at the first one.
check_env() {
    list_required
    faults=$(read_env -v faults=1 -v "required=$required")
    [ -n "$faults" ] || return 0
    complain ".env has these faults:
$(printf '%s\n' "$faults" | sed 's/^/    /')" "" "correct them; .env.example explains every setting" "nothing was changed." settings
}

# The password of the owner, and that of the application's role.
secrets="postgres_password app_db_password"

# A secret file keeps its mode in a container, and the containers run as other users than its owner.
check_secrets() {
    for name in $secrets; do
        file=$(setting SECRETS_DIR)/$name
        [ -f "$file" ] || complain "There is no $file." "SECRETS_DIR in .env names this folder for the passwords." \
            "write the role's password into $(typed "$file") (mode 0444, in a folder of mode 0700)" "nothing was changed."
        [ -s "$file" ] || complain "$file is empty." "It has the password of a role." \
            "chmod 600 $(typed "$file"); write the role's password into it; chmod 0444 $(typed "$file")" "nothing was changed."
        [ -n "$(find "$file" -perm -0004)" ] || complain "The containers cannot read $file." \
            "They run as other users, and not all users can read the file." \
            "chmod 0444 $(typed "$file") && chmod 0700 $(typed "${file%/*}")" "nothing was changed."
    done
}

explain_roles() {
    quote "$1"
    complain "psql could not make the roles. Its message is above." "" \
        "correct POSTGRES_USER or APP_DB_USER in .env, then: make roles" "no role was changed."
}

# Prints another way, which only development has.
go_over() {
    is_release || echo "; or set RUNTIME=embedded in .env, for a PostgreSQL without Docker (the data does not move with it)"
}

explain_engine() {
    command -v docker >/dev/null || complain "RUNTIME is docker, but there is no docker command here." "" \
        "install Docker Engine 25 or newer with Compose$(go_over)" "nothing was changed."
    case $1 in *"permission denied"*) complain "The account $(id -un) may not use the Docker engine." "$(last_line "$1")" \
        "sudo usermod -aG docker $(typed "$(id -un)"), then log in again$(go_over)" "nothing was changed." ;;
    esac
    complain "RUNTIME is docker, but the Docker engine does not answer." "$(last_line "$1")" \
        "start Docker$(go_over)" "nothing was changed." engine
}

explain_config() {
    version=$(docker compose version --short 2>/dev/null) || complain "The docker command here has no Compose." "" \
        "install the plugin docker-compose, 2.24.4 or newer$(go_over)" "nothing was changed."
    complain "Compose $version cannot read this project." "$(last_line "$1")" \
        "correct what the message names; or install Compose 2.24.4 or newer" "nothing was changed." engine
}

explain_build() {
    case $1 in *"failed to resolve source metadata"* | *"failed to do request"* | *"pull access denied"*) explain_pull "$1" ;; esac
    quote "$1" 20
    complain "Docker could not build the image $(image). Its last lines are above." "" \
        "correct Dockerfile or the requirements files, then run this again" "running containers still run."
}

explain_commit() {
    complain "git does not know the commit of this checkout." "$(printf '%s\n' "$1" | head -n 1)" \
        "GIT_COMMIT=<the commit> make build" "nothing was built."
}

explain_changes() {
    quote "$1"
    complain "The files above have changes that are not committed." "A release is named by its commit." \
        "commit them, or: git stash. To build them under another name: GIT_COMMIT=<name> make build" "nothing was built."
}

explain_release() {
    complain "Docker could not pull the image $(image)." "$(last_line "$1")" \
        "correct APP_IMAGE in .env, or: docker login. To build it from this checkout: make build" \
        "nothing was built. Running containers still run."
}

explain_accident() {
    complain "The image $(image) is not a release." "Compose built it from a checkout, and it names no commit." \
        "docker compose pull app. To build it from this checkout: make build" "running containers still run."
}

explain_pull() {
    complain "Docker could not pull an image." "$(last_line "$1")" \
        "check the network, or set POSTGRES_IMAGE and PYTHON_IMAGE in .env to images of a mirror$(go_over)" \
        "running containers still run."
}

# explain_start SERVICE OUTPUT: Compose could not start the service.
explain_start() {
    case $2 in
    *"port is already allocated"* | *"address already in use"*)
        explain_port "$1" "$2" ;;
    *"external volume"*)
        complain "There is no volume $(setting DB_VOLUME)." \
            "Staging's data has an external volume, which docker compose down --volumes cannot remove." \
            "docker volume create $(typed "$(setting DB_VOLUME)")" "nothing was changed." ;;
    *"non-overlapping IPv4 address pool"*)
        complain "Docker has no addresses left for another network." "Each checkout that is up takes two networks." \
            "make down in another checkout, or: docker network prune" "the data is untouched." ;;
    *"dependency failed to start: container "*)
        failed='' name=$(setting COMPOSE_PROJECT_NAME)
        name=${2##*container "$name"-}
        name=${name%% *}
        explain_service "${name%-*}" ;;
    *"unhealthy"* | *"exited ("*) explain_service "$1" ;;
    *"access denied"* | *"unauthorized"* | *"manifest"* | *"failed to resolve"* | *"lookup "* | *"dial tcp"* | \
        *"Client.Timeout"* | *"toomanyrequests"* | *"invalid reference format"*)
        explain_pull "$2" ;;
    esac
    complain "Compose could not start $1." "$(last_line "$2")" "correct what the message names; make logs c=$1 shows the log" \
        "the data is untouched."
}

# explain_port SERVICE OUTPUT
explain_port() {
    port=$(printf '%s\n' "$2" | sed -En 's/.*:([0-9]+)[^0-9].*already (allocated|in use).*/\1/p' | tail -n 1)
    where="set another port in .env or docker-compose.override.yml"
    [ "${port:=$(setting DB_PORT)}" != "$(setting DB_PORT)" ] || where="set another DB_PORT in .env"
    complain "Port $port of this machine is taken." "Another program or another checkout listens on it." "$where, then: make up" \
        "$1 is down. The data is untouched." ports
}

explain_service() {
    log=$(docker compose --profile '*' logs --no-color --no-log-prefix --tail 15 "$1" 2>&1)
    case $log in
    *"not compatible with this version"*) explain_major "$log" ;;
    esac
    quote "$log"
    [ -z "${failed:-}" ] || complain "app does not run. Its last log lines are above." "$failed" \
        "correct its code; make logs c=app shows whether it starts" "the database is up and migrated."
    [ "$1" != app ] || explain_health
    complain "$1 does not become healthy. Its last log lines are above." "" "make logs c=$1" "the data is untouched."
}

# What the health check said, and what the database lacks, such as rights of the application.
explain_health() {
    id=$(docker compose ps --quiet app | head -n 1)
    said=$(docker inspect --format '{{range .State.Health.Log}}{{println .Output}}{{end}}' "$id" 2>/dev/null | grep unhealthy | tail -n 1)
    run python -m scripts.status || true
    complain "app does not become healthy." "$said" \
        "correct what a line with ! above names, then: make up. make logs c=app shows its log" "the data is untouched."
}

explain_login() {
    complain "app cannot log in to the database." "The server has no such role, or has another password for it." \
        "make roles, then: make up" "app was not started. The data is untouched." passwords
}

# Whether Compose's server refuses the application's password. The password comes from a file, because then psql's message
# names the file, whatever the server's language. Not by 127.0.0.1: from there the image accepts any password.
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
    complain "PostgreSQL $old made the volume, and this is PostgreSQL $new." \
        "A major version cannot read the files of another one." \
        "to use the data: POSTGRES_IMAGE=postgres:$old-trixie in .env, then make up. To start empty: another COMPOSE_PROJECT_NAME" \
        "nothing was deleted. The data is in the volume."
}
