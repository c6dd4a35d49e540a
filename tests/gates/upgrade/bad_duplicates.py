"""no two customers with one address

could not create unique index "uq_customers_email"
The statement fails for 20 rows of customers.
Their keys (id): 1; 2; 3; 4; 5 …
"""

from alembic import op

revision = "bad_duplicates"
down_revision = "start"


def upgrade() -> None:
    op.create_unique_constraint("uq_customers_email", "customers", ["email"])


def downgrade() -> None:
    op.drop_constraint("uq_customers_email", "customers")
