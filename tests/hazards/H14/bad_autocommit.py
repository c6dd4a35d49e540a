"""every statement by itself"""

from typing import Any

from alembic import op

revision = "bad_autocommit"
down_revision = "shop"


def upgrade() -> None:
    driver: Any = op.get_bind().connection.dbapi_connection
    driver.commit()
    driver.autocommit = True
    op.execute("ALTER TABLE orders ADD COLUMN IF NOT EXISTS note text")


def downgrade() -> None:
    op.drop_column("orders", "note")
