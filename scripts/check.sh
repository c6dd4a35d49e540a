#!/bin/sh
# Checks formatting, lint, types, shell scripts and the Dockerfile. Changes nothing.
set -u
code=0
inspect() { "$@" || code=1; }

inspect ruff format --check --quiet .
inspect ruff check --quiet .
inspect mypy --no-error-summary
inspect shellcheck --shell=sh scripts/*.sh scripts/runtimes/*.sh
command -v hadolint >/dev/null && inspect hadolint Dockerfile
exit $code
