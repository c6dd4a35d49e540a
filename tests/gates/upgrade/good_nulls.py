"""every customer has a name; those without one get one first"""

import sqlalchemy as sa
from alembic import op

revision = "good_nulls"
down_revision = "start"


def upgrade() -> None:
    op.execute("UPDATE customers SET name = '' WHERE name IS NULL")
    op.alter_column("customers", "name", nullable=False)


def downgrade() -> None:
    op.alter_column("customers", "name", nullable=True)
    op.execute("UPDATE customers SET name = NULL WHERE name = ''")


def change_models(customers: sa.Table, **_: sa.Table) -> None:
    customers.c.name.nullable = False
