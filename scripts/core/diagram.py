"""The schema and the revisions as diagrams in Mermaid, which code hosts draw.

See "Entity Relationship Diagrams" and "Flowcharts" in Mermaid's documentation for the characters of a name.
"""

import re
from collections.abc import Collection, Iterator, Sequence

from alembic.script import Script
from alembic.util import to_tuple
from sqlalchemy import Column, Connection, MetaData, Table, inspect, text
from sqlalchemy.dialects import postgresql

from scripts.core.plan import shadow
from scripts.core.postgres import connections, own_tables, scratch
from scripts.core.postgres.user_tables import SCHEMA
from scripts.core.revisions.history import History
from scripts.core.settings import Settings

OURS = (".".join(filter(None, (own_tables.VERSION_SCHEMA, own_tables.VERSION_TABLE))), own_tables.LOG)
# SQLAlchemy's inspector also leaves out names that only begin with pg, such as pgboss.
_SCHEMAS = text(f"SELECT nspname FROM pg_namespace WHERE {SCHEMA} ORDER BY 1")
_POSTGRESQL = postgresql.dialect()  # type: ignore[no-untyped-call]
_NOT_IN_WORDS = re.compile(r"[^A-Za-z0-9_\u00c0-\uffff\-\[\]()]+")
_NOT_IN_NAMES = re.compile(r"[%\\]+")


def schemas(target: Settings, revisions: History, at: Sequence[str], head: str) -> tuple[MetaData, MetaData]:
    """Return the schema of the database's revision and that of the head. The scratch server builds both."""
    with scratch.session(target) as server:
        now = shadow.build(server, revisions, at)
        later = shadow.build(server, revisions, [head])
        return _reflected(now), _reflected(later)


def tables(now: MetaData, later: MetaData) -> str:
    """Return the schema at the head, in which pending changes are called new, changed or gone."""
    lines = ["erDiagram"]
    for name, table in sorted(later.tables.items()):
        lines += [f"    {_entity(name)} {{", *_columns(now.tables.get(name), table), "    }"]
    for name in sorted(now.tables.keys() - later.tables.keys()):
        lines += [f"    {_entity(name)} {{", '        gone gone "the table"', "    }"]
    return "\n".join([*lines, *sorted(set(_references(later)))])


def history(revisions: Sequence[Script], done: Collection[str]) -> str:
    """Return every revision after those that it follows. Pending revisions have a broken border."""
    lines = ["flowchart TD"]
    for found in revisions:
        lines.append(f"    r{found.revision}[{_quoted(f'{found.revision}<br>{_plain(found.doc)}')}]")
        lines += [f"    r{below} --> r{found.revision}" for below in to_tuple(found.down_revision, ())]
    pending = [f"r{found.revision}" for found in revisions if found.revision not in done]
    if pending:
        lines += [
            "    classDef pending stroke-dasharray: 5 5,stroke-width: 3px",
            f"    class {','.join(pending)} pending",
        ]
    return "\n".join(lines)


def _reflected(database: Settings) -> MetaData:
    with connections.connect(database) as connection:
        found = MetaData()
        for schema in _schemas(connection):
            found.reflect(connection, schema)
    for name in OURS:
        if name in found.tables:
            found.remove(found.tables[name])
    source = found.tables.get(own_tables.SOURCE)
    if source is not None and own_tables.SOURCE_COLUMN in source.columns:
        found.remove(source)
    return found


def _schemas(connection: Connection) -> Iterator[str | None]:
    """Yield the schemas; None for the one in which a name needs no schema."""
    default = inspect(connection).default_schema_name
    for name in connection.scalars(_SCHEMAS):
        yield None if name == default else name


def _columns(was: Table | None, table: Table) -> Iterator[str]:
    foreign = {column.name for key in table.foreign_key_constraints for column in key.columns}
    for column in table.columns:
        keys = ", ".join(["PK"] * column.primary_key + ["FK"] * (column.name in foreign))
        note = _note(None if was is None else was.columns.get(column.name), column)
        yield " ".join(filter(None, (f"        {_word(_type(column))} {_word(column.name)}", keys, note)))
    for column in was.columns if was is not None else ():
        if column.name not in table.columns:
            yield f'        {_word(_type(column))} {_word(column.name)} "gone"'


def _note(was: "Column[object] | None", now: "Column[object]") -> str:
    if was is None:
        return '"new"'
    same = _type(was) == _type(now) and was.nullable == now.nullable
    return "" if same else '"changed"'


def _type(column: "Column[object]") -> str:
    return column.type.compile(_POSTGRESQL).replace(" WITHOUT TIME ZONE", "").replace(" WITH TIME ZONE", "TZ")


def _references(schema: MetaData) -> Iterator[str]:
    for table in schema.tables.values():
        for key in table.foreign_key_constraints:
            one = "|o" if any(column.nullable for column in key.columns) else "||"
            label = _quoted(", ".join(column.name for column in key.columns))
            yield f"    {_entity(key.referred_table.fullname)} {one}--o{{ {_entity(table.fullname)} : {label}"


def _word(text: str) -> str:
    """Return the text with only letters, digits, - _ [ ] ( ), a letter first. It is no keyword for a key."""
    word = _NOT_IN_WORDS.sub("_", text).strip("_")
    return word if word[:1].isalpha() and word not in ("PK", "FK", "UK") else f"c_{word}"


def _entity(name: str) -> str:
    return _quoted(_NOT_IN_NAMES.sub("_", name))


def _quoted(text: str) -> str:
    return '"' + " ".join(text.replace('"', "'").split()) + '"'


def _plain(text: str) -> str:
    """Return a message without the markup of a label."""
    return " ".join(text.split()).replace("#", "#35;").replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
