"""The tables that Alembic and this project create in the target."""

VERSION = "alembic_version"
LOG = "migration_log"
