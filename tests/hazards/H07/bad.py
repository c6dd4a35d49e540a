"""short nicknames"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "shop"


def upgrade() -> None:
    op.execute("ALTER TABLE customers ALTER nickname TYPE varchar(10) USING nickname::varchar(10)")


def downgrade() -> None:
    op.alter_column("customers", "nickname", type_=sa.String(100))
