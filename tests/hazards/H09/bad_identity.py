"""visits have a number"""

from alembic import op

revision = "bad_identity"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE orders ADD COLUMN nr int GENERATED ALWAYS AS IDENTITY")


def downgrade() -> None:
    op.drop_column("orders", "nr")
