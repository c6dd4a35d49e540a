"""find orders by number"""

from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index("ix_orders_number", "orders", ["number"], postgresql_concurrently=True, if_not_exists=True)


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.drop_index("ix_orders_number", postgresql_concurrently=True, if_exists=True)
