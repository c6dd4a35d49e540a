"""no field that nobody has"""

from alembic import op

revision = "good_meant"
down_revision = "shop"


def upgrade() -> None:
    op.execute("COMMENT ON TABLE orders IS 'what was ordered'")


def downgrade() -> None:
    raise NotImplementedError("nobody knows what it said before")
