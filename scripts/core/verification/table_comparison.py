"""Compare a table's contents in two copies: read completely, or in the same ranges of its key."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from sqlalchemy import Connection

from scripts.core.formatting import counted
from scripts.core.postgres.sql import Sql, compose
from scripts.core.rows import content_hash
from scripts.core.rows.content_hash import Contents, Table
from scripts.core.rows.key_ranges import Ranges

AS_PRINTED = Sql('::text COLLATE "C"')


@dataclass(frozen=True)
class Comparison:
    rows: int
    """Rows that the table has now."""
    changed: list[int]
    """Columns with other contents, by their numbers before."""
    hashed: int
    """Rows before whose contents were compared."""


def compare(was: Contents, now: Table, columns: Mapping[int, int], before: Connection, after: Connection) -> Comparison:
    """Compare a table. `columns`: the number before and the one now of each remaining column. Both sessions are pinned.

    A column of another type is compared as text. If the key has changed, the whole table is read.
    """
    ranges = _same_ranges(was, now, columns)
    is_as_before = was.ranges is None or ranges is not None
    same_type = [
        number for number in was.table.columns if number in columns and _is_same_type(was, now, number, columns)
    ]
    if is_as_before and len(same_type) == len(was.table.columns):
        found = content_hash.hashed(
            after, now.name, content_hash.whole(now.columns[columns[number]] for number in same_type), ranges
        )
        if found == was.hash:
            return Comparison(_rows(after, now, found, ranges), [], found[0])
    common = [number for number in was.table.columns if number in columns]
    casts = [Sql() if number in same_type else AS_PRINTED for number in common]
    old = [compose("ROW({}{})", was.table.columns[one].name, cast) for one, cast in zip(common, casts, strict=True)]
    new = [compose("ROW({}{})", now.columns[columns[one]].name, cast) for one, cast in zip(common, casts, strict=True)]
    hash_before = content_hash.hashed(before, was.table.name, old, was.ranges if ranges else None)
    hash_after = content_hash.hashed(after, now.name, new, ranges)
    pairs = zip(common, hash_before[1:], hash_after[1:], strict=True)
    changed = [number for number, one, other in pairs if one != other]
    return Comparison(_rows(after, now, hash_after, ranges), changed, hash_before[0])


def extent(was: Contents, found: Comparison) -> str:
    """Return which rows of a table above the limit were compared; nothing for other tables."""
    if was.ranges is None:
        return ""
    if found.hashed != was.hash[0]:
        return "compared completely, because its key has changed"
    return f"{found.hashed:,} of {counted(was.rows, 'row')} compared, in ranges of {', '.join(was.ranges.key)}"


def _same_ranges(was: Contents, now: Table, columns: Mapping[int, int]) -> Ranges | None:
    """Return the ranges as the table has them now; None without ranges, or if the key has changed."""
    key = tuple(columns.get(number, 0) for number in was.table.key)
    is_same = key == now.key and all(_is_same_type(was, now, number, columns) for number in was.table.key)
    if was.ranges is None or not is_same:
        return None
    return replace(was.ranges, key=tuple(now.columns[number].name for number in key))


def _is_same_type(was: Contents, now: Table, number: int, columns: Mapping[int, int]) -> bool:
    old, new = was.table.columns[number], now.columns[columns[number]]
    return (old.type_number, old.collation) == (new.type_number, new.collation)


def _rows(after: Connection, now: Table, found: content_hash.Hash, ranges: Ranges | None) -> int:
    return content_hash.count(after, now.name) if ranges else found[0]
