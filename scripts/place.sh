# shellcheck shell=sh disable=SC3013
# Where the data of this checkout are: written down once, in .postgres/place, which moves with the checkout. Sourced.
# `-ef` (one folder under two names) is POSIX since 2024; dash, bash, busybox and zsh have long had it.
#   id=         a random word, which a copy of the checkout has too
#   checkout=   the checkout's own path
#   clusters=   the folder of the embedded servers, where it is not .postgres
#   embedded=   the embedded database's data folder, once it is made
#   docker=     the Compose project and the volume of the database in Docker, once it is made
#   env=        lines of .env that a new one needs, to find the database again
# shellcheck source=scripts/errors.sh
. scripts/errors.sh

place=.postgres/place
old_path=
random_hex() { od -An -N"$1" -tx1 /dev/urandom | tr -d ' \n'; }
is_accepted() { case ",$(printf %s "${ACCEPT:-}" | tr -d ' ')," in *",$1,"*) ;; *) return 1 ;; esac; }

# A setting: the environment's, else that of .env without quotes and comment.
setting() {
    eval "value=\${$1:-}"
    [ -n "$value" ] || value=$(sed -n "s/ #.*//; s/^\(export \)\{0,1\}$1=//p" .env | tail -n 1 | tr -d "\"'\r")
    printf '%s\n' "$value"
}

recorded() { [ ! -r "$place" ] || sed -n "s/^$1=//p" "$place"; }

# record KEY LINES: replaces the lines of that key, where we may.
record() {
    [ -w "$place" ] && [ -w .postgres ] || return 0
    {
        grep -v "^$1=" "$place" || true
        [ -z "$2" ] || printf '%s\n' "$2" | sed "s/^/$1=/"
    } >"$place.new.$$" && mv "$place.new.$$" "$place"
}

# Compose takes lower case letters, digits, - and _ only, and a letter or digit first.
project_stem() {
    stem=$(basename "$PWD" | tr '[:upper:]' '[:lower:]' | tr -cd 'a-z0-9_-' | sed 's/^[-_]*//')
    printf '%s\n' "${stem:-app}"
}
new_project() { printf '%s-%s\n' "$(project_stem)" "$(random_hex 3)"; }
# Below the ports that kernels hand out to outgoing connections; random, so that two checkouts do not collide.
new_port() { echo $((15432 + 0x$(random_hex 2) % 10000)); }

make_place() {
    mkdir -p .postgres && [ -w .postgres ] || {
        note "$place cannot be written, so a copy of this checkout will not be noticed."
        return 0
    }
    printf 'id=%s\ncheckout=%s\n' "$(random_hex 8)" "$(pwd -P)" >"$place.new.$$"
    # A link never replaces a file: another command may have made one meanwhile.
    ln "$place.new.$$" "$place" 2>/dev/null || [ -e "$place" ] || cp "$place.new.$$" "$place"
    rm -f "$place.new.$$"
    find_older_data
}

# Checkouts are older than their record of it. As root, below a closed folder, a hash of the path named their data's.
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

# Every command asks this first. Raises no error in the checkout that the record is of.
check_place() {
    [ -e "$place" ] || make_place
    [ -e "$place" ] || return 0
    [ -r "$place" ] || complain "$(id -un) cannot read $place." "another account made it" "run the command as that account" \
        "nothing was changed"
    checkout=$(recorded checkout)
    if [ "$checkout" -ef . ]; then return; fi
    [ -n "$checkout" ] || complain "$place does not say whose it is." "it cannot be read, or was changed by hand" \
        "put it back; or, to start empty: rm $place" "nothing was changed"
    if ! can_look "$checkout/$place"; then
        refuse_copy "This checkout was copied or moved from $checkout, where $(id -un) may not look."
    elif [ "$(sed -n 's/^id=//p' "$checkout/$place" 2>/dev/null)" = "$(recorded id)" ]; then
        refuse_copy "This checkout is a copy of $checkout, and has the same database."
    else
        follow_move
    fi
}

# Whether we may read the file, or see that it is not there.
can_look() {
    nearest=$1
    until [ -e "$nearest" ]; do nearest=$(dirname "$nearest"); done
    if [ "$nearest" = "$1" ]; then [ -r "$1" ]; else [ -x "$nearest" ]; fi
}

# Without ACCEPT=new. With it the copy is given names of its own, and starts empty.
refuse_copy() {
    is_accepted new || complain "$1" "what you do here would be done to that database" \
        "to give this checkout a database of its own, an empty one: make up ACCEPT=new" "nothing was changed"
    [ ! -e .env ] || name_anew
    start_empty
}

# In .env: first, so that an interruption leaves a copy that is still known as one.
name_anew() {
    case $(setting COMPOSE_FILE) in *staging*)
        complain "$(pwd -P)/.env names the volume of another checkout." "its files have no part in a development database" \
            "set another COMPOSE_PROJECT_NAME and DB_VOLUME in .env, then: rm $place" "nothing was changed" ;;
    esac
    (umask 077 && sed -e "s/^COMPOSE_PROJECT_NAME=.*/COMPOSE_PROJECT_NAME=$(new_project)/" \
        -e "s/^DB_PORT=.*/DB_PORT=$(new_port)/" .env >".env.new.$$")
    mv ".env.new.$$" .env
    note "Changed COMPOSE_PROJECT_NAME and DB_PORT in .env: $(setting COMPOSE_PROJECT_NAME), $(setting DB_PORT)."
}

# What is in .postgres is kept under another name, and the record goes last.
start_empty() {
    kept=.postgres/kept-$(recorded id) docker=$(recorded docker)
    # Where .postgres leads elsewhere, the original's leads there too.
    if [ -L .postgres ]; then rm .postgres; else stop_servers; fi
    for path in .postgres/*; do
        case $path in "$place" | .postgres/kept-* | '.postgres/*') continue ;; esac
        mkdir -p "$kept"
        mv "$path" "$kept/"
        [ "$path" != .postgres/target ] || note "The earlier data are kept in $kept/target."
    done
    [ -z "$docker" ] || note "Compose project ${docker% *} and its volume ${docker#* } stay as they are."
    rm -f "$place"
    make_place
}

follow_move() {
    stop_servers
    old_path=$checkout
    record checkout "$(pwd -P)"
    note "This checkout was moved here from $old_path. It goes on with the same database."
}

# The checkouts that a Compose project's containers were started from, this one as ".".
checkouts_of() {
    docker ps --all --filter "label=com.docker.compose.project=$1" \
        --format '{{.Label "com.docker.compose.project.working_dir"}}' 2>/dev/null | sort -u | while read -r folder; do
        if [ "$folder" -ef . ]; then echo .; elif [ -e "$folder/docker-compose.yml" ]; then printf '%s\n' "$folder"; fi
    done
}

has_moved() { [ -n "$old_path" ]; }

# works_in PID FOLDER: whether the process has this working directory, under any name. A pid alone proves nothing: files
# are copied, and a machine that starts again counts from the beginning.
works_in() {
    if [ -d /proc/self ]; then folder=/proc/$1/cwd; else folder=$(lsof -a -p "$1" -d cwd -Fn 2>/dev/null | sed -n 's/^n//p'); fi
    [ -n "$folder" ] && [ "$folder" -ef "$2" ]
}

# Those of the embedded runtime that run from this folder: what they were started with lay under its old name.
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

# What a new .env would need, as it stands there.
keep_names() {
    lines=$(sed -n -e 's/^export //' -e '/^RUNTIME=/p' -e '/^COMPOSE_PROJECT_NAME=/p' -e '/^DB_PORT=/p' \
        -e '/^POSTGRES_DB=/p' -e '/^POSTGRES_USER=/p' -e '/^APP_DB_USER=/p' -e '/^HOST_[UG]ID=/p' .env)
    [ "$lines" = "$(recorded env)" ] || record env "$lines"
}
