"""allow longer nicknames"""

import sqlalchemy as sa
from alembic import op

revision = "good_wider"
down_revision = "shop"


def upgrade() -> None:
    op.alter_column("customers", "nickname", type_=sa.String(200))


def downgrade() -> None:
    op.execute("UPDATE customers SET nickname = left(nickname, 100) WHERE id BETWEEN 1 AND 100")
    op.alter_column("customers", "nickname", type_=sa.String(100))
