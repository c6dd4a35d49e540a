"""one name once"""

from alembic import op

revision = "bad_unique"
down_revision = "shop"


def upgrade() -> None:
    op.execute("CREATE UNIQUE INDEX ix_customers_lower ON customers (lower(name)) WHERE credit > 0")


def downgrade() -> None:
    op.drop_index("ix_customers_lower")
