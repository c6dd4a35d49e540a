"""no index that nobody uses"""

from alembic import op

revision = "good_drop"
down_revision = "shop"


def upgrade() -> None:
    op.drop_index("ix_orders_customer_id")


def downgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "ix_orders_customer_id", "orders", ["customer_id"], postgresql_concurrently=True, if_not_exists=True
        )
