"""What a rollback takes away, kept as SQL that puts it back once the revisions are applied again.

It is psql's: one transaction, which ends at the first error.
"""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import BinaryIO

from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError

from scripts.core import ROOT, databases, give_back, postgres, rows, settings
from scripts.core.backups import archive, contents, manifest
from scripts.core.errors import UserError
from scripts.core.give_back import KEPT, Piece
from scripts.core.losses import Loss
from scripts.core.settings import Settings

# The styles are those that `rows.pin` makes PostgreSQL write in.
_HEAD = r"""-- What a rollback took from {database}. It comes back by: {command}
\set ON_ERROR_STOP on
SET client_encoding = 'UTF8';
SET DateStyle = ISO, MDY;
SET IntervalStyle = postgres;
BEGIN;
"""


def keep(target: Settings, lost: Sequence[Loss]) -> Path | None:
    """Write down what goes, in the folder of the backups; None where nothing does. The target is only read.

    Raises UserError when it cannot be read or written; then nothing is left of it.
    """
    going: dict[str, list[Loss]] = {}
    for loss in lost:
        if loss.count:
            going.setdefault(loss.relation, []).append(loss)
    if not going:
        return None
    database, folder = databases.name_of(target.database_url), settings.backups().folder
    kept = folder / archive.name(database, datetime.now(UTC), "lost")
    try:
        with archive.partial(folder) as made, contents.snapshot(target, "alembic-lost") as snapshot:
            with (made / archive.LOST).open("wb") as file:
                file.write(_HEAD.format(database=database, command=command(kept)).encode())
                _write(snapshot, going, file)
                file.write(b"COMMIT;\n")
                file.flush()
                os.fsync(file.fileno())
            manifest.sync(made)
            made.rename(kept)
            manifest.sync(folder)
    except DBAPIError as error:
        raise UserError(
            f"What would be lost cannot be kept: {postgres.first_line(error)}", do="mend that, then run this again"
        ) from error
    return kept


def command(kept: Path) -> str:
    """What brings it back, to be typed."""
    file = kept / archive.LOST
    return f"make migrate, then make psql c=\"\\i '{file.relative_to(ROOT) if file.is_relative_to(ROOT) else file}'\""


def _write(snapshot: Connection, going: dict[str, list[Loss]], file: BinaryIO) -> None:
    """Whole rows first, then the values of single columns, which may reference them."""
    rows.pin(snapshot)
    whole = [name for name, losses in going.items() if any(loss.column is None for loss in losses)]
    for relation in [*give_back.in_order(snapshot, whole), *(name for name in going if name not in whole)]:
        columns = [] if relation in whole else [str(loss.column) for loss in going[relation]]
        for part in give_back.parts(snapshot, relation):
            if part.relkind != "S":
                piece = give_back.values(part, columns) if columns else give_back.whole_rows(part)
                _write_piece(snapshot, piece, file)
            for statement in give_back.sequences(snapshot, part):
                _write_line(file, f"{statement};")


def _write_piece(snapshot: Connection, piece: Piece, file: BinaryIO) -> None:
    _write_line(file, f"CREATE TEMPORARY TABLE {KEPT} AS {piece.query} WITH NO DATA;")
    _write_line(file, f"COPY {KEPT} FROM stdin;")
    postgres.copy_out(snapshot, piece.query, file)
    _write_line(file, r"\.")
    for statement in piece.back:
        _write_line(file, f"{statement};")
    _write_line(file, f"DROP TABLE {KEPT};")


def _write_line(file: BinaryIO, line: str) -> None:
    file.write(line.encode() + b"\n")
