#!/bin/sh
# Formats the code, and fixes what ruff can fix safely.
set -eu
ruff check --fix --exit-zero --quiet .
ruff format --quiet .
