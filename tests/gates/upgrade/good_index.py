"""find the orders of a customer in a large table that is written meanwhile"""

import sqlalchemy as sa
from alembic import op

revision = "good_index"
down_revision = "start"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_orders_customer_id", "orders", ["customer_id"], postgresql_concurrently=True, if_not_exists=True
        )


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_orders_customer_id", postgresql_concurrently=True, if_exists=True)


def change_models(orders: sa.Table, **_: sa.Table) -> None:
    sa.Index("ix_orders_customer_id", orders.c.customer_id)
