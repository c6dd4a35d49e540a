"""change a type where no linter looks"""

from alembic import op

revision = "bad_do"
down_revision = "shop"


def upgrade() -> None:
    op.execute("DO $$ BEGIN EXECUTE 'ALTER TABLE or' || 'ders ALTER placed TYPE date'; END $$")


def downgrade() -> None:
    op.execute("ALTER TABLE orders ALTER placed TYPE timestamptz")
