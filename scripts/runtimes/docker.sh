# shellcheck shell=sh
# The verbs of RUNTIME=docker. Sourced by scripts/runtime.sh.
# `run` uses the app container if it runs with today's settings. Else it uses a one-off container. Outside development it
# always does: there only `tools` has the owner's secret.
. scripts/runtimes/docker_faults.sh
. scripts/runtimes/docker_place.sh
. scripts/runtimes/docker_run.sh
. scripts/runtimes/docker_doctor.sh

say() { echo "$*" >&2; }
compose() { docker compose --progress quiet "$@"; }

# A release's image contains the code. In development the checkout is mounted into the image.
is_release() { case $(setting COMPOSE_FILE) in *staging*) ;; *) return 1 ;; esac }
is_development() { ! is_release && [ "$(setting APP_ENV)" = development ]; }

# Reads the running containers of this project: service, id, hash of its settings, image, status. Also reads the services
# that .env wants, and scratch: service, hash. The two hashes are equal until a setting changes that Compose reads.
look() {
    check_env
    case $PWD in *:*) explain_colon ;; esac
    find_git
    # Docker would make these folders as root.
    backups=$(setting BACKUP_DIR) reports=$(setting REPORT_DIR)
    [ -d "${backups:-backups}" ] || (umask 077 && mkdir -p "${backups:-backups}")
    [ -d "${reports:-reports}" ] || (umask 077 && mkdir -p "${reports:-reports}")
    project=$(setting COMPOSE_PROJECT_NAME)
    check_project
    if is_development; then APP_DECLARATION=$(cksum <pyproject.toml) && export APP_DECLARATION; fi
    # The two programs run at once. What the first one prints waits in the pipe.
    seen=$({ list_running 2>/dev/null || echo failed; } | { list_wanted 2>/dev/null || echo failed; echo; cat; echo end; })
    wanted=${seen%%"$nl$nl"*} running=${seen#*"$nl$nl"} running=${running%end}
    case $seen in *failed*)
        running=$(list_running 2>&1) || explain_engine "$running"
        wanted=$(list_wanted 2>&1) || explain_config "$wanted" ;;
    esac
}
nl='
'
label='{{.Label "com.docker.compose.'
columns="${label}service\"}} {{.ID}} ${label}config-hash\"}} {{.Image}} {{.Status}}"
list_running() {
    docker ps --filter "label=com.docker.compose.project=$project" --filter label=com.docker.compose.oneoff=False --format "$columns"
}
# The scratch server is in no profile of .env.
list_wanted() { COMPOSE_PROFILES="tools,$(setting COMPOSE_PROFILES)" docker compose --progress quiet config --hash '*'; }

# In a worktree, .git is a file that names the folder of the repository. A container needs that folder at the same place.
find_git() {
    [ -f .git ] || return 0
    git_folder=$(sed -n 's|^gitdir: \(/.*\)/worktrees/[^/]*$|\1|p' .git)
    [ ! -d "$git_folder" ] || export GIT_FOLDER="$git_folder"
}

uses_db() { is_wanted db && [ -z "$(setting DATABASE_URL)" ]; }
is_wanted() { case $nl$wanted in *"$nl$1 "*) ;; *) return 1 ;; esac; }
is_running() { case $nl$running in *"$nl$1 "*) ;; *) return 1 ;; esac; }
is_unhealthy() { case $(containers "$1") in *" Up "*"(unhealthy)"*) ;; *) return 1 ;; esac; }
is_paused() { case $(containers "$1") in *"(Paused)"*) ;; *) return 1 ;; esac; }

# Prints the lines of a service's running containers.
containers() {
    while IFS= read -r line; do
        case $line in "$1 "*) printf '%s\n' "$line" ;; esac
    done <<EOF
$running
EOF
}

# Prints the first line of a service's containers that have today's settings.
current() {
    hash=$nl$wanted
    case $hash in *"$nl$1 "*) hash=${hash#*"$nl$1 "} hash=${hash%%"$nl"*} ;; *) return 0 ;; esac
    containers "$1" | while read -r service id its_hash image status; do
        case $its_hash$status in "${hash}Up "*) echo "$service $id $its_hash $image $status" && break ;; esac
    done
}

# A service of the user's own may have no health check.
is_up() {
    found=$(current "$1")
    case $found in "" | *"(unhealthy)"* | *"(health: starting)"* | *"(Paused)"*) return 1 ;; esac
    found=${found#* * * } hexadecimal='[0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f][0-9a-f]'
    # If the image's name:tag now belongs to a newer image, Docker shows the container's image by its id.
    # shellcheck disable=SC2254  # a pattern
    case ${found%% *} in $hexadecimal$hexadecimal | sha256:*) return 1 ;; esac
}

# Prints the services of the user's own: those of docker-compose.override.yml, or of another file that .env names.
others() {
    while read -r name hash; do
        case $name in "" | app | db | release | scratch | tools) ;; *) echo "$name" ;; esac
    done <<EOF
$wanted
EOF
}

start() {
    if is_up "$1"; then return; fi
    # The health check of an application that cannot log in takes two minutes to say so.
    if [ "$1" = app ] && uses_db && refuses_login; then explain_login; fi
    # Compose does not wait for the next check of an unhealthy container. It was behind until now, for example.
    if [ "$1" = app ] && is_unhealthy app; then
        recreate app
        return
    fi
    # PostgreSQL's container reads these files as another user than the owner of the checkout.
    chmod a+r scripts/roles.sh scripts/roles.sql 2>/dev/null || true
    wake "$1"
    say "Starting $1 …"
    compose_up "$1" || { is_healthy_soon "$1" && look; } || explain_start "$1" "$said"
    look
}

# A paused container, as on a laptop that slept, answers no health check.
wake() {
    if is_paused "$1"; then compose unpause "$1" >/dev/null 2>&1 || true; fi
}

# compose_up SERVICE [OPTION]. Another make up may make the same container or network at this moment.
compose_up() {
    waiting=--wait
    if [ "$1" = app ] && is_development; then waiting=; fi
    for try in 1 2 3 4 5 6 7 8 9 10; do
        said=$(compose up --detach $waiting ${2:+"$2"} "$1" 2>&1) && { [ -n "$waiting" ] || wait_for_app; } && return
        # A service that only prepares something has ended then. Compose runs it at each start.
        case $said in *"exited (0)"*) [ "$1" = app ] || return 0 ;; esac
        case $said in *"already in use by container"* | *"already exists"* | *"is already in progress"* | *"No such container"*) ;;
        *) return 1 ;;
        esac
        sleep "$try"
    done
    return 1
}

# In development the container of an application that failed still runs: it waits for a change. Compose would wait with it.
wait_for_app() {
    said="unhealthy: exited ("
    while running=$(list_running 2>/dev/null) && is_running app; do
        case $(containers app) in *"(healthy)"*) return 0 ;; *"(unhealthy)"*) return 1 ;; esac
        failed=$(app_failure) && return 1
        sleep 0.3
    done
    return 1
}
# Prints why the application does not run.
app_failure() { docker exec "$(first_id app)" cat /tmp/app.failed 2>/dev/null; }
first_id() { containers "$1" | head -n 1 | cut -d ' ' -f 2; }

# Compose gives up at once on a container that was unhealthy before. The next checks may find it healthy. The database's
# come every 10 s, and may take 10 s.
is_healthy_soon() {
    is_unhealthy "$1" || is_paused "$1" || return 1
    id=$(compose ps --all --quiet "$1" | head -n 1)
    for try in 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25; do
        [ "$(docker inspect --format '{{.State.Health.Status}}' "$id" 2>/dev/null)" != healthy ] || return 0
        sleep 1
    done
    return 1
}

image() { if is_release; then setting APP_IMAGE; else echo "$project-app:dev"; fi; }
has_image() { docker image inspect "$(image)" >/dev/null 2>&1; }

# build_image SERVICE... Lines with a time are what a step prints, so the step is not in the cache.
build_image() {
    name=$(image)
    said=$({ docker compose --progress plain build "$@" 2>&1 || echo "$nothing_built"; } | awk -v name="$name" '
        /^#[0-9]+ [0-9]+\.[0-9]+ / && !seen++ { print "Building " name ". This takes a minute or two …" >"/dev/stderr" } 1')
    case $said in *"$nothing_built") explain_build "${said%"$nothing_built"}" ;; esac
    look
}
nothing_built="docker compose build failed"

build() {
    look
    service=app
    if is_release; then
        service=release
        [ -n "${GIT_COMMIT:-}" ] || GIT_COMMIT=$(clean_commit)
        export GIT_COMMIT
    fi
    build_image "$service"
    say "✓ Built $(image)."
}

# Prints the commit of this checkout. A release must be what its commit contains, so uncommitted changes are refused.
clean_commit() {
    head=$(git rev-parse HEAD 2>&1) || explain_commit "$head"
    # What is in the image stands in pyproject.toml, which no shell reads. These files never are.
    changed=$(git status --porcelain -- . ':!docs' ':!*.md' ':!docker-compose*.yml')
    [ -z "$changed" ] || explain_changes "$changed"
    echo "$head"
}

# The image of a release is pulled, or `make build` has made it.
need_release() {
    if ! is_release || [ -n "${origin:-}" ]; then return; fi
    if ! has_image; then
        say "Pulling $(image) …"
        said=$(docker compose --progress plain pull app 2>&1) || explain_release "$said"
    fi
    origin=$(docker image inspect --format '{{json .RepoDigests}} {{json .Config}}' "$(image)")
    made_of=$(echo "$origin" | sed -n 's/.*"GIT_COMMIT=\([^"]*\)".*/\1/p')
    case $origin in
    # Compose builds an image that it cannot pull. `make build` writes the commit into the image; Compose does not.
    *"\"com.docker.compose.project\":\"$project\""*) [ -n "$made_of" ] || explain_accident ;;
    esac
    case $origin in "[] "*) say "! $(image) was built on this host, from ${made_of:-an unknown commit}. It comes from no registry." ;; esac
}

prepare() {
    look
    # shellcheck disable=SC2046  # several words
    if is_release; then check_secrets && need_release; else build_image app $(others); fi
}

# Starts the database if it is not running, as the embedded runtime does. A staging database only starts by `make up`.
need_db() {
    is_wanted db || return 0
    check_volume
    wake db
    if ! is_running db; then
        is_development || complain "The database is not running." "Outside development only make up starts it." \
            "make up" "nothing was changed."
        start db
    fi
    record_place
}

start_db() {
    check_volume
    start db
    record_place
}

run() {
    [ -n "${wanted:-}" ] || look
    need_db
    need_release
    set_flags
    app=$(current app)
    if [ -n "$app" ] && is_development; then
        app=${app#* }
        in_app "${app%% *}" "$@"
    else
        one_off "$@"
    fi
}

# The scratch server has only throwaway databases, so it starts when it is needed.
with_scratch() {
    look
    need_release
    start scratch
    mount_release
    for word; do
        shift
        case $word in --release=*) word=--release=${release:-${word#--release=}} ;; esac
        set -- "$@" "$word"
    done
    run "$@"
}

# A release's image has no git. The host's git writes the files of RELEASE into a folder, which is mounted.
mount_release() {
    if ! is_release || [ -z "${RELEASE:-}" ]; then return; fi
    release=/releases/${RELEASE##*/} files=$RELEASE
    if [ ! -d "$files" ]; then
        git rev-parse --verify --quiet "$RELEASE^{commit}" >/dev/null ||
            complain "RELEASE=$RELEASE is neither a folder nor a commit that git has here." "" \
                "git fetch --tags; or name a folder with that release's files" "nothing was changed."
        files=$(mktemp -d)
        trap 'rm -rf "$files"' EXIT
        git archive "$RELEASE" | tar -x -C "$files"
        chmod 755 "$files" # for the user of the container
    fi
    mount=$(cd "$files" && pwd):$release:ro,z
}

restore() {
    if is_accepted superuser; then let_superuser_in; fi
    run "$@"
}

reset() {
    if declares_extensions; then let_superuser_in; fi
    run "$@"
}

# Python reads which, and creates what is missing.
declares_extensions() { grep -qw extensions pyproject.toml; }

# Runs in a container of its own, in which FILE is mounted and can only be read.
load() {
    if is_accepted superuser; then let_superuser_in; fi
    [ -n "${wanted:-}" ] || look
    need_db
    need_release
    start scratch
    mount_file
    if [ -n "${mount:-}" ]; then
        shift 3
        set -- python -m scripts.load --at=/dump "$@"
    fi
    set_flags
    one_off "$@"
}

# Sets `mount`, unless there is no such file: the script explains that. The shell that called make may have left a ~.
mount_file() {
    # shellcheck disable=SC2088
    case ${FILE:=} in "~/"*) FILE=$HOME/${FILE#??} ;; esac
    [ -e "$FILE" ] || return 0
    FILE=$(cd "$(dirname -- "$FILE")" && pwd)/$(basename -- "$FILE")
    case $FILE in *:*)
        complain "FILE=$FILE has a colon in its path." "Docker cannot mount it." "move or rename the file" \
            "nothing was changed." ;;
    esac
    mount=$FILE:/dump:ro,z
}

# Gives the superuser a password for this command, valid for a day at most. A server that was made with the owner as its
# superuser has no other superuser.
let_superuser_in() {
    set +x # a trace would show the password
    look
    need_db
    is_wanted db || return 0
    SUPERUSER_PASSWORD=$(od -An -N20 -tx1 /dev/urandom | tr -d ' \n')
    export SUPERUSER_PASSWORD
    trap "set_superuser_password NULL \"'infinity'\"" EXIT
    set_superuser_password "'$SUPERUSER_PASSWORD'" "now() + interval '1 day'"
}

# set_superuser_password PASSWORD UNTIL: both are SQL expressions.
set_superuser_password() {
    compose exec -T db psql -Xqw -U postgres -d postgres <<SQL >/dev/null 2>&1 || true
SET log_statement = 'none';
SET log_min_error_statement = 'panic';
SET log_min_duration_statement = -1;
SELECT format('ALTER ROLE postgres PASSWORD %L VALID UNTIL %L', $1, $2) \\gexec
SQL
}

# The superuser has no password, so only the database's own container can use it. A running application is restarted if
# its password has changed, or if it could not log in until now.
with_superuser() {
    look
    ! is_release || check_secrets
    outdated=
    if is_wanted db; then
        need_db
        start db
        # shellcheck disable=SC2086  # several words
        if has_new_secrets db $secrets; then recreate db && outdated=app; fi
        said=$(compose exec -T db sh /docker-entrypoint-initdb.d/roles.sh 2>&1) || explain_roles "$said"
    fi
    renew_scratch
    if declares_extensions; then let_superuser_in; fi
    run "$@"
    look
    if is_running app && { [ -n "$outdated" ] || ! is_up app; }; then recreate app; fi
}

# has_new_secrets SERVICE NAME...: whether a secret has changed. A running container still sees the old file.
has_new_secrets() {
    folder=$(setting SECRETS_DIR) service=$1
    shift
    [ -n "$folder" ] || return 1
    for name; do
        compose exec -T "$service" cat "/run/secrets/$name" | cmp -s - "$folder/$name" || return 0
    done
    return 1
}

# The scratch server takes today's password when it starts.
renew_scratch() {
    if ! is_running scratch; then return; fi
    if has_new_secrets scratch postgres_password || [ -z "$(current scratch)" ]; then recreate scratch; fi
}

recreate() {
    say "Restarting $1 …"
    compose_up "$1" --force-recreate || explain_start "$1" "$said"
    look
}

development_only() {
    is_development || complain "make test, make format and make lock work only in development." "A release's image has no development tools." \
        "run it in a checkout with APP_ENV=development and without docker-compose.staging.yml" "nothing was changed."
    prepare
    set_flags
}

up() {
    prepare
    if is_wanted db; then start_db; fi
    if declares_extensions; then let_superuser_in; fi
    with_scratch python -m scripts.migrate
    start app
    for service in $(others); do start "$service"; done
    run python -m scripts.status --next
    # It may have failed only now, after its first health check.
    if is_running app && failed=$(app_failure); then explain_service app; fi
}

# `--profile *` stops scratch too. Volumes stay.
down() {
    look
    said=$(compose --profile '*' down --remove-orphans 2>&1) ||
        complain "Compose could not stop all containers of $project." "$(last_line "$said")" \
            "make down again; make ps shows what still runs" "the data is untouched."
}

# logs [SERVICE]: without a name, not those of the scratch server, which has no data.
logs() {
    look
    if [ -n "${1:-}" ]; then
        services=$(docker compose --profile '*' config --services)
        echo "$services" | grep -Fqx -- "$1" || refuse_service "$1" "$(echo "$services" | sort | tr '\n' ' ')"
        set -- --profile '*' logs --tail 100 "$1"
    else
        set -- logs --tail 100
    fi
    if [ -t 1 ]; then
        docker compose "$@" --follow
        return
    fi
    said=$(docker compose "$@" --no-color 2>&1) ||
        complain "Compose cannot show the logs." "$(last_line "$said")" "make ps" "nothing was changed."
    printf '%s\n' "$said" | plain
}

show() {
    look
    docker compose --profile '*' ps --all
}

# The tests make their own databases on the scratch server.
run_tests() {
    development_only
    start scratch
    one_off "$@"
}

# Only here can a container write anywhere in the checkout.
edit() {
    development_only
    export CHECKOUT_MODE=rw
    one_off "$@"
}

# The project is mounted for this one command, and cannot be written. A container cannot write .env.
adopt() {
    if [ -n "${DATABASE:-}" ]; then
        with_scratch "$@"
        return
    fi
    development_only
    start scratch
    mount_project "$@"
    # shellcheck disable=SC2154  # mount_project sets it
    for word; do
        shift
        case $word in --project=*) word=--project=$inside ;; esac
        set -- "$@" "$word"
    done
    export CHECKOUT_MODE=rw
    # /tmp is in memory, and the packages of an application may be large.
    flags="$flags --env UV_CACHE_DIR=/srv/.adopt/cache"
    code=0
    one_off "$@" || code=$?
    if [ -f .env.adopted ]; then
        cat .env.adopted >>.env
        rm .env.adopted
    fi
    return "$code"
}

# Sets `mount`, and `inside`: what the container calls the project. PROJECT may be a file of it.
mount_project() {
    mount='' inside=''
    for word; do case $word in --project=*) inside=${word#--project=} ;; esac; done
    [ -e "$inside" ] || return 0
    folder=$inside rest=
    if [ ! -d "$folder" ]; then folder=$(dirname "$inside") rest=/$(basename "$inside"); fi
    folder=$(cd "$folder" && pwd -P)
    if [ -n "$rest" ] || [ -e "$folder/__init__.py" ] || [ -e "$folder/env.py" ]; then
        top=$(top_of "$folder")
        rest=${folder#"${top%/}"}$rest folder=$top
    fi
    here=$(pwd -P)
    case $folder/ in "$here"/*) inside=/srv${folder#"$here"}$rest && return 0 ;; esac
    case $here/ in "${folder%/}"/*) inside=/ && return 0 ;; esac
    case $folder in *:*) complain "The path of the project has a colon: $folder." "Docker cannot mount it." \
        "copy the project to another folder" "nothing was changed." ;; esac
    inside=/project/$(basename "$folder")$rest mount=$folder:/project/$(basename "$folder"):ro
}

# Prints the folder of the project that has this folder. scripts/core/adopt/found.py has the same rule.
top_of() {
    above=$1
    until is_top "$above"; do
        if [ "$above" = / ]; then above=$1 && break; fi
        above=$(dirname "$above")
    done
    echo "$above"
}

is_top() {
    for file in "$1/pyproject.toml" "$1/setup.py" "$1/setup.cfg" "$1/requirements.txt" "$1/Pipfile" "$1/.git" "$1"/*.dist-info; do
        [ ! -e "$file" ] || return 0
    done
    return 1
}

# Containers can write revision files in alembic/versions. If alembic.ini or pyproject.toml names other folders, the
# commands that write one get a container that can write in the checkout.
allow_writing() {
    case "$*" in *scripts.revision* | *scripts.merge* | *scripts.recover* | *scripts.alembic*) ;; *) return 0 ;; esac
    if grep -Eqs '^[^#]*(version_locations|script_location)' pyproject.toml ||
        grep -Eq '^(recursive_)?version_locations' alembic.ini ||
        ! grep -Eq '^script_location *= *%\(here\)s/alembic *$' alembic.ini; then export CHECKOUT_MODE=rw; fi
}

verb=${1:-}
[ $# = 0 ] || shift
allow_writing "$@"
case $verb in
up | down | logs | build | run | edit | adopt | reset | restore | load | doctor | with_scratch | with_superuser) "$verb" "$@" ;;
test) run_tests "$@" ;;
ps) show ;;
*)
    (complain "scripts/runtime.sh has no verb '$verb'." "" "make, which shows the menu" "nothing was changed.") || exit 2 ;;
esac
