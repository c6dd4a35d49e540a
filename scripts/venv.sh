# The project's Python on this machine: .venv, made from the lock file. Sourced.

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
        fail "pip could not install requirements-dev.txt." "look at its message above" \
            ".venv is incomplete; the next try makes it anew."
    cp requirements-dev.txt .venv/requirements-dev.txt
}

run_in_venv() {
    ensure_venv
    PATH=$PWD/.venv/bin:$PATH exec "$@"
}
