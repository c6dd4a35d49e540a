"""All checks, in the order in which they are shown: a fault often explains those below it."""

from collections.abc import Callable, Iterator, Mapping
from functools import partial

from scripts.core.doctor import configuration, database, diagnosis, revisions, servers
from scripts.core.doctor.diagnosis import WRONG, Diagnosis
from scripts.core.doctor.facts import Facts

Examination = Callable[[Facts], str]

CHECKS: Mapping[str, Examination] = {
    "settings": configuration.read,
    "server": servers.answers,
    "passwords": servers.passwords,
    "environment": database.environment,
    "heads": revisions.heads,
}


WIDTH = max(map(len, CHECKS))


def examine(facts: Facts) -> Iterator[Diagnosis]:
    """Yield what each check says. A fault that the host has found comes before what is seen from here."""
    for name, check in CHECKS.items():
        seen = facts.host.get(name)
        yield seen if seen and seen.state == WRONG else diagnosis.diagnosed(name, partial(check, facts))
