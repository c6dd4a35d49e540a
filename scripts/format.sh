#!/bin/sh
# Formats the code and mends what can be mended safely.
set -eu
ruff check --fix --exit-zero --quiet .
ruff format --quiet .
