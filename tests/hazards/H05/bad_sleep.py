"""a column, and a rest"""

import sqlalchemy as sa
from alembic import op

revision = "bad_sleep"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("customers", sa.Column("age", sa.Integer()))
    op.execute("SELECT pg_sleep(1.1)")


def downgrade() -> None:
    op.drop_column("customers", "age")
