"""a table that the downgrade forgets

After the downgrade: table cities is not expected
"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "start"


def upgrade() -> None:
    op.create_table("cities", sa.Column("name", sa.Text(), primary_key=True), if_not_exists=True)


def downgrade() -> None:
    pass


def change_models(customers: sa.Table, **_: sa.Table) -> None:
    sa.Table("cities", customers.metadata, sa.Column("name", sa.Text(), primary_key=True))
