"""a commit inside a text"""

from alembic import op

revision = "bad_inside"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD note text; COMMIT; BEGIN; SELECT 1")


def downgrade() -> None:
    op.drop_column("orders", "note")
