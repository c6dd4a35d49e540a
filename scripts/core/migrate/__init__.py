"""The runner behind alembic/env.py: guards, retries, transactions, and the report of a failed step."""
