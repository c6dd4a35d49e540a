"""larger points, which stay what they are"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "start"


def upgrade() -> None:
    op.alter_column("customers", "points", type_=sa.BigInteger())


def downgrade() -> None:
    op.alter_column("customers", "points", type_=sa.Integer())


def change_models(customers: sa.Table, **_: sa.Table) -> None:
    customers.c.points.type = sa.BigInteger()
