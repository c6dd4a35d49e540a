# The verbs of RUNTIME=embedded: PostgreSQL and the application as processes of this machine, in .venv and .postgres/.
# Sourced by scripts/runtime.sh.

fail() {
    echo "✗ $1" >&2
    echo "  Do:    $2" >&2
    echo "  State: ${3:-nothing was changed.}" >&2
    exit 1
}

find_python() {
    for python in python3.13 python3.12 python3.14 python3.11 python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    fail "No Python 3.11 or newer with venv is on the PATH." \
        "install python3 and python3-venv, or a Docker engine and set RUNTIME=docker in .env"
}

# The lock file is copied into .venv last: an interrupted or outdated installation is made anew.
ensure_venv() {
    cmp -s requirements-dev.txt .venv/requirements-dev.txt && return
    python=$(find_python)
    echo "Installing the packages of requirements-dev.txt into .venv …" >&2
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt >&2 ||
        fail "pip could not install requirements-dev.txt." "look at its message above" ".venv is incomplete; the next try makes it anew."
    cp requirements-dev.txt .venv/requirements-dev.txt
}

run() {
    ensure_venv
    PATH=$PWD/.venv/bin:$PATH exec "$@"
}

app_pid() {
    pid=$(cat .postgres/app.pid 2>/dev/null) || return 1
    # A pid is reused after a restart of the machine: it counts only when it is our process.
    case $(ps -p "$pid" -o args= 2>/dev/null) in
    *"-m app") echo "$pid" ;;
    *) return 1 ;;
    esac
}

start_app() {
    app_pid >/dev/null && return
    nohup .venv/bin/python -m app >>.postgres/app.log 2>&1 </dev/null &
    echo $! >.postgres/app.pid
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
    .venv/bin/python -m app.health >/dev/null ||
        fail "The application is not healthy." "make logs" "the database is up and migrated."
    .venv/bin/python -m scripts.status --next
}

down() {
    [ -d .venv ] || return 0
    stop_app
    .venv/bin/python -m scripts.servers stop
}

show_processes() {
    ensure_venv
    .venv/bin/python -m scripts.servers show
    if pid=$(app_pid); then echo "app      running, pid $pid"; else echo "app      not running"; fi
}

show_logs() {
    mkdir -p .postgres
    touch .postgres/app.log
    exec tail -n 50 -f .postgres/app.log .postgres/target.log
}

verb=$1
shift
case $verb in
up) up ;;
down) down ;;
ps) show_processes ;;
logs) show_logs ;;
shell) run "${SHELL:-/bin/sh}" ;;
run | edit | test) run "$@" ;;
*)
    echo "✗ scripts/runtime.sh has no verb '$verb'." >&2
    exit 2
    ;;
esac
