"""addresses have an @"""

from alembic import op

revision = "bad_domain"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER DOMAIN email ADD CONSTRAINT at CHECK (VALUE LIKE '%@%')")


def downgrade() -> None:
    op.execute("ALTER DOMAIN email DROP CONSTRAINT at")
