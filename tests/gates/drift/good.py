"""a column, in the models too"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "start"


def upgrade() -> None:
    op.add_column("customers", sa.Column("city", sa.Text()))


def downgrade() -> None:
    op.drop_column("customers", "city")


def change_models(customers: sa.Table, **_: sa.Table) -> None:
    customers.append_column(sa.Column("city", sa.Text()))
