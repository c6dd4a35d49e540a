"""Alembic runs this file for every command that needs the database. See scripts/core/migrate/runner.py."""

from logging.config import fileConfig

from alembic import context

from scripts.core.migrate import alembic_log, runner
from scripts.core.revisions import models

config = context.config
# `alembic` typed by hand logs as alembic.ini says. The make targets have their own output. Other loggers stay.
if config.config_file_name and not getattr(config.cmd_opts, "quiet", False):
    fileConfig(config.config_file_name, disable_existing_loggers=False)
    alembic_log.show_headers_once()


def by_hand() -> runner.ByHand:
    from scripts.core.models import by_hand  # few commands need it, and it takes as long as a small migration

    return by_hand


runner.run(models.metadata, by_hand)
