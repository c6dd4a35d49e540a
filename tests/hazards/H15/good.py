"""customers without a name"""

import sqlalchemy as sa
from alembic import op

revision = "good"
down_revision = "shop"


def upgrade() -> None:
    op.get_bind().execute(sa.text("UPDATE customers SET name = 'none' WHERE id = 0"))


def downgrade() -> None:
    pass
