"""a table, and a downgrade that knows it"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "start"


def upgrade() -> None:
    op.create_table("cities", sa.Column("name", sa.Text(), primary_key=True))


def downgrade() -> None:
    op.drop_table("cities")


def change_models(customers: sa.Table, **_: sa.Table) -> None:
    sa.Table("cities", customers.metadata, sa.Column("name", sa.Text(), primary_key=True))
