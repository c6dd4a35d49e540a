#!/bin/sh
# Writes the lock files with hashes, for every platform and every Python version that pyproject.toml allows.
set -eu
lock() { uv pip compile --quiet --universal --generate-hashes --upgrade --custom-compile-command "make lock" pyproject.toml "$@"; }
lock --output-file requirements.txt
lock --group dev --output-file requirements-dev.txt
