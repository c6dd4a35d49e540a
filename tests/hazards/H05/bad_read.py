"""columns of two tables, and a look at a third"""

import sqlalchemy as sa
from alembic import op

revision = "bad_read"
down_revision = "shop"


def upgrade() -> None:
    op.add_column("customers", sa.Column("age", sa.Integer()))
    op.add_column("visits", sa.Column("browser", sa.Text()))
    op.execute("SELECT count(*) FROM orders")


def downgrade() -> None:
    op.drop_column("visits", "browser")
    op.drop_column("customers", "age")
