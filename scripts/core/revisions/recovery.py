"""Revisions that the database has applied and whose files this checkout lacks: found in git, or in the database."""

import ast
import hashlib
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import Connection

from scripts.core import git, git_objects, revision_files
from scripts.core.errors import UserError
from scripts.core.postgres import own_tables
from scripts.core.revisions import migration_log, recovered_files, source_table
from scripts.core.revisions.recovered_files import RecoveredFile

_SHA256 = re.compile(r"[0-9a-f]{64}")
DATABASE = "this database"


@dataclass(frozen=True)
class Recovered:
    """A revision, and all files of its source. Its own comes first."""

    revision: str
    applied: str
    """When and by whom, as a text."""
    files: list[RecoveredFile]


def find(connection: Connection) -> list[Recovered]:
    """Return every revision that lacks its file, with the files. Raise UserError if one is nowhere.

    A revision that was found may follow another one that is missing too.
    """
    files = (Path(path) for path in sorted(revision_files.source_files()) if path.endswith(".py"))
    declared = [_declared(path.read_bytes()) for path in files if path.is_file()]
    known = {revision for revision, _ in declared}
    wanted = [*own_tables.revisions(connection), *(one for _, before in declared for one in before)]
    found: list[Recovered] = []
    while missing := [one for one in wanted if one not in known]:
        found.append(_find(connection, missing[0]))
        known.add(missing[0])
        wanted += _declared(found[-1].files[0].content)[1]
    return found


def _find(connection: Connection, revision: str) -> Recovered:
    row = migration_log.logged(connection, revision)
    if row is None:
        raise _unrecoverable(revision, "The migration log has no checksum of that file, so no file can be recognised.")
    named = _named(row.sources, row.file_sha256, revision)
    in_git = _in_git({sha256 for _, sha256 in named})
    files = []
    for name, sha256 in named:
        place, content = in_git.get(sha256) or (None, _in_database(connection, sha256, name or revision))
        if content is None or not (name or place):
            why = (
                f"{name or 'That file'} is in no commit, and the database does not have it (MIGRATION_SOURCE in .env)."
            )
            raise _unrecoverable(revision, why)
        where = f"{git.where(place.commit[:12])}" if place else DATABASE
        files.append(RecoveredFile(name or str(place and place.path), content, where))
    return Recovered(revision, f"{row.direction} {row.started_at:%Y-%m-%d %H:%M %Z} by {row.run_by}", files)


def _unrecoverable(revision: str, why: str) -> UserError:
    place = git.find_revision(revision, revision_files.folders())
    checkout = f"git checkout {place.commit} -- {shlex.quote(place.path)}   (a file with that id)" if place else ""
    return UserError(
        f"The file of revision {revision} cannot be recovered.",
        why=why,
        do=checkout or f"get the file of {revision} from its author, or make stamp REV=<revision of this schema>",
    )


def _named(sources: str | None, own: str, revision: str) -> list[tuple[str, str]]:
    """Return names and checksums as the log has them, the revision's own first. An older log has no names."""
    if sources is None:
        return [("", own)]
    try:
        named = [(str(name), str(sha256)) for name, sha256 in json.loads(sources)]
    except (ValueError, TypeError) as error:
        raise _changed(f"the log's list of the files of {revision}") from error
    if not named or named[0][1] != own or not all(_SHA256.fullmatch(sha256) for _, sha256 in named):
        raise _changed(f"the log's list of the files of {revision}")
    return named


def _in_database(connection: Connection, sha256: str, name: str) -> bytes | None:
    try:
        return source_table.read(connection, sha256)
    except source_table.TamperedError as error:
        raise _changed(name) from error


def _changed(what: str) -> UserError:
    return UserError(
        f"The database does not have {what} as it was applied.",
        why="It was changed in the database after it was stored: its checksum is another one.",
        do="get the file from its author, or from a backup of this database",
    )


def _in_git(wanted: set[str]) -> dict[str, tuple[git_objects.Version, bytes]]:
    """Return the files with these checksums that git has, by checksum."""
    found: dict[str, tuple[git_objects.Version, bytes]] = {}
    for version, content in git_objects.contents(git_objects.versions(revision_files.all_folders())):
        sha256 = hashlib.sha256(content).hexdigest()
        if sha256 in wanted:
            found.setdefault(sha256, (version, content))
    return found


def missing_modules(content: bytes) -> list[str]:
    """Return the modules that a file imports and this checkout lacks. Nothing is imported for that."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return []
    names = [alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names]
    names += [str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) and not node.level]
    return sorted({name for name in names if recovered_files.lacks_module(name)})


def _declared(content: bytes) -> tuple[str, list[str]]:
    """Return the id of a revision and the ids before it, without running the file."""
    try:
        tree = ast.parse(content)
    except (SyntaxError, ValueError):
        return "", []
    values = dict(_assigned(tree))
    before = values.get("down_revision")
    listed = before if isinstance(before, tuple | list) else [before]
    return str(values.get("revision") or ""), [one for one in listed if isinstance(one, str)]


def _assigned(tree: ast.Module) -> Iterator[tuple[str, object]]:
    for node in tree.body:
        targets = (
            node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
        )
        for target in targets:
            if isinstance(target, ast.Name) and isinstance(node, ast.Assign | ast.AnnAssign) and node.value:
                try:
                    yield target.id, ast.literal_eval(node.value)
                except ValueError:
                    continue
