# base: what every image needs. dev: adds the tools; Compose mounts the code. runtime: has the code, and no tools.
# Packages of Debian come first, because the requirements change more often.
ARG PYTHON_IMAGE=python:3.13-slim-trixie

# The official image has no bytecode of the standard library. Containers cannot write it, so each command would compile
# again what it imports. That was a third of its processor time.
FROM ${PYTHON_IMAGE} AS python
RUN python -m compileall -q -x '/(site-packages|test)/' "$(python -c 'import sysconfig; print(sysconfig.get_path("stdlib"))')"

# What the application needs of Debian. Another change of pyproject.toml makes the same file, so the later steps stay.
FROM python AS declaration
RUN --mount=type=bind,source=pyproject.toml,target=/tmp/pyproject.toml \
    python -c 'import tomllib; print(*tomllib.load(open("/tmp/pyproject.toml", "rb"))["tool"].get("app", {}).get("apt", []))' >/apt

FROM python AS base
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
# hadolint ignore=DL3008,SC2086
RUN --mount=type=cache,sharing=locked,target=/var/cache/apt \
    --mount=type=cache,sharing=locked,target=/var/lib/apt \
    --mount=type=bind,from=declaration,source=/apt,target=/tmp/apt \
    packages=$(cat /tmp/apt) && \
    if [ "$packages" ]; then apt-get update && apt-get install -y --no-install-recommends $packages; fi
WORKDIR /srv
# A number needs no account. Compose replaces it with the number of your account, which then owns the written files.
USER 1000:1000
CMD ["python", "-m", "scripts.app"]

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
# The application's packages, and the folders of the revisions, each as a folder. A path in alembic.ini may begin here.
# hadolint ignore=DL3003
RUN --mount=type=bind,target=/tmp/context \
    cd /tmp/context && \
    folders=$(python -c 'from scripts.core import application, revision_files; print(*application.read().packages, *revision_files.all_folders())') && \
    for folder in $folders; do mkdir -p "/srv/$folder" && cp -R "$folder/." "/srv/$folder" || exit; done
COPY alembic.ini pyproject.toml ./
COPY alembic alembic
COPY scripts scripts
COPY tests/staging tests/staging
# With hashes, because the times of files differ from checkout to checkout. A file that is no Python, as a template, stays.
RUN python -m compileall -qq --invalidation-mode checked-hash . || true
USER 1000:1000
# This comes last, because it changes with every commit.
ARG GIT_COMMIT=
ENV GIT_COMMIT=${GIT_COMMIT}
RUN : "${GIT_COMMIT:?is empty: build with --build-arg GIT_COMMIT=<the commit of this release>}"
