"""longer phone numbers"""

import sqlalchemy as sa
from alembic import op

revision = "good_longer"
down_revision = "start"


def upgrade() -> None:
    op.alter_column("customers", "phone", type_=sa.String(80))


def downgrade() -> None:
    op.alter_column("customers", "phone", type_=sa.String(40))


def change_models(customers: sa.Table, **_: sa.Table) -> None:
    customers.c.phone.type = sa.String(80)
