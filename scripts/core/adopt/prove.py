"""The proof of an adopted project: its revisions run from empty, and make what its own env.py makes."""

import json
import shutil
from dataclasses import dataclass, field, replace
from pathlib import Path

from sqlalchemy.engine import URL

from scripts.core import ROOT, subprocesses
from scripts.core.adopt import recorded
from scripts.core.adopt.adoption import Adoption
from scripts.core.adopt.recorded import DEADLINE
from scripts.core.errors import UserError
from scripts.core.models import compare as models
from scripts.core.models import write
from scripts.core.models.compare import ModelComparison
from scripts.core.plan import shadow
from scripts.core.postgres import rights, scratch, templates
from scripts.core.revisions import history, naming
from scripts.core.schema import compare as schemas
from scripts.core.settings import Settings


@dataclass(frozen=True)
class Proof:
    revisions: int
    heads: list[str]
    tables: int
    differences: list[str] = field(default_factory=list)
    """What our schema has in another form than that of the project's own env.py."""
    against_models: list[str] = field(default_factory=list)
    """What models and revision files have in another form, to be read."""
    acceptable: list[str] = field(default_factory=list)
    """The same, by which it is known again, and the defaults that the models do not state: a revision drops them."""
    exceptions: str = ""
    """What the comparison with the models leaves out."""


def prove(settings: Settings, template: str = "") -> Proof:
    """Return the proof for this checkout. `template`: a database on the scratch server, made by the own env.py.

    The target is not used. Raise UserError if a revision fails, or if the models cannot be imported.
    """
    patient = replace(settings, limits=replace(settings.limits, plan_deadline=DEADLINE.seconds))
    naming.fetch()  # once, before a child is forked
    revisions = history.load()
    heads = list(revisions.get_heads())
    with scratch.session(patient, rights.default(patient)) as server:
        built = scratch.as_administrator(server, shadow.build(server, revisions, heads))
        schema = schemas.read(built)
        found = []
        if template:
            original = scratch.as_administrator(server, templates.copied(server, lambda: template))
            found = [one.line for one in schemas.compare(server, original, built) if one.kind == "structure"]
    compared = models.at_head(settings, revisions) if len(heads) == 1 else ModelComparison()
    tables = sum(name.startswith("table ") and ", " not in name for name in schema.objects)
    number = len(list(revisions.walk_revisions()))
    return Proof(number, heads, tables, found, compared.lines, write.acceptable(compared), compared.exceptions)


def prove_prepared(settings: Settings, adoption: Adoption, scratch: URL, work: Path) -> Proof:
    """Run the proof in a checkout with the changes, by the Python that has the packages.

    `scratch`: the administrator's login on the scratch server. Raise UserError with what fails.
    """
    checkout = work / "checkout"
    shutil.rmtree(checkout, ignore_errors=True)
    for name in ("scripts", "alembic"):
        ignored = shutil.ignore_patterns("__pycache__", "versions")
        shutil.copytree((ROOT / name).resolve(), checkout / name, ignore=ignored, symlinks=False)
    for name in ("alembic.ini", "pyproject.toml"):
        shutil.copy2(ROOT / name, checkout / name)
    shutil.copytree(adoption.changes.prepared, checkout, dirs_exist_ok=True, symlinks=True)
    answer = work / "proof.json"
    environment = {**_environment(settings, adoption, scratch), "HOME": str(work / recorded.HOME)}
    words = ["-m", "scripts.adopt", f"--original={adoption.recorded.template}", f"--proof={answer}"]
    said = subprocesses.captured([str(adoption.python), *words], checkout, environment)
    if not answer.exists():
        raise UserError(
            f"The project does not work here as it did:\n{_indented(said.text)}",
            why="The proof ran in a copy of this checkout, before anything changed.",
            do="correct in the project what the lines above name, then run this again",
        )
    return Proof(**json.loads(answer.read_text(encoding="utf-8")))


def _environment(settings: Settings, adoption: Adoption, scratch: URL) -> dict[str, str]:
    """Return the variables of the proof: the scratch server, the project's variables, and no target."""
    target = (
        "DATABASE_URL",
        "MIGRATION_DATABASE_URL",
        "APP_DB_USER",
        "APP_DB_PASSWORD",
        "PYTHONPATH",
        "POSTGRES_PASSWORD_FILE",
    )
    return {
        **adoption.variables,
        **dict.fromkeys(target, ""),
        "PYTHONDONTWRITEBYTECODE": "1",
        "APP_ENV": "development",
        "APP_DRIVER": adoption.driver,
        "RUNTIME": "none",
        "POSTGRES_HOST": str(scratch.host),
        "POSTGRES_PORT": str(scratch.port),
        "POSTGRES_USER": str(settings.database_url.username),
        "POSTGRES_PASSWORD": "none",
        "POSTGRES_DB": "none",
        "SCRATCH_HOST": str(scratch.host),
        "SCRATCH_PORT": str(scratch.port),
        "SCRATCH_USER": str(scratch.username),
        "SCRATCH_PASSWORD": str(scratch.password or ""),
        "LOG_DIR": "",
    }


def _indented(text: str) -> str:
    return "\n".join(f"    {line}" for line in text.strip().splitlines()[-30:])
