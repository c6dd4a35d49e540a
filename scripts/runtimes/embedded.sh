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

# A sum of what the application reads only when it starts: the settings, [tool.app] and the packages.
application_sum() {
    {
        # shellcheck disable=SC2016  # of awk
        awk 'match($0, /^#?[A-Za-z_0-9]+=/) { name = substr($0, 1, RLENGTH - 1); sub(/^#/, "", name)
            if (name in ENVIRON) print name "=" ENVIRON[name] }' .env .env.example
        cat .env pyproject.toml requirements-dev.txt
    } | cksum
}

start_app() {
    sum=$(application_sum)
    if app_pid >/dev/null; then
        [ "$(sed -n 3p .postgres/app.pid)" != "$sum" ] || return 0
        stop_app
        echo "Its settings or packages have changed. Starting it again."
    fi
    rm -f .postgres/app.failed
    nohup .venv/bin/python -m scripts.app --watch >>.postgres/app.log 2>&1 </dev/null &
    printf '%s\n%s\n%s\n' $! "$(started_at $!)" "$sum" >.postgres/app.pid
}

stop_app() {
    pid=$(app_pid) || return 0
    kill "$pid"
    while kill -0 "$pid" 2>/dev/null; do sleep 0.1; done
    rm -f .postgres/app.pid
    echo "✓ Stopped the application."
}

up() {
    # Its packages are about to be removed.
    is_venv_current || stop_app
    ensure_venv
    mkdir -p .postgres
    mention_services
    .venv/bin/python -m scripts.servers start
    .venv/bin/python -m scripts.migrate
    start_app
    health=$(.venv/bin/python -m scripts.health --wait=30 2>&1) || {
        .venv/bin/python -m scripts.status || true
        complain "The application is not healthy." "$(printf '%s\n' "$health" | head -n 1)" \
            "correct what a line with ! above names, then: make up. make logs shows its log" "the database is up and migrated."
    }
    .venv/bin/python -m scripts.status --next
    # It may have failed only now.
    app_pid >/dev/null && [ ! -e .postgres/app.failed ] || {
        tail -n 15 .postgres/app.log | sed 's/^/    /' >&2
        complain "The application does not run. Its last log lines are above." "$(cat .postgres/app.failed 2>/dev/null)" \
            "correct its code, or command in [tool.app]; make logs c=app shows all" "the database is up and migrated."
    }
}

# The files that Compose reads without being told.
mention_services() {
    for file in docker-compose.override.yml docker-compose.override.yaml compose.override.yml compose.override.yaml; do
        [ ! -e "$file" ] || note "$file is not used: RUNTIME=embedded has no containers. Start its services yourself."
    done
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
        echo "✓ Started it again, with the present passwords."
    fi
}

show_processes() {
    ensure_venv
    .venv/bin/python -m scripts.servers show
    if pid=$(app_pid); then state="running, pid $pid"; else state="not running"; fi
    [ ! -e .postgres/app.failed ] || state=$(cat .postgres/app.failed)
    echo "app      $state"
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
run | edit | test | reset | restore | load | with_scratch | adopt) run_in_venv "$@" ;;
*)
    (complain "scripts/runtime.sh has no verb '$verb'." "" "make, which shows the menu" "nothing was changed.") || exit 2 ;;
esac
