# base: what every image needs. dev: with the tools, the code is mounted. runtime: with the code, without the tools.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

FROM ${PYTHON_IMAGE} AS base
# Of the database server's major: an older pg_dump refuses to read a newer server.
ARG POSTGRES_MAJOR=17
# The directory comes first because Debian's own psql is a Perl script that looks for the right one.
ENV PATH=/usr/lib/postgresql/${POSTGRES_MAJOR}/bin:$PATH \
    HOME=/tmp \
    PYTHONDONTWRITEBYTECODE=1 \
    PYTHONUNBUFFERED=1
# DL3008: Debian's mirrors keep one version of a package, so a pinned one soon cannot be installed.
# hadolint ignore=DL3008
RUN --mount=type=cache,sharing=locked,target=/var/cache/apt \
    --mount=type=cache,sharing=locked,target=/var/lib/apt \
    apt-get update && apt-get install -y --no-install-recommends "postgresql-client-${POSTGRES_MAJOR}"
WORKDIR /srv
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \
    HOME=/root pip install --root-user-action=ignore --require-hashes -r /tmp/requirements.txt
# A number, so that it needs no account. Compose replaces it by the host user's, who then owns what is written.
USER 1000:1000
CMD ["python", "-m", "app"]

FROM base AS dev
USER 0
# The checkout belongs to the host's user, whoever that is in here.
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
COPY alembic.ini ./
COPY alembic alembic
COPY app app
COPY scripts scripts
COPY tests/staging tests/staging
# Last, because it changes with every commit.
ARG GIT_COMMIT=
ENV GIT_COMMIT=${GIT_COMMIT}
RUN : "${GIT_COMMIT:?is empty: build with --build-arg GIT_COMMIT=<the commit of this release>}"
