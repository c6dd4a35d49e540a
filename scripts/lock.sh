#!/bin/sh
# Writes the lock files with hashes, for every platform and every Python version that pyproject.toml allows.
set -eu
# A locked version stays where it fits. `--upgrade` takes the newest of every package.
lock() { uv pip compile --system-certs --quiet --universal --generate-hashes --custom-compile-command "make lock" pyproject.toml "$@"; }
lock "$@" --output-file requirements.txt
lock "$@" --group dev --output-file requirements-dev.txt
