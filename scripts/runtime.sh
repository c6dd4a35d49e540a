#!/bin/sh
# Runs a verb (up, down, logs, ps, shell, run ...) in the runtime that .env names: scripts/runtime.sh VERB [WORD...]
set -eu
cd "$(dirname "$0")/.."

# shellcheck source=scripts/place.sh
. scripts/place.sh

check_runtime() {
    case $1 in docker | embedded) return 0 ;; esac
    (complain "RUNTIME is '$1'. It must be docker or embedded." "" "set RUNTIME=docker or RUNTIME=embedded in .env" \
        "nothing was changed.") || exit 2
}

check_environment() {
    case $1 in "" | development | test | staging | production) return 0 ;; esac
    (complain "APP_ENV is '$1'. It must be development, test, staging or production." "" "correct APP_ENV in .env" \
        "nothing was changed.") || exit 2
}

if [ "${1:-}" = doctor ]; then
    shift
    # shellcheck source=scripts/doctor.sh
    . scripts/doctor.sh
    exit
fi

# Before it gets into .env.
[ -z "${RUNTIME:-}" ] || check_runtime "$RUNTIME"
check_place
sh scripts/setup.sh
require_readable .env
read_settings
record_names
RUNTIME=$(setting RUNTIME)
check_runtime "$RUNTIME"
check_environment "$(setting APP_ENV)"
export RUNTIME

# The benchmark measures the runtime, so it runs outside of it.
if [ "$1" = host ]; then
    shift
    # shellcheck source=scripts/venv.sh
    . scripts/venv.sh
    run_in_venv "$@"
fi
# shellcheck source=/dev/null
. "scripts/runtimes/$RUNTIME.sh"
