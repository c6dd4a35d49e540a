"""The schema of the files, built once"""

from collections.abc import Callable, Iterator
from dataclasses import replace

import pytest
from sqlalchemy import text

from scripts.core import files_read, revision_files
from scripts.core.plan import shadow
from scripts.core.postgres import connections, databases, scratch, templates, trial
from scripts.core.postgres.scratch import Scratch
from scripts.core.revisions import history, naming
from scripts.core.revisions.naming import Convention
from scripts.core.settings import Settings
from tests.conftest import Project


@pytest.fixture
def throwaway(configured: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Scratch]:
    """A scratch server whose shadows are this test's own."""
    with scratch.session(configured) as server:
        own = text(f"SELECT 'own {server.key}'")
        monkeypatch.setattr(templates, "_SERVER", own)
        before = templates.find(server, shadow.KIND)
        yield server
        for name in templates.find(server, shadow.KIND).keys() - before.keys():
            databases.drop(server.server, name)


def tables(target: Settings) -> set[str]:
    with connections.connect(target) as connection:
        return set(connection.scalars(text("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")))


def version(target: Settings) -> tuple[str, ...]:
    with connections.connect(target) as connection:
        return history.current(connection)


@pytest.fixture
def ran(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The revisions up to which an upgrade was run."""
    run: Callable[..., object] = trial.run
    ran: list[str] = []

    def record(
        server: Scratch, made: Settings, function: object, at: list[str], *rest: object, **more: object
    ) -> object:
        ran.extend(at)
        return run(server, made, function, at, *rest, **more)

    monkeypatch.setattr(trial, "run", record)
    return ran


def test_a_shadow_has_the_schema_of_the_files_up_to_its_revision(throwaway: Scratch, revisions: list[str]) -> None:
    files = history.load()

    nothing, first, head = [shadow.build(throwaway, files, at) for at in ([], revisions[:1], revisions[-1:])]

    assert tables(nothing) == set()
    assert tables(first) == {"alembic_version", "migration_log", "users"}
    assert tables(head) > tables(first)
    assert version(head) == (revisions[-1],)


def test_the_next_time_nothing_is_run(throwaway: Scratch, revisions: list[str], ran: list[str]) -> None:
    made = [shadow.build(throwaway, history.load(), revisions[-1:]) for _ in range(2)]

    assert made[0] != made[1]
    assert version(made[1]) == (revisions[-1],)
    assert ran == revisions[-1:]


def test_a_newer_shadow_is_made_from_the_older_one(
    throwaway: Scratch, revisions: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    files = history.load()
    shadow.build(throwaway, files, revisions[:1])
    templates: list[str] = []
    create = scratch.create

    def record(on: Scratch, template: str = "template0") -> Settings:
        templates.append(template)
        return create(on, template)

    monkeypatch.setattr(scratch, "create", record)

    shadow.build(throwaway, files, revisions[-1:])

    assert [template.partition("_")[0] for template in templates] == ["shadow", "shadow"]
    assert templates[0] != templates[1]


def test_another_file_is_another_shadow(throwaway: Scratch, revisions: list[str]) -> None:
    files = history.load()

    keys, again, elsewhere = [shadow._keys(files, name) for name in ("17", "17", "18")]

    assert keys == again
    assert len(set(keys.values()) | set(elsewhere.values())) == 2 * len(revisions)


def test_only_so_many_are_kept(throwaway: Scratch, revisions: list[str], monkeypatch: pytest.MonkeyPatch) -> None:
    dropped: list[str] = []
    monkeypatch.setattr(shadow, "MOST_SHADOWS", 1)
    monkeypatch.setattr(databases, "drop", lambda _server, name: dropped.append(name))

    shadow.build(throwaway, history.load(), revisions[:1])

    assert len(dropped) == len(set(dropped))
    assert all(name.startswith("shadow_") for name in dropped)


@pytest.fixture
def copied(project: Project, monkeypatch: pytest.MonkeyPatch) -> Project:
    """The checkout is a copy."""
    for module in (revision_files, files_read):
        monkeypatch.setattr(module, "ROOT", project.path)
    return project


def test_a_file_that_a_revision_reads_belongs_to_the_shadow(
    copied: Project, throwaway: Scratch, revisions: list[str], ran: list[str]
) -> None:
    project = copied
    words = f"op.execute('CREATE TABLE ' + open('{project.path}/alembic/name.txt').read() + ' ()')"
    project.write_revision("abcd01", revisions[-1], words)
    found = []
    for name in ("one", "one", "two", "one"):
        (project.path / "alembic" / "name.txt").write_text(name)
        found.append(tables(shadow.build(throwaway, history.load(), ["abcd01"])) & {"one", "two"})

    assert found == [{"one"}, {"one"}, {"two"}, {"one"}]
    assert ran == ["abcd01", "abcd01"]
    project.write_revision("abcd02", "abcd01", "op.execute('CREATE TABLE three ()')")
    assert tables(shadow.build(throwaway, history.load(), ["abcd02"])) >= {"one", "three"}
    (project.path / "alembic" / "name.txt").write_text("two")
    assert tables(shadow.build(throwaway, history.load(), ["abcd02"])) >= {"two", "three"}


def test_the_convention_and_the_packages_belong_to_the_shadow(
    throwaway: Scratch, revisions: list[str], monkeypatch: pytest.MonkeyPatch, ran: list[str]
) -> None:
    files = history.load()
    for name, value in (("naming", Convention()), ("packages", ["alembic-0.1.dist-info"])):
        place = (naming, "fetch") if name == "naming" else (files_read, name)
        monkeypatch.setattr(*place, lambda value=value: value)
        shadow.build(throwaway, files, revisions[:1])

    assert ran == revisions[:1] * 2


def test_the_extensions_that_only_the_target_has_belong_to_a_partial_shadow(
    throwaway: Scratch, revisions: list[str], ran: list[str]
) -> None:
    known = replace(throwaway.rights, extensions=(), offered=("plpgsql",))
    for rights in (
        replace(known, extensions=None),
        known,
        replace(known, offered=()),
        replace(known, offered=("plpgsql", "only_there")),
    ):
        throwaway.rights = rights
        shadow.build(throwaway, history.load(), revisions[:1], partial=True)

    assert ran == revisions[:1] * 3
