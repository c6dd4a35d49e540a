"""a second number"""

from alembic import op

revision = "bad_serial"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN second serial")


def downgrade() -> None:
    op.drop_column("orders", "second")
