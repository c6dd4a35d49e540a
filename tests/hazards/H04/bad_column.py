"""a column that is checked at once"""

from alembic import op

revision = "bad_column"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN weight int CHECK (weight > 0)")


def downgrade() -> None:
    op.drop_column("orders", "weight")
