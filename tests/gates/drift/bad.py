"""a column that the models do not know

Differs from the models: column customers.city is not in the models
"""

import sqlalchemy as sa
from alembic import op

revision = "bad"
down_revision = "start"


def upgrade() -> None:
    op.add_column("customers", sa.Column("city", sa.Text()))


def downgrade() -> None:
    op.drop_column("customers", "city")
