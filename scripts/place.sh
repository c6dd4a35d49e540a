# shellcheck shell=sh disable=SC3013
# Where the data of this checkout is. The file .postgres/place records it, and moves with the checkout. Sourced.
# `-ef` compares two paths to one folder. It is POSIX since 2024; dash, bash, busybox and zsh have long had it.
#   id=         a random word; a copy of the checkout has the same one
#   checkout=   the path of the checkout
#   clusters=   the folder of the embedded servers, if it is not .postgres
#   embedded=   the data folder of the embedded database, once it exists
#   docker=     the Compose project and the volume of the database in Docker, once it exists
#   env=        lines of .env that a new .env needs to find the database again
# shellcheck source=scripts/errors.sh
. scripts/errors.sh

# require_readable FILE
require_readable() {
    [ ! -r "$1" ] || return 0
    # shellcheck disable=SC2012  # find and stat print an owner differently on each system
    owner=$(ls -ld "$1" | awk '{ print $3 }')
    complain "$(id -un) cannot read $1." "The file belongs to $owner." "run the command as $owner" \
        "nothing was changed."
}

place=.postgres/place
old_path=
random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
is_accepted() { [ -n "${ACCEPT:-}" ] && case ",$(printf %s "$ACCEPT" | tr -d ' ')," in *",$1,"*) ;; *) return 1 ;; esac; }

# A NUL ends the line for some awks.
read_env() { tr '\000' '\001' <.env | LC_ALL=C awk "$@" -f scripts/env.awk; }

# Whether every account can read passwords in .env.
is_open_env() { [ -n "$(find .env -perm -0004)" ] && grep -Eq '(PASSWORD=|://[^/]*:[^/]*@).' .env; }

# The settings that the shell scripts use. A password is none of them.
settings="APP_ENV APP_IMAGE BACKUP_DIR COMPOSE_FILE COMPOSE_PROFILES COMPOSE_PROJECT_NAME DATABASE_URL DB_PORT DB_VOLUME"
settings="$settings REPORT_DIR RUNTIME SECRETS_DIR"
# The lines of .env that a new .env would need to find the database.
needed="RUNTIME COMPOSE_PROJECT_NAME DB_PORT POSTGRES_DB POSTGRES_USER APP_DB_USER HOST_UID HOST_GID"

env_lines=

# Reads them all at once: each program that a script starts takes a millisecond or two.
read_settings() { eval "$(read_env -v "assigned=$settings" -v "lines=$needed")"; }

# The value of a setting: from the environment, else from .env as read_settings found it.
setting() { eval "printf '%s\n' \"\${$1:-\${env_$1?}}\""; }

# recorded KEY: prints its values.
recorded() {
    [ -r "$place" ] || return 0
    while IFS= read -r line || [ -n "$line" ]; do
        case $line in "$1="*) printf '%s\n' "${line#*=}" ;; esac
    done <"$place"
}

# record KEY LINES: replaces the lines of that key, if the file can be written.
record() {
    [ -w "$place" ] && [ -w .postgres ] || return 0
    {
        grep -v "^$1=" "$place" || true
        [ -z "$2" ] || printf '%s\n' "$2" | sed "s/^/$1=/"
    } >"$place.new.$$" && mv "$place.new.$$" "$place"
}

# Compose accepts only lower case letters, digits, - and _. The first must be a letter or digit.
project_stem() {
    stem=$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9_-' | sed 's/^[-_]*//')
    printf '%s\n' "${stem:-app}"
}
new_project() { printf '%s-%s\n' "$(project_stem)" "$(random_hex 3)"; }
# Below the ports that kernels use for outgoing connections. Random, so that two checkouts do not collide.
new_port() { echo $((15432 + 0x$(random_hex 2) % 10000)); }

make_place() {
    mkdir -p .postgres && [ -w .postgres ] || {
        note "Cannot write $place. A copy of this checkout will not be noticed."
        return 0
    }
    printf 'id=%s\ncheckout=%s\n' "$(random_hex 8)" "$(pwd -P)" >"$place.new.$$"
    # A link never replaces a file that another command has made meanwhile.
    ln "$place.new.$$" "$place" 2>/dev/null || [ -e "$place" ] || cp "$place.new.$$" "$place"
    rm -f "$place.new.$$"
    find_older_data
}

# For a checkout from before .postgres/place existed. For root, below a closed folder, a hash of the path named the data.
find_older_data() {
    if [ -e .postgres/target/PG_VERSION ]; then record embedded .postgres/target; fi
    elsewhere=/var/lib/postgresql-embedded/$(pwd -P | tr -d '\n' | sha256sum 2>/dev/null | cut -c 1-12)
    if [ ! -e "$elsewhere/target/PG_VERSION" ] || [ -e .postgres/target ]; then return; fi
    if [ -e .env ]; then
        record clusters "$elsewhere"
        record embedded "$elsewhere/target"
    else
        note "An earlier checkout in this folder left its database in $elsewhere. To remove it: rm -r $elsewhere"
    fi
}

# Every command calls this first. It refuses in a copy of a checkout.
check_place() {
    [ -e "$place" ] || make_place
    [ -e "$place" ] || return 0
    require_readable "$place"
    checkout=$(recorded checkout)
    if [ "$checkout" -ef . ]; then return; fi
    [ -n "$checkout" ] || complain "$place has no line checkout=." "The file was cut off, or changed by hand." \
        "put the file back. If this checkout is not a copy of another one: rm $place" "nothing was changed."
    if ! can_look "$checkout/$place"; then
        refuse_copy "This checkout was copied or moved from $checkout, which $(id -un) cannot read."
    elif [ "$(sed -n 's/^id=//p' "$checkout/$place" 2>/dev/null)" = "$(recorded id)" ]; then
        refuse_copy "This checkout is a copy of $checkout, and has the same database."
    else
        follow_move
    fi
}

# Whether this account can read the file, or can see that it does not exist.
can_look() {
    nearest=$1
    until [ -e "$nearest" ]; do nearest=$(dirname "$nearest"); done
    if [ "$nearest" = "$1" ]; then [ -r "$1" ]; else [ -x "$nearest" ]; fi
}

# refuse_copy PROBLEM: refuses. With ACCEPT=new the copy gets its own names and an empty database.
refuse_copy() {
    is_accepted new || complain "$1" "Commands here would change the database of $checkout." \
        "to give this checkout its own, empty database: make up ACCEPT=new" "nothing was changed."
    [ ! -e .env ] || give_new_names
    start_empty
}

# In .env. This comes first: after an interruption the checkout is still known as a copy.
give_new_names() {
    read_settings
    case $(setting COMPOSE_FILE) in *staging*)
        complain "$(pwd -P)/.env names the volume of another checkout: $(setting DB_VOLUME)." \
            "On a staging host you choose the names yourself." \
            "set another COMPOSE_PROJECT_NAME and DB_VOLUME in .env, then: rm $place" "nothing was changed." ;;
    esac
    before='^[[:blank:]]*\(export[[:blank:]]\{1,\}\)\{0,1\}' after='[[:blank:]]*=.*'
    (umask 077 && sed -e "s/${before}COMPOSE_PROJECT_NAME${after}/COMPOSE_PROJECT_NAME=$(new_project)/" \
        -e "s/${before}DB_PORT${after}/DB_PORT=$(new_port)/" .env >".env.new.$$")
    mv ".env.new.$$" .env
    read_settings
    note "Changed COMPOSE_PROJECT_NAME and DB_PORT in .env: $(setting COMPOSE_PROJECT_NAME), $(setting DB_PORT)."
}

# Moves the contents of .postgres to another folder. The record goes last.
start_empty() {
    saved=.postgres/kept-$(recorded id) docker=$(recorded docker)
    # If .postgres is a link, the original's leads to the same folder.
    if [ -L .postgres ]; then rm .postgres; else stop_servers; fi
    for path in .postgres/*; do
        case $path in "$place" | .postgres/kept-* | '.postgres/*') continue ;; esac
        mkdir -p "$saved"
        mv "$path" "$saved/"
        [ "$path" != .postgres/target ] || note "The earlier data is kept in $saved/target."
    done
    [ -z "$docker" ] || note "Compose project ${docker% *} and its volume ${docker#* } stay as they are."
    rm -f "$place"
    make_place
}

follow_move() {
    stop_servers
    old_path=$checkout
    record checkout "$(pwd -P)"
    note "This checkout was moved here from $old_path. It still uses the same database."
}

# checkouts_of PROJECT: prints the checkouts that started the project's containers. This checkout is printed as ".".
checkouts_of() {
    docker ps --all --filter "label=com.docker.compose.project=$1" \
        --format '{{.Label "com.docker.compose.project.working_dir"}}' 2>/dev/null | sort -u | while read -r folder; do
        if [ "$folder" -ef . ]; then echo .; elif [ -e "$folder/docker-compose.yml" ]; then printf '%s\n' "$folder"; fi
    done
}

has_moved() { [ -n "$old_path" ]; }

# works_in PID FOLDER: whether the process has this working directory, under any name. A pid alone proves nothing:
# pid files are copied, and after a restart the machine uses the same numbers again.
works_in() {
    if [ -d /proc/self ]; then folder=/proc/$1/cwd; else folder=$(lsof -a -p "$1" -d cwd -Fn 2>/dev/null | sed -n 's/^n//p'); fi
    [ -n "$folder" ] && [ "$folder" -ef "$2" ]
}

# started_at PID: prints when the process started, as the system counts. Its command may be any.
started_at() {
    if [ -r "/proc/$1/stat" ]; then sed 's/.*) //' "/proc/$1/stat" | cut -d ' ' -f 20; else ps -p "$1" -o lstart= 2>/dev/null; fi
}

# Stops the embedded servers that run in this folder. They were started with its old name.
stop_servers() {
    folder_of_clusters=$(recorded clusters)
    for file in "${folder_of_clusters:-.postgres}"/*/postmaster.pid; do stop_process "$file" "${file%/*}" INT; done
    stop_process .postgres/app.pid . TERM
}

stop_process() {
    pid=$(head -n 1 "$1" 2>/dev/null) || return 0
    works_in "$pid" "$2" || return 0
    kill "-$3" "$pid" || return 0
    while works_in "$pid" "$2"; do sleep 0.1; done
}

# Records the lines that a new .env would need.
record_names() { [ "$env_lines" = "$(recorded env)" ] || record env "$env_lines"; }
