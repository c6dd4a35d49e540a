"""report.json: the results of a verification. docs/verify-staging.md describes its names, which are a contract."""

import platform
from collections import Counter
from dataclasses import asdict, replace
from datetime import datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import alembic
from sqlalchemy import Connection, text

from scripts.core import git, revision_files
from scripts.core.plan import render
from scripts.core.plan.plan import Planned
from scripts.core.plan.trace import Statement
from scripts.core.postgres import connections, databases
from scripts.core.reports import FORMAT
from scripts.core.revisions import checksum, sources, sql_lines
from scripts.core.schema.compare import Difference, between
from scripts.core.settings import Settings
from scripts.core.verification import lock_durations
from scripts.core.verification import run as verification
from scripts.core.verification.context import Case, Result

LONGEST_SQL = 4000
"""Characters of a statement that are stored."""

_SETTINGS = text(
    "SELECT name, current_setting(name) AS value FROM pg_settings WHERE name IN ('fsync', 'synchronous_commit',"
    " 'full_page_writes', 'wal_level', 'shared_buffers', 'max_wal_size', 'maintenance_work_mem', 'work_mem',"
    " 'max_parallel_maintenance_workers') ORDER BY 1"
)


def make(
    case: Case, results: list[Result], environment: dict[str, str], started: datetime, seconds: float
) -> dict[str, Any]:
    """Return the document. It has no contents of rows, except keys."""
    verdict, reason = verification.verdict(results)
    return {
        "format": FORMAT,
        "verdict": verdict,
        "reason": reason,
        "started_at": started.isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "database": databases.name_of(case.target.database_url),
        "cluster": case.cluster,
        "from": case.at,
        "to": case.wanted,
        "backup": _backup(case),
        "gates": [asdict(result) | {"seconds": round(result.seconds, 2)} for result in results],
        "revisions": [_revision(case, number) for number in range(len(case.pending))],
        "locks": [asdict(bar) for bar in lock_durations.bars(case)],
        "schema": [_difference(one) for one in _changes(case)],
        "data": [asdict(one) for one in case.comparisons],
        "estimate": dict(case.facts),
        "environment": environment,
    }


def _backup(case: Case) -> dict[str, Any] | None:
    if case.backup is None:
        return None
    found = case.backup.manifest
    counted = {"tables": len(found.tables), "rows": found.rows, "bytes": found.bytes, "excluded": found.excluded}
    return {"name": case.backup.name, "created_at": found.created_at, "environment": found.environment, **counted}


def _revision(case: Case, number: int) -> dict[str, Any]:
    script = case.pending[number]
    path = Path(script.path)
    timed = next((one for one in case.timed if one.revision == script.revision), None)
    planned = next((one for one in case.planned if one.revision == script.revision), None)
    file_sum, source_sum = checksum.sums(path)
    return {
        "revision": script.revision,
        "message": script.doc,
        "file": revision_files.shown(path),
        "author": planned.author if planned else None,
        "file_sha256": file_sum,
        "source_sha256": source_sum,
        "files": sources.sums(planned.others) if planned else [],
        "applied": timed is not None,
        "seconds": round(timed.seconds, 4) if timed else None,
        "grew": timed.grew if timed else None,
        "wal": timed.wal if timed else None,
        "statements": _statements(planned) if planned else [],
        "findings": [asdict(one) | _file(one.line, planned) for one in planned.findings] if planned else [],
    }


def _statements(planned: Planned) -> list[dict[str, Any]]:
    """Return the statements. A statement that a loop repeats appears once, with the number of times it ran."""
    together = groupby(planned.statements, key=lambda one: (one.line, one.sql, one.scans, one.rewrites))
    return [_statement(list(same)) | _file(line, planned) for (line, *_), same in together]


def _file(line: int, planned: Planned) -> dict[str, str]:
    return {"file": sql_lines.file(line, planned.file)}


def _statement(same: list[Statement]) -> dict[str, Any]:
    first, last = same[0], same[-1]
    written = sum((Counter(one.rows_written) for one in same), Counter())
    locks = [lock for one in same for lock in one.locks]
    return {
        "sql": first.sql if len(first.sql) <= LONGEST_SQL else first.sql[:LONGEST_SQL] + " …",
        "line": first.line,
        "count": sum(one.executions for one in same),
        "began": round(first.began, 4),
        "seconds": round(sum(one.seconds for one in same), 4),
        "held": round(last.began + last.held - first.began, 4),
        "alone": first.alone,
        "locks": locks,
        "rewrites": first.rewrites,
        "scans": first.scans,
        "rows_written": written,
        "effects": render.effects(replace(first, locks=locks, rows_written=written)),
    }


def _changes(case: Case) -> list[Difference]:
    """Return the changes of the schema by the migration."""
    if case.schema is None or case.migrated_schema is None:
        return []
    return between(case.schema, case.migrated_schema)


def _difference(one: Difference) -> dict[str, Any]:
    return {"name": one.name, "kind": one.kind, "before": one.expected, "after": one.found}


def environment(target: Settings, server: Connection) -> dict[str, str]:
    """Return the conditions of the run. They are read before the gates, because the server may stop during them."""
    limits = target.limits
    return {
        "Scratch server": connections.describe(server),
        **{row.name: row.value for row in server.execute(_SETTINGS)},
        "MAX_BLOCK_MS": f"{limits.max_block * 1000:g}",
        "MAX_SECONDS": f"{limits.max_seconds:g}",
        "STATEMENT_TIMEOUT": f"{limits.statement_timeout:g}",
        "HASH_MB": f"{limits.hash_bytes / 1024 / 1024:g}",
        "MAINTENANCE_WINDOW": limits.maintenance_window or "always",
        "Python": platform.python_version(),
        "Alembic": alembic.__version__,
        "Code": target.values.get("GIT_COMMIT") or git.commit() or "unknown",
    }
