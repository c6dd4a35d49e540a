"""All checks, in the order in which they are shown: a fault often explains those below it."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from scripts.core.doctor import backups, configuration, database, diagnosis, leftovers, revisions, runtime, servers
from scripts.core.doctor.diagnosis import NOT_CHECKED, WRONG, Diagnosis
from scripts.core.doctor.facts import Facts

Examination = Callable[[Facts], str]

CHECKS: Mapping[str, Examination] = {
    "settings": configuration.read,
    "configuration": configuration.files,
    "secrets": configuration.secrets,
    "line-ends": configuration.line_ends,
    "place": runtime.data,
    "worktree": runtime.worktree,
    "packages": runtime.packages,
    "engine": runtime.on_host,
    "images": runtime.on_host,
    "ports": runtime.ports,
    "disk": runtime.disk,
    "server": servers.answers,
    "scratch-server": servers.scratch,
    "passwords": servers.passwords,
    "pooler": servers.pooler,
    "versions": servers.versions,
    "clock": servers.clock,
    "database": database.exists,
    "roles": database.owner,
    "rights": database.rights,
    "extensions": database.extensions,
    "environment": database.environment,
    "version-table": database.version_table,
    "revision-files": revisions.files,
    "heads": revisions.heads,
    "missing-files": revisions.missing,
    "edited-files": revisions.edited,
    "uncommitted-files": revisions.uncommitted,
    "never-ran": revisions.never_ran,
    "unfinished-rollback": revisions.rollback,
    "models-imported": revisions.imported,
    "models-match": revisions.matched,
    "invalid-indexes": database.indexes,
    "constraints": database.constraints,
    "backups": backups.taken,
    "verified-backups": backups.verified,
    "throwaway-databases": leftovers.throwaway,
    "unfinished-databases": leftovers.unfinished,
    "replaced-databases": leftovers.replaced,
    "temporary-files": leftovers.files,
}
WIDTH = max(map(len, CHECKS))


def examine(facts: Facts) -> Iterator[Diagnosis]:
    """Yield what each check says. The host may have found a fault, or what cannot be seen from here."""
    for name, check in CHECKS.items():
        host, here = facts.host.get(name), diagnosis.diagnosed(name, partial(check, facts))
        yield host if host and (host.state == WRONG or here.state == NOT_CHECKED) else here
