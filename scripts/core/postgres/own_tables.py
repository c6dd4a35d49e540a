"""The tables that Alembic and this project keep in the target."""

VERSION = "alembic_version"
LOG = "migration_log"
