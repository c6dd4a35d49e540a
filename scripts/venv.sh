# shellcheck shell=sh
# The project's Python on this machine: .venv, made from the lock file. Sourced after errors.sh.

find_python() {
    for python in python3.13 python3.12 python3.14 python3.11 python3; do
        if "$python" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1; then
            echo "$python"
            return
        fi
    done
    complain "There is no Python 3.11 or newer with venv on the PATH." "" \
        "install python3 and python3-venv; or install Docker, and set RUNTIME=docker in .env" "nothing was changed."
}

is_venv_current() { cmp -s requirements-dev.txt .venv/requirements-dev.txt; }

# The lock file is copied into .venv last. So an interrupted or outdated installation is made again.
ensure_venv() {
    is_venv_current && return
    python=$(find_python)
    echo "Installing the packages of requirements-dev.txt into .venv …" >&2
    "$python" -m venv --clear .venv
    .venv/bin/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements-dev.txt >&2 ||
        complain "pip could not install requirements-dev.txt. Its message is above." "" \
            "correct what the message names, then run this again" ".venv is incomplete; the next command makes it again."
    cp requirements-dev.txt .venv/requirements-dev.txt
}

run_in_venv() {
    ensure_venv
    PATH=$PWD/.venv/bin:$PATH exec "$@"
}
