import os

from alembic import context
from heroes import models  # noqa: F401
from sqlmodel import SQLModel, create_engine

engine = create_engine(os.environ.get("DB_URL", "sqlite:///heroes.db"))

with engine.connect() as connection:
    context.configure(connection=connection, target_metadata=SQLModel.metadata)
    with context.begin_transaction():
        context.run_migrations()
