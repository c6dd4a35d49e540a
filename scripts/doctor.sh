# shellcheck shell=sh
# The host's part of make doctor, which must run where nothing else does. It changes nothing. Sourced by scripts/runtime.sh.
# What only the host can see is passed to scripts/doctor.py as lines: check, state, text and cure, with tabs between them.
set +e
unset ACCEPT
tab=$(printf '\t')
newline='
'
host=

one_line() { printf '%s' "$1" | tr '\t\n' '  ' | tr -s ' '; }

# found CHECK STATE TEXT [CURE]
found() { host="$host$1$tab$2$tab$(one_line "$3")$tab$(one_line "${4:-}")$newline"; }

# explained CHECK WORD...: runs a function that may `complain`, and passes on what it says.
explained() {
    check=$1
    shift
    said=$( ("$@") 2>&1) && return
    found "$check" wrong "$(printf '%s\n' "$said" | awk '/^✗ / { inside = 1; sub(/^✗ /, "") } /^  (Why|Do|State): / { inside = 0 } inside')" \
        "$(printf '%s\n' "$said" | sed -n 's/^  Do:    //p')"
    return 1
}

# without_python WHY WORD...: prints what the host has found, where the other checks cannot run.
without_python() {
    found "everything-else" "not checked" "$1"
    shift
    case " $* " in *" --json "*) as_json=1 ;; *) as_json= ;; esac
    printf %s "$host" | awk -F '\t' -v json="$as_json" -f scripts/doctor.awk
    case $host in *"${tab}wrong$tab"*) return 1 ;; esac
}

in_venv() {
    if [ ! -x .venv/bin/python ]; then
        found packages wrong "There is no .venv, which has the packages of the scripts." "make status   (installs them)"
        without_python "There is no .venv." "$@"
        return
    fi
    if ! cmp -s requirements-dev.txt .venv/requirements-dev.txt; then
        found packages wrong ".venv does not have the packages of requirements-dev.txt." "make status   (installs them)"
        .venv/bin/python -c "import alembic, dotenv, psycopg2" 2>/dev/null || {
            without_python "Packages are missing." "$@"
            return
        }
    fi
    PATH=$PWD/.venv/bin:$PATH "$@" --host="$host"
}

runtime=
if [ ! -e .env ]; then
    found settings wrong "There is no .env." "make up"
elif explained settings require_readable .env; then
    read_settings
    runtime=$(setting RUNTIME)
    export RUNTIME="$runtime"
fi
if [ "$runtime" = docker ]; then
    set -- doctor "$@"
    # shellcheck source=/dev/null
    . scripts/runtimes/docker.sh
else
    in_venv "$@"
fi
