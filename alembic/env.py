"""Alembic runs this file for every command that needs the database. See scripts/core/migrate/runner.py."""

from logging.config import fileConfig

from alembic import context

from scripts.core.migrate import runner
from scripts.core.revisions import models

config = context.config
# The command line logs as alembic.ini says; the make targets print for themselves. The application's own loggers stay.
if config.config_file_name and not getattr(config.cmd_opts, "quiet", False):
    fileConfig(config.config_file_name, disable_existing_loggers=False)

runner.run(models.metadata)
