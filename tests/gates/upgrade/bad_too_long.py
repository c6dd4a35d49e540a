"""shorter phone numbers

value too long for type character varying(20)
The statement fails for 2 rows of customers.
Their keys (id): 25; 50
"""

import sqlalchemy as sa
from alembic import op

revision = "bad_too_long"
down_revision = "start"


def upgrade() -> None:
    op.alter_column("customers", "phone", type_=sa.String(20))


def downgrade() -> None:
    op.alter_column("customers", "phone", type_=sa.String(40))
