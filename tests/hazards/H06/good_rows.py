"""a row that the application needs"""

from alembic import op

revision = "good_rows"
down_revision = "shop"


def upgrade() -> None:
    op.execute("INSERT INTO customers (name) VALUES ('nobody')")


def downgrade() -> None:
    pass
