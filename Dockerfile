# base: what every image needs. dev: adds the tools; Compose mounts the code. runtime: has the code, and no tools.
# Packages of Debian come first, because the requirements change more often.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS base
# The same major as the database server's: an older pg_dump refuses to read a newer server.
ARG POSTGRES_MAJOR=17
# This directory comes first in PATH. Debian's own psql is a Perl script that searches for the right one.
ENV PATH=/usr/lib/postgresql/${POSTGRES_MAJOR}/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# DL3008: Debian's mirrors keep one version of a package. A pinned version soon cannot be installed.
# hadolint ignore=DL3008
RUN --mount=type=cache,sharing=locked,target=/var/cache/apt \
    --mount=type=cache,sharing=locked,target=/var/lib/apt \
    apt-get update && apt-get install -y --no-install-recommends "postgresql-client-${POSTGRES_MAJOR}"
WORKDIR /srv
# A number needs no account. Compose replaces it with the number of your account, which then owns the written files.
USER 1000:1000
CMD ["python", "-m", "app"]

FROM base AS dev
USER 0
# git refuses a checkout of another account, and the checkout belongs to an account of the host.
# hadolint ignore=DL3008
RUN --mount=type=cache,sharing=locked,target=/var/cache/apt \
    --mount=type=cache,sharing=locked,target=/var/lib/apt \
    apt-get update && apt-get install -y --no-install-recommends git make \
    && git config --system --add safe.directory /srv
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements-dev.txt,target=/tmp/requirements.txt \
    HOME=/root pip install --root-user-action=ignore --require-hashes -r /tmp/requirements.txt
ENV MYPY_CACHE_DIR=/tmp/mypy RUFF_CACHE_DIR=/tmp/ruff
USER 1000:1000

FROM base AS runtime
USER 0
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \
    HOME=/root pip install --root-user-action=ignore --require-hashes -r /tmp/requirements.txt
USER 1000:1000
COPY alembic.ini ./
COPY alembic alembic
COPY app app
COPY scripts scripts
COPY tests/staging tests/staging
# This comes last, because it changes with every commit.
ARG GIT_COMMIT=
ENV GIT_COMMIT=${GIT_COMMIT}
RUN : "${GIT_COMMIT:?is empty: build with --build-arg GIT_COMMIT=<the commit of this release>}"
