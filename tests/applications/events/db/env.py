import os

from alembic import context
from models import Base
from sqlalchemy import create_engine, text

VIEWS = {"daily"}


def include_object(item, name, kind, reflected, compare_to):
    return not (kind == "table" and (name in VIEWS or name.startswith("event_")))


with create_engine(os.environ["EVENTS_DSN"]).connect() as connection:
    connection.execute(text("CREATE SCHEMA IF NOT EXISTS migrations"))
    connection.commit()
    context.configure(
        connection=connection,
        target_metadata=Base.metadata,
        include_schemas=True,
        include_object=include_object,
        version_table="applied",
        version_table_schema="migrations",
    )
    with context.begin_transaction():
        context.run_migrations()
