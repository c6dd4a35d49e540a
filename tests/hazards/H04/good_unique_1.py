"""numbers are indexed"""

from alembic import op

revision = "good_unique_1"
down_revision = "shop"


def upgrade() -> None:
    with op.get_context().autocommit_block():
        op.create_index(
            "uq_orders_number", "orders", ["number"], unique=True, postgresql_concurrently=True, if_not_exists=True
        )


def downgrade() -> None:
    op.drop_index("uq_orders_number")
