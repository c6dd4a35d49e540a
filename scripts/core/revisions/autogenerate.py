"""Autogenerate's knowledge of PostgreSQL, corrected where it stops or writes something else than the models say.

Alembic uses the last class that is defined for a dialect.
"""

import re
from typing import Any

from alembic.ddl.postgresql import PostgresqlImpl
from sqlalchemy import ClauseElement, text
from sqlalchemy.exc import DBAPIError

from scripts.core.postgres import sql

_OWNS = text("""SELECT EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = objid AND s.relkind = 'S'
    JOIN pg_attribute ON (attrelid, attnum) = (refobjid, refobjsubid) JOIN pg_class t ON t.oid = attrelid
    JOIN pg_namespace n ON n.oid = t.relnamespace WHERE deptype = 'a' AND t.relname = :table AND attname = :column
    AND nspname = coalesce(:schema, current_schema()))""")
_PARAMETER = re.compile(r"(?<![:\w\\]):(?=\w)")
_CAST = re.compile(r"::[\w .\"]+(\[\])*\Z")


class CorrectedImpl(PostgresqlImpl):
    __dialect__ = "postgresql"

    def render_ddl_sql_expr(
        self, expr: ClauseElement, is_server_default: bool = False, is_index: bool = False, **options: Any
    ) -> str:
        """Return the text for sa.text(): the driver's doubled signs are single there, and :name has a backslash."""
        found = sql.sent(super().render_ddl_sql_expr(expr, is_server_default, is_index, **options))
        return found if is_index else _PARAMETER.sub(r"\\:", found)

    def autogen_column_reflect(self, inspector: Any, table: Any, column_info: dict[str, Any]) -> None:
        """Leave out the default of a serial column: it takes its values from a sequence that it owns.

        SQLAlchemy makes text() of what it reads, in which :name is a parameter.
        """
        for of, key in ((column_info, "default"), (column_info.get("computed") or {}, "sqltext")):
            if of.get(key):
                of[key] = _PARAMETER.sub(r"\\:", of[key])
        if not str(column_info.get("default") or "").startswith("nextval("):
            return
        name = {"schema": table.schema, "table": table.name, "column": column_info["name"]}
        with inspector._operation_context() as connection:
            if connection.scalar(_OWNS, name):
                del column_info["default"]

    def compare_server_default(self, inspector_column: Any, metadata_column: Any, wanted: Any, found: Any) -> bool:
        """Return whether defaults differ. PostgreSQL cannot compare all of them: some types have no such operator."""
        assert self.connection is not None
        tried = self.connection.begin_nested()
        try:
            differs = super().compare_server_default(  # type: ignore[no-untyped-call]
                inspector_column, metadata_column, wanted, found
            )
        except DBAPIError:
            tried.rollback()
            return _CAST.sub("", str(found)) != _CAST.sub("", str(wanted))
        tried.rollback()
        return bool(differs)
