# shellcheck shell=sh
# The Docker runtime: what runtime.sh does with a verb when .env says RUNTIME=docker.
#   up | down | logs [SERVICE] | ps | shell | psql | run WORD... | test WORD... | edit WORD...
# `run` uses the running app container, or a one-off container when there is none, when the settings have changed since
# it was made, and always outside development: only `tools` has the owner's secret there.
. scripts/runtimes/docker_faults.sh

# What one command may be told; everything else is a setting, which Compose passes.
passed="ACCEPT CONFIRM NO_COLOR"

compose() { docker compose --progress quiet "$@"; }
say() { echo "$*" >&2; }

# A setting: the environment's, else that of .env without quotes and comment.
setting() {
    eval "value=\${$1:-}"
    [ -n "$value" ] || value=$(sed -n "s/ #.*//; s/^\(export \)\{0,1\}$1=//p" .env | tail -n 1 | tr -d "\"'\r")
    printf '%s\n' "$value"
}

is_development() {
    case $(setting COMPOSE_FILE) in *staging*) return 1 ;; esac
    [ "$(setting APP_ENV)" = development ]
}

# Reads what runs of this project (name, id, hash of its settings, image, status) and which services .env wants (name,
# hash). The hashes are equal as long as nothing has changed that Compose reads.
look() {
    check_env
    project=$(setting COMPOSE_PROJECT_NAME)
    running=$(docker ps --filter "label=com.docker.compose.project=$project" \
        --filter label=com.docker.compose.oneoff=False --format "$columns" 2>&1) || explain_engine "$running"
    wanted=$(compose config --hash '*' 2>&1) || explain_config "$wanted"
}
columns='{{.Label "com.docker.compose.service"}} {{.ID}} {{.Label "com.docker.compose.config-hash"}} {{.Image}} {{.Status}}'

is_wanted() { echo "$wanted" | grep -q "^$1 "; }
is_running() { echo "$running" | grep -q "^$1 "; }

# The lines of a service's containers that are what Compose would make of today's settings.
current() {
    hash=$(echo "$wanted" | sed -n "s/^$1 //p")
    echo "$running" | grep "^$1 [^ ]* $hash [^ ]* Up "
}

# A container whose image was built anew since shows that image's id instead of name:tag.
is_up() { current "$1" | grep -q ':[^ ]* Up .*(healthy)'; }

start() {
    if is_up "$1"; then return; fi
    say "Starting $1 …"
    said=$(compose up --detach --wait "$1" 2>&1) || explain_start "$1" "$said"
    look
}

build() {
    docker image inspect "$project-app:dev" >/dev/null 2>&1 || say "Building the image, which takes a minute or two …"
    said=$(docker compose --progress plain build app 2>&1) || explain_build "$said"
    look
}

# Docker would make them as root.
make_folders() { mkdir -p -m 700 backups reports; }

prepare() {
    look
    if is_development; then build; else make_folders && check_secrets; fi
}

up() {
    prepare
    if is_wanted db; then start db; fi
    run python -m scripts.migrate
    start app
    run python -m scripts.status --next
}

# On demand, as in the embedded runtime; but nobody's staging database starts as a side effect.
need_db() {
    if ! is_wanted db || is_running db; then return; fi
    is_development || complain "The database is not running." "" "make up" "nothing was changed"
    start db
}

# Sets `flags`: what exec and run have in common.
set_flags() {
    flags=
    for name in $passed; do
        eval "[ -z \"\${$name:-}\" ]" || flags="$flags --env $name"
    done
}

is_interactive() { [ -t 0 ] && [ -t 1 ]; }

in_app() {
    if is_interactive; then flags="$flags --tty"; fi
    # shellcheck disable=SC2086  # several words
    docker exec --interactive $flags "$app" "$@"
}

one_off() {
    is_interactive || flags="$flags --no-TTY"
    # shellcheck disable=SC2086
    compose run --rm --no-deps --quiet-pull $flags tools "$@"
}

run() {
    [ -n "${wanted:-}" ] || look
    need_db
    set_flags
    app=$(current app | cut -d ' ' -f 2)
    if [ -n "$app" ] && is_development; then in_app "$@"; else one_off "$@"; fi
}

development_only() {
    is_development || complain "'$verb' is for development." "staging's image has no development tools" "" "nothing was changed"
    prepare
    set_flags
}

# The tests bring their own databases, on the scratch server.
run_tests() {
    development_only
    start scratch
    one_off "$@"
}

# The one case in which a container may write anywhere in the checkout.
edit() {
    development_only
    flags="$flags --volume $PWD:/srv"
    one_off "$@"
}

# The profiles' services too. Volumes stay.
down() {
    look
    said=$(compose --profile '*' down --remove-orphans 2>&1) || complain "Could not stop everything." "$said" "make ps" "see make ps"
}

logs() {
    look
    if [ -t 1 ]; then follow=--follow; else follow=--no-color; fi
    docker compose --profile '*' logs --tail 100 "$follow" ${1:+"$1"}
}

show() {
    look
    docker compose --profile '*' ps --all
}

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
up | down | logs | run | edit) "$verb" "$@" ;;
test) run_tests "$@" ;;
ps) show ;;
shell) run bash ;;
psql) run python -m scripts.psql ;;
*)
    say "usage: scripts/runtime.sh up|down|logs [SERVICE]|ps|shell|psql|run WORD...|test WORD...|edit WORD..."
    exit 2
    ;;
esac
