# shellcheck shell=sh
# The verbs of RUNTIME=embedded. PostgreSQL and the application are processes of this machine, with .venv and .postgres/.
# Sourced by scripts/runtime.sh.

# shellcheck source=scripts/venv.sh
. scripts/venv.sh

app_pid() {
    { read -r pid && read -r start; } 2>/dev/null <.postgres/app.pid || return 1
    works_in "$pid" . && [ "$(started_at "$pid")" = "$start" ] || return 1
    echo "$pid"
}

start_app() {
    app_pid >/dev/null && return
    nohup .venv/bin/python -m scripts.app >>.postgres/app.log 2>&1 </dev/null &
    printf '%s\n%s\n' $! "$(started_at $!)" >.postgres/app.pid
}

stop_app() {
    pid=$(app_pid) || return 0
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f .postgres/app.pid
    echo "✓ Stopped the application."
}

up() {
    ensure_venv
    mkdir -p .postgres
    .venv/bin/python -m scripts.servers start
    .venv/bin/python -m scripts.migrate
    start_app
    health=$(.venv/bin/python -m scripts.health 2>&1) || {
        .venv/bin/python -m scripts.status || true
        complain "The application is not healthy." "$(printf '%s\n' "$health" | head -n 1)" \
            "correct what a line with ! above names, then: make up. make logs shows its log" "the database is up and migrated."
    }
    .venv/bin/python -m scripts.status --next
}

down() {
    [ -d .venv ] || return 0
    stop_app
    .venv/bin/python -m scripts.servers stop
}

# A running application still uses the passwords from its start.
with_superuser() {
    ensure_venv
    (run_in_venv "$@") || exit
    if app_pid >/dev/null; then
        stop_app
        start_app
    fi
}

show_processes() {
    ensure_venv
    .venv/bin/python -m scripts.servers show
    if pid=$(app_pid); then echo "app      running, pid $pid"; else echo "app      not running"; fi
}

show_logs() {
    mkdir -p .postgres
    touch .postgres/app.log .postgres/target.log .postgres/scratch.log
    case ${1:-} in
    "") set -- app.log target.log ;;
    db) set -- target.log ;;
    app | scratch) set -- "$1.log" ;;
    *) refuse_service "$1" "app db scratch" ;;
    esac
    follow=
    if [ -t 1 ]; then follow=-f; fi
    cd .postgres || exit
    exec tail -n 50 ${follow:+"$follow"} "$@"
}

verb=$1
shift
case $verb in
up) up ;;
down) down ;;
ps) show_processes ;;
logs) show_logs "$@" ;;
build) complain "RUNTIME=embedded has no image to build." "" "make build RUNTIME=docker" "nothing was changed." ;;
with_superuser) with_superuser "$@" ;;
run | edit | test | restore | with_scratch) run_in_venv "$@" ;;
*)
    (complain "scripts/runtime.sh has no verb '$verb'." "" "make, which shows the menu" "nothing was changed.") || exit 2 ;;
esac
