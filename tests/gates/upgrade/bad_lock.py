"""a column, and long work in the same transaction

MAX_BLOCK_MS is 2000, but upgrade_bad_lock blocks reads and writes of customers for
ACCEPT=budget
"""

import sqlalchemy as sa
from alembic import op

revision = "bad_lock"
down_revision = "start"


def upgrade() -> None:
    op.add_column("customers", sa.Column("city", sa.Text()))
    op.execute("SELECT pg_sleep(2)")


def downgrade() -> None:
    op.drop_column("customers", "city")
