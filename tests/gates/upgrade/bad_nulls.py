"""every customer has a name

column "name" of relation "customers" contains null values
The statement fails for 5 rows of customers.
Their keys (id): 10; 20; 30; 40; 50
"""

from alembic import op

revision = "bad_nulls"
down_revision = "start"


def upgrade() -> None:
    op.alter_column("customers", "name", nullable=False)


def downgrade() -> None:
    op.alter_column("customers", "name", nullable=True)
