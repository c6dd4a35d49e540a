"""a column with a default, which no row is written for"""

import sqlalchemy as sa
from alembic import op

revision = "good_default"
down_revision = "start"


def upgrade() -> None:
    op.add_column("orders", sa.Column("city", sa.Text(), server_default="", nullable=False))


def downgrade() -> None:
    op.drop_column("orders", "city")


def change_models(orders: sa.Table, **_: sa.Table) -> None:
    orders.append_column(sa.Column("city", sa.Text(), server_default="", nullable=False))
