#!/usr/bin/env bash
# Behaves like the entrypoint of the official postgres image, for the stand-in of that image.
# No `set -u`: init scripts without the executable bit are sourced, and may rely on that.
set -Eeo pipefail

die() { echo "Error: $*" >&2; exit 1; }

# `file_env NAME default`: the value of NAME, or of the file that NAME_FILE names (for Docker secrets).
file_env() {
    local name=$1 file=$1_FILE value=${2:-}
    [[ -z ${!name:-} || -z ${!file:-} ]] || die "both $name and $file are set (but are exclusive)"
    if [[ -n ${!name:-} ]]; then
        value=${!name}
    elif [[ -n ${!file:-} ]]; then
        value=$(<"${!file}")
    fi
    export "$name=$value"
    unset "$file"
}

read_settings() {
    file_env POSTGRES_PASSWORD
    file_env POSTGRES_USER postgres
    file_env POSTGRES_DB "$POSTGRES_USER"
    file_env POSTGRES_INITDB_ARGS
    : "${POSTGRES_HOST_AUTH_METHOD:=}"
}

# Best effort: on some volumes modes and owners cannot be changed, and need not be.
make_directories() {
    mkdir -p "$PGDATA" /var/run/postgresql || :
    chmod 0700 "$PGDATA" || :
    chmod 3775 /var/run/postgresql || :
    if [[ -n ${POSTGRES_INITDB_WALDIR:-} ]]; then
        mkdir -p "$POSTGRES_INITDB_WALDIR"
        chmod 0700 "$POSTGRES_INITDB_WALDIR"
    fi
}

hand_over_to_postgres() {
    local directory
    for directory in "$PGDATA" /var/run/postgresql ${POSTGRES_INITDB_WALDIR:+"$POSTGRES_INITDB_WALDIR"}; do
        find "$directory" \! -user postgres -exec chown postgres '{}' +
    done
    exec gosu postgres "$0" "$@"
}

require_password() {
    [[ -n $POSTGRES_PASSWORD || $POSTGRES_HOST_AUTH_METHOD == trust ]] ||
        die "Database is uninitialized and superuser password is not specified." \
            "Set POSTGRES_PASSWORD, or POSTGRES_HOST_AUTH_METHOD=trust to allow all connections without a password."
}

init_database_directory() {
    local arguments=(--username="$POSTGRES_USER")
    [[ -z ${POSTGRES_INITDB_WALDIR:-} ]] || arguments+=(--waldir "$POSTGRES_INITDB_WALDIR")
    # eval, because one variable holds several arguments with their quotes; the password goes through a pipe,
    # so that no process list shows it
    eval 'initdb "${arguments[@]}" --pwfile=<(printf "%s\n" "$POSTGRES_PASSWORD") '"$POSTGRES_INITDB_ARGS"
}

allow_network_connections() {
    local method=$POSTGRES_HOST_AUTH_METHOD
    shift
    [[ -n $method ]] || method=$(postgres -C password_encryption "$@")
    printf '\nhost all all all %s\n' "$method" >>"$PGDATA/pg_hba.conf"
}

# On the socket only: nobody from outside may meet a half-made database.
start_temporary_server() {
    shift
    set -- "$@" -c listen_addresses= -p "${PGPORT:-5432}"
    PGUSER=${PGUSER:-$POSTGRES_USER} pg_ctl -D "$PGDATA" -o "$(printf '%q ' "$@")" -w start
}

stop_temporary_server() { PGUSER=${PGUSER:-postgres} pg_ctl -D "$PGDATA" -m fast -w stop; }

run_sql() {
    PGHOST='' PGHOSTADDR='' psql -v ON_ERROR_STOP=1 --username "$POSTGRES_USER" --no-password --no-psqlrc "$@"
}

create_database() {
    local known
    known=$(run_sql --dbname postgres --set db="$POSTGRES_DB" --tuples-only <<<"SELECT 1 FROM pg_database WHERE datname = :'db';")
    [[ -n $known ]] || run_sql --dbname postgres --set db="$POSTGRES_DB" <<<'CREATE DATABASE :"db";'
}

run_init_files() {
    local file
    for file in /docker-entrypoint-initdb.d/*; do
        [[ -e $file ]] || continue
        case $file in
            *.sh)
                echo "$0: running $file"
                # shellcheck disable=SC1090
                if [[ -x $file ]]; then "$file"; else . "$file"; fi
                ;;
            *.sql) echo "$0: running $file"; run_sql --dbname "$POSTGRES_DB" -f "$file" ;;
            *.sql.gz) echo "$0: running $file"; gunzip -c "$file" | run_sql --dbname "$POSTGRES_DB" ;;
            *) echo "$0: ignoring $file" ;;
        esac
    done
}

first_start() {
    require_password
    init_database_directory
    allow_network_connections "$@"
    export PGPASSWORD=${PGPASSWORD:-$POSTGRES_PASSWORD}
    start_temporary_server "$@"
    create_database
    run_init_files
    stop_temporary_server
    unset PGPASSWORD
    printf '\nPostgreSQL init process complete; ready for start up.\n\n'
}

# `postgres --version` and the like need no database.
only_asks() {
    local argument
    for argument; do
        case $argument in -\? | --help | --describe-config | -V | --version) return 0 ;; esac
    done
    return 1
}

[[ ${1:-} != -* ]] || set -- postgres "$@"
if [[ ${1:-} == postgres ]] && ! only_asks "$@"; then
    read_settings
    make_directories
    [[ $(id -u) != 0 ]] || hand_over_to_postgres "$@"
    if [[ -s $PGDATA/PG_VERSION ]]; then
        printf '\nPostgreSQL Database directory appears to contain a database; Skipping initialization\n\n'
    else
        first_start "$@"
    fi
fi
exec "$@"
