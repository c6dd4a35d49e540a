#!/bin/sh
# Checks formatting, lint, types, shell scripts and the Dockerfile. Changes nothing.
set -u
code=0
inspect() { "$@" || code=1; }

inspect ruff format --check --quiet .
inspect ruff check --quiet .
# Revisions that were adopted have a style of their own. Only what cannot run counts, such as an undefined name.
folders=$(python -c 'from scripts.core import revision_files; print(*revision_files.folders())')
# shellcheck disable=SC2086  # several words
inspect find $folders -name '*.py' -exec ruff check --quiet --select E9,F63,F7,F82 {} +
inspect mypy --no-error-summary
# Some machines have no package of these three.
if command -v shellcheck >/dev/null; then inspect shellcheck --shell=sh scripts/*.sh scripts/runtimes/*.sh; fi
if command -v hadolint >/dev/null; then inspect hadolint Dockerfile; fi
if command -v actionlint >/dev/null && [ -e .github/workflows/migrations.yml ]; then inspect actionlint .github/workflows/*.yml; fi
exit $code
