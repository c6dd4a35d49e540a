# Every target is one line. It calls a verb of scripts/runtime.sh, which runs it in the runtime that .env names.
# This file must work with GNU Make 3.81, which macOS ships.
.DEFAULT_GOAL := help
RUN = @exec sh scripts/runtime.sh

# A recipe gets your text as an environment variable. make and the shell never read it again, so quotes, $, backticks,
# newlines and $(shell ...) arrive literally. Without `override`, make would export the expanded value of a variable from
# the command line. `override` and `export` need two lines: make 3.81 reads `override export m` as one name.
override m := $(value m)
override c := $(value c)
override REV := $(value REV)
override STEPS := $(value STEPS)
override T := $(value T)
override FAULTS := $(value FAULTS)
override EMPTY := $(value EMPTY)
override SQL := $(value SQL)
override RENAME := $(value RENAME)
override FILL := $(value FILL)
override JSON := $(value JSON)
override ALL := $(value ALL)
override ENV := $(value ENV)
override CONFIRM := $(value CONFIRM)
override ACCEPT := $(value ACCEPT)
override NAME := $(value NAME)
override BACKUP := $(value BACKUP)
override EXCLUDE := $(value EXCLUDE)
override KEEP := $(value KEEP)
override TO := $(value TO)
override MODE := $(value MODE)
override FILE := $(value FILE)
override FROM := $(value FROM)
override RELEASE := $(value RELEASE)
override PROJECT := $(value PROJECT)
override DATABASE := $(value DATABASE)
override UPGRADE := $(value UPGRADE)
override RUNTIME := $(value RUNTIME)
export m c REV STEPS T FAULTS EMPTY SQL RENAME FILL JSON ALL ENV CONFIRM ACCEPT NAME BACKUP EXCLUDE KEEP TO MODE FILE FROM RELEASE PROJECT DATABASE UPGRADE RUNTIME

## Every day
up: ## Set up everything, start PostgreSQL and the app, migrate
	$(RUN) up
down: ## Stop everything; the data stays
	$(RUN) down
status: ## Show where the database stands; exit 1 when behind           (JSON=1)
	$(RUN) run python -m scripts.status $${JSON:+--json}
doctor: ## Check everything that the tools need; say how to cure it     (JSON=1)
	@! grep -l "$$(printf '\r')" scripts/*.* scripts/runtimes/*.sh >&2 || \
	  { printf '%s\n' "✗ line-ends  These files have the line ends of Windows.  Do: perl -pi -e 's/\r//' <file>" >&2; exit 1; }
	$(RUN) doctor python -m scripts.doctor $${JSON:+--json}
logs: ## Follow the logs                                               (c="db")
	$(RUN) logs "$$c"
ps: ## Show what is running
	$(RUN) ps
shell: ## Open a shell where the scripts run
	$(RUN) run python -m scripts.shell
psql: ## Open psql on the database                                     (c="SELECT 1")
	$(RUN) run python -m scripts.psql $${c:+--command="$$c"}
app: ## Run the application in the foreground
	$(RUN) run python -m scripts.app

## Schema changes
revision: ## Write a revision file from the models                     (m="what it does" EMPTY=1 SQL=1 RENAME=users.mail:email FILL=users.plan=free)
	$(RUN) with_scratch python -m scripts.revision --message="$$m" $${EMPTY:+--empty} $${SQL:+--sql} $${RENAME:+--rename="$$RENAME"} $${FILL:+--fill="$$FILL"}
migrate: ## Apply the pending revisions                                (REV=head)
	$(RUN) with_scratch python -m scripts.migrate $${REV:+"$$REV"}
plan: ## Show what migrate would do, after trying it on a copy        (REV=head JSON=1)
	$(RUN) with_scratch python -m scripts.plan $${REV:+"$$REV"} $${JSON:+--json}
lint: ## Find dangers in the revisions of this branch                 (ALL=1 JSON=1)
	$(RUN) with_scratch python -m scripts.lint $${ALL:+--all} $${JSON:+--json}
rollback: ## Undo the newest revisions; list the rows that this deletes   (STEPS=1 or REV=... CONFIRM=name)
	$(RUN) with_scratch python -m scripts.rollback $${STEPS:+--steps="$$STEPS"} $${REV:+--rev="$$REV"}
stamp: ## Find the revision of the schema; with REV=, record it        (REV=...)
	$(RUN) with_scratch python -m scripts.stamp $${REV:+"$$REV"}
recover: ## Find a lost revision file, and write it again              (CONFIRM=1a2b3c)
	$(RUN) run python -m scripts.recover
history: ## List all revisions, and when each was applied
	$(RUN) run python -m scripts.history
current: ## Show the current revision of the database
	$(RUN) run python -m scripts.alembic current --verbose
merge: ## Join two heads with a merge revision                         (m="merge ... and ...")
	$(RUN) with_scratch python -m scripts.merge --message="$$m"
diagram: ## Draw the schema, with pending changes   (> docs/schema.md)
	$(RUN) with_scratch python -m scripts.diagram
alembic: ## Run any other Alembic command                              (c="show head")
	$(RUN) with_scratch python -m scripts.alembic "$$c"

environment: ## Set the environment of the database                          (ENV=staging CONFIRM=name)
	$(RUN) run python -m scripts.environment $${ENV:+"$$ENV"}
roles: ## Give the application a role that cannot drop tables
	$(RUN) with_superuser python -m scripts.roles

## Backups
backup: ## Take a backup and check that it can be read                  (NAME=feature-x EXCLUDE="public.events")
	$(RUN) run python -m scripts.backup $${NAME:+--name="$$NAME"} $${EXCLUDE:+--exclude="$$EXCLUDE"}
backups: ## List the backups; with KEEP=, remove old ones                (JSON=1 or KEEP=5,30d CONFIRM=folder)
	$(RUN) run python -m scripts.backups $${KEEP:+--keep="$$KEEP"} $${JSON:+--json}
restore: ## Restore a backup; keep the current database as another       (BACKUP=latest CONFIRM=name or TO=other)
	$(RUN) restore python -m scripts.restore $${TO:+--to="$$TO"} $${BACKUP:+-- "$$BACKUP"}
load: ## Load a dump of another program; keep the current database   (FILE=app.dump CONFIRM=name)
	$(RUN) load python -m scripts.load $${FILE:+-- "$$FILE"}
verify-backup: ## Restore a backup on the scratch server and compare          (BACKUP=latest MODE=full)
	$(RUN) with_scratch python -m scripts.verify_backup $${MODE:+--mode="$$MODE"} $${BACKUP:+-- "$$BACKUP"}

## Staging
verify-staging: ## Test the pending migrations on a copy of the data            (FROM=latest RELEASE=v1.4 JSON=1)
	$(RUN) with_scratch python -m scripts.verify_staging $${FROM:+--from="$$FROM"} $${RELEASE:+--release="$$RELEASE"} \
	  $${JSON:+--json}
build: ## Build the image from this checkout
	$(RUN) build

## Development data
seed: ## Add the application's example rows
	$(RUN) run python -m scripts.seed
reset: ## Drop the development database and build it again             (CONFIRM=name)
	$(RUN) reset python -m scripts.reset

## The project itself
test: ## Run the tests; FAULTS=1 adds kills, races and slow ones      (T=tests/scripts/test_migrate.py FAULTS=1)
	$(RUN) test python -m pytest $${FAULTS:+-m ""} $${T:+-m "" "$$T"}
check: ## Check formatting, types, shell scripts and the Dockerfile
	$(RUN) run sh scripts/check.sh
format: ## Format the code
	$(RUN) edit sh scripts/format.sh
adopt: ## Move an existing project in; without PROJECT, check it       (PROJECT=../shop CONFIRM=shop or DATABASE=1)
	$(RUN) adopt python -m scripts.adopt $${DATABASE:+--database} $${PROJECT:+--project="$$PROJECT"} $${NAME:+--name="$$NAME"}
lock: ## Lock the packages that pyproject.toml names                  (UPGRADE=1)
	$(RUN) edit sh scripts/lock.sh $${UPGRADE:+--upgrade}
bench: ## Compare the speed with other tools
	$(RUN) host python -m tests.bench
help: ## Show this menu
	@awk -f scripts/help.awk Makefile

.PHONY: up down status doctor logs ps shell psql app revision migrate plan lint rollback stamp recover history current diagram merge alembic environment \
	roles backup backups restore load verify-backup verify-staging build seed reset test check format adopt lock bench help
