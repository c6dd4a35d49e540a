"""two indexes in one revision"""

from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_orders_number", "orders", ["number"], postgresql_concurrently=True, if_not_exists=True)
        op.create_index("ix_orders_placed", "orders", ["placed"], postgresql_concurrently=True, if_not_exists=True)


def downgrade() -> None:
    op.drop_index("ix_orders_number")
    op.drop_index("ix_orders_placed")
