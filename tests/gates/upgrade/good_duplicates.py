"""no two customers with one address; those who share one are told apart first"""

import sqlalchemy as sa
from alembic import op

revision = "good_duplicates"
down_revision = "start"


def upgrade() -> None:
    op.execute("UPDATE customers SET email = '2.' || email WHERE id > 40")
    op.create_unique_constraint("uq_customers_email", "customers", ["email"])


def downgrade() -> None:
    op.drop_constraint("uq_customers_email", "customers")
    op.execute("UPDATE customers SET email = substr(email, 3) WHERE email LIKE '2.%'")


def change_models(customers: sa.Table, **_: sa.Table) -> None:
    customers.append_constraint(sa.UniqueConstraint("email"))
