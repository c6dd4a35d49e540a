"""customers without a name, by an engine"""

import os

import sqlalchemy as sa

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    engine = sa.create_engine(os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg2:"))
    with engine.begin() as connection:
        connection.execute(sa.text("UPDATE customers SET name = 'none' WHERE id = 0"))
    engine.dispose()


def downgrade() -> None:
    pass
