"""a column that the models do not know

Differs from the models: table customers, column city is not expected
"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "start"


def upgrade() -> None:
    op.add_column("customers", sa.Column("city", sa.Text()))


def downgrade() -> None:
    op.drop_column("customers", "city")
