#!/bin/sh
# Does a verb (up, down, logs, ps, shell, run ...) in the runtime that .env names: scripts/runtime.sh VERB [WORD...]
set -eu
cd "$(dirname "$0")/.."

# shellcheck source=scripts/place.sh
. scripts/place.sh

check_runtime() {
    case $1 in docker | embedded) return 0 ;; esac
    echo "✗ RUNTIME is '$1': it is docker or embedded." >&2
    echo "  Do:    set RUNTIME=docker or RUNTIME=embedded in .env" >&2
    echo "  State: nothing was changed." >&2
    exit 2
}

# Before it is written into .env.
[ -z "${RUNTIME:-}" ] || check_runtime "$RUNTIME"
check_place
sh scripts/setup.sh
[ -r .env ] || complain "$(id -un) cannot read .env." "another account made it" "run the command as that account" \
    "nothing was changed"
keep_names
[ -n "${RUNTIME:-}" ] ||
    RUNTIME=$(sed -n "s/ #.*//; s/^\(export \)\{0,1\}RUNTIME=//p" .env | tail -n 1 | tr -d "\"' \r")
check_runtime "$RUNTIME"
export RUNTIME

# What measures the runtime stands outside of it.
if [ "$1" = host ]; then
    shift
    # shellcheck source=scripts/venv.sh
    . scripts/venv.sh
    run_in_venv "$@"
fi
# shellcheck source=/dev/null
. "scripts/runtimes/$RUNTIME.sh"
