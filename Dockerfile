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
# hadolint ignore=DL3008  # Debian's mirrors keep no older version, so a pinned one soon cannot be installed
RUN apt-get update \
    && apt-get install -y --no-install-recommends "postgresql-client-${POSTGRES_MAJOR}" \
    && rm -rf /var/lib/apt/lists/*
WORKDIR /srv
RUN --mount=type=cache,target=/root/.cache/pip \
    --mount=type=bind,source=requirements.txt,target=/tmp/requirements.txt \
    HOME=/root pip install --root-user-action=ignore --require-hashes -r /tmp/requirements.txt
# A number, so that it needs no account. Compose replaces it by the host user's, who then owns what is written.
USER 1000:1000
CMD ["python", "-m", "app"]

FROM base AS dev
USER root
# hadolint ignore=DL3008
RUN apt-get update \
    && apt-get install -y --no-install-recommends git make \
    && rm -rf /var/lib/apt/lists/* \
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
# Last, because it changes with every commit.
ARG GIT_COMMIT=
ENV GIT_COMMIT=${GIT_COMMIT}
