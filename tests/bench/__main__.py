"""Compare the speed of the make targets with their peers, in pairs: ours, the peer's, ours, ...

    make bench

A ratio is the median over the pairs, so that a machine whose speed drifts does not decide. Needs `make up` before.
Revisions run on the embedded scratch server, in both runtimes.
"""

import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from sqlalchemy import text

from scripts.core import settings, subprocesses
from scripts.core.cli import console, entry_point
from scripts.core.postgres import connections, databases, embedded, rights, schema_copy, scratch, templates, wheel
from scripts.core.postgres.scratch import Scratch
from scripts.core.reports import store
from scripts.core.schema import fingerprint
from scripts.core.settings import Settings
from tests.bench import dumps, large_report, peers, verification, written
from tests.bench.verification import Example

PAIRS, LONG_PAIRS = 7, 3
ALEMBIC = {
    "docker": ("docker", "compose", "exec", "-T", "app", "alembic", "upgrade", "head"),
    "embedded": (".venv/bin/alembic", "upgrade", "head"),
}
GOALS = {"docker": 1.3, "embedded": 1.4}
"""Of `make migrate` with nothing to do, against the above."""
HELD = 10.0
"""Seconds for which a transaction holds what a migration wants."""
READERS = 4


@dataclass(frozen=True)
class Race:
    """One of our commands against a peer's; or against the clock, where there is none."""

    name: str
    ours: Callable[[], float]
    """Runs it; returns its seconds."""
    goal: float
    """At most so many times the peer's time, or so many seconds."""
    peer_name: str = ""
    peer: Callable[[], float] | None = None
    pairs: int = PAIRS
    warm: bool = True
    """Both run once before the pairs."""


def main(argv: Sequence[str] | None = None) -> int:
    entry_point.parser(__doc__, "tests.bench").parse_args(argv)

    target = settings.load()
    console.say(f"RUNTIME={target.runtime}, pairs of whole processes, medians")
    for race in targets(target.runtime):
        console.say(line(race))
    staging(Example())
    with scratch.session(replace(target, runtime="embedded"), rights.default(target)) as server:
        for number in (1, 1000):
            upgrades(server, number)
        durable_upgrades(target, 1000)
        for number in (1, 4):
            waits(server, number, HELD)
        fingerprints(server, 500)
        plans(server, 5, 200)
        copies(server, 100)
        loops(server, 10_000)
        lints(server, 100)
        for tables, before in ((1, 1), (100, 1), (1, 1000)):
            revisions(server, tables, before)
        stamps(server, 1000)
        shadows(server, 1000)
        backups(server, 500)
        reports(server, 50)
        hashes(server, 2_000_000)
        verifications(server, 500)
    return 0


def targets(runtime: str) -> list[Race]:
    """The make targets, as their user waits for them."""
    alembic = ALEMBIC[runtime]
    return [
        Race("make migrate", timed("make", "migrate"), GOALS[runtime], " ".join(alembic), timed(*alembic)),
        Race("make up", timed("make", "up"), 4),
        Race("make help", timed("make", "help"), 0.2),
    ]


def staging(example: Example) -> None:
    """`make verify-staging` of the application here."""
    console.say(line(Race("make verify-staging", example.verify, 3, pairs=LONG_PAIRS)))
    console.say(shares(example.gates))


def timed(*words: str) -> Callable[[], float]:
    return partial(subprocesses.seconds, words)


def upgrades(server: Scratch, number: int) -> None:
    """So many revisions onto an empty database, and then once more."""
    with peers.checkouts([f"CREATE TABLE t{n} (id int)" for n in range(number)]) as both:
        ours, raw = peers.database(server), peers.database(server)
        empty = Race(
            f"{number} revisions",
            lambda: peers.upgrade(both.ours, peers.database(server)),
            1.15,
            "alembic upgrade head",
            lambda: peers.upgrade(both.raw, peers.database(server)),
            LONG_PAIRS,
            warm=False,
        )
        if number > 1:
            console.say(line(empty))
        peers.upgrade(both.ours, ours)
        peers.upgrade(both.raw, raw)
        nothing = Race(
            f"nothing to do, {number} revisions",
            lambda: peers.upgrade(both.ours, ours),
            1.2,
            "alembic upgrade head",
            lambda: peers.upgrade(both.raw, raw),
        )
        console.say(line(nothing))


def durable_upgrades(target: Settings, number: int) -> None:
    """So many revisions onto an empty database of a server that brings each commit onto the disk."""
    with tempfile.TemporaryDirectory() as folder:
        wheel.give(Path(folder))
        cluster = replace(embedded.scratch(), name="durable", settings=(), home=Path(folder))
        url = embedded.start_scratch(cluster)
        login = {"HOST": url.host, "PORT": url.port, "USER": url.username, "PASSWORD": url.password}
        values = {**target.values, **{f"SCRATCH_{name}": str(value) for name, value in login.items()}}
        try:
            with scratch.session(replace(target, values=values), rights.default(target)) as server:
                console.say("On a durable server:")
                upgrades(server, number)
        finally:
            embedded.stop(cluster)


def plans(server: Scratch, number: int, tables: int) -> None:
    """`make plan` of so many revisions on a schema of so many tables."""
    target = peers.database(server)
    peers.make_tables(target, tables)
    with peers.checkouts([f"ALTER TABLE t{n} ADD COLUMN note text" for n in range(1, number + 1)]) as both:
        name = f"plan of {number} revisions, {tables} tables"
        console.say(line(Race(name, lambda: peers.plan(both.ours, target), 5, pairs=LONG_PAIRS)))


def copies(server: Scratch, tables: int) -> None:
    """What a pending revision adds to `make plan` on so many tables, with and without a kept copy of their schema."""
    pending, done = (peers.database(server) for _ in range(2))
    with peers.checkouts(["ALTER TABLE t1 ADD COLUMN note text"]) as both:
        for target in (pending, done):
            peers.make_tables(target, tables)
            peers.make_others(target, tables // 10)
        peers.upgrade(both.ours, done)

        def added() -> float:
            return peers.plan(both.ours, pending) - peers.plan(both.ours, done)

        def added_to_the_first() -> float:
            for name in templates.find(server, schema_copy.KIND):
                databases.drop(server.server, name)
            return added()

        for which, goal, ours in (("kept", 1.5, added), ("new", 3, added_to_the_first)):
            name = f"plan of {tables} tables adds, {which} copy"
            console.say(line(Race(name, ours, goal, pairs=LONG_PAIRS, warm=which == "kept")))


def loops(server: Scratch, number: int) -> None:
    """`make plan` of a revision that executes so many statements."""
    for kind, goal in (("of one form", 10), ("all different", 30)):
        target = peers.database(server)
        peers.make_tables(target, 20)
        with peers.checkouts([""]) as both:
            peers.loop(both.ours, kind, number)
            name = f"plan of {number:,} statements {kind}"
            race = Race(name, partial(peers.plan, both.ours, target), goal, pairs=1, warm=False)
            console.say(f"{line(race)}   alembic upgrade head {peers.upgrade(both.raw, target):.2f} s")


def lints(server: Scratch, number: int) -> None:
    """`make lint ALL=1` of so many revisions, against Alembic's way up and down."""
    with peers.checkouts([f"CREATE TABLE s{n} (id int)" for n in range(number)]) as both:
        lint = Race(
            f"lint of {number} revisions",
            lambda: peers.lint(both.ours, peers.database(server)),
            5,
            "alembic upgrade head and downgrade base",
            lambda: peers.up_and_down(both.raw, peers.database(server)),
            LONG_PAIRS,
            warm=False,
        )
        console.say(line(lint))


def revisions(server: Scratch, tables: int, number: int) -> None:
    """`make revision` of so many models, with so many revisions before it and a warm shadow."""
    target = peers.database(server)
    with written.checkouts(tables, number) as both:
        peers.upgrade(both.raw, target)
        name = f"revision of {tables} tables, {number} before"
        race = Race(name, lambda: written.ours(both.ours, target), 2.5, pairs=LONG_PAIRS)
        console.say(f"{line(race)}   alembic revision --autogenerate {written.plain(both.raw, target):.2f} s")


def stamps(server: Scratch, number: int) -> None:
    """`make stamp`, which finds among so many known schemas that of a database."""
    target = peers.database(server)
    with peers.checkouts([f"CREATE TABLE s{n} (id int)" for n in range(number)]) as both:
        peers.upgrade(both.raw, target)
        race = Race(f"stamp of {number} revisions", lambda: peers.stamp(both.ours, target), 3, pairs=LONG_PAIRS)
        console.say(line(race))


def shadows(server: Scratch, number: int) -> None:
    """A database at head from a warm shadow, and after one more revision."""
    with peers.checkouts([f"CREATE TABLE s{n} (id int)" for n in range(number)]) as both:
        warm = Race(
            f"shadow of {number} revisions",
            lambda: peers.shadow(both.ours, server.administrator),
            0.7,
            pairs=LONG_PAIRS,
        )
        raw = peers.upgrade(both.raw, peers.database(server))
        console.say(f"{line(warm)}   alembic upgrade head {raw:.2f} s")
        peers.add_revision(both.ours, number, "CREATE TABLE another (id int)")
        console.say(
            f"shadow after one more revision {peers.shadow(both.ours, server.administrator):5.2f} s (goal: 1.2 s)"
        )


def waits(server: Scratch, number: int, held: float) -> None:
    """How long readers wait when a revision wants tables that a transaction holds."""
    tables = [f"shop{n}" for n in range(number)]
    statements = [f"ALTER TABLE {table} ADD COLUMN note text" for table in tables]
    longest = []
    with peers.checkouts(["; ".join(statements)]) as both:
        for checkout in (both.ours, both.raw):
            target = peers.database(server)
            with connections.connect(target) as connection:
                for table in tables:
                    connection.execute(text(f"CREATE TABLE {table} AS SELECT generate_series(1, 1000) AS id"))
                    connection.execute(text(f"CREATE UNIQUE INDEX ON {table} (id)"))
                connection.commit()
            longest.append(peers.longest_wait(checkout, target, tables, held, READERS))
    console.say(
        f"a reader's longest wait, {number} tables held for {held:g} s: {longest[0]:.2f} s"
        f"   alembic upgrade head {longest[1]:.2f} s (goal: 0.4 s)"
    )


def fingerprints(server: Scratch, number: int) -> None:
    """Of so many tables, with 10 columns, 2 indexes and a foreign key each."""
    target = peers.database(server)
    peers.make_tables(target, number)
    name, ours = f"fingerprint of {number} tables", partial(read_fingerprint, target)
    console.say(line(Race(name, ours, 0.5)))
    console.say(line(Race(name, ours, 1, "pg_dump --schema-only", partial(peers.dump, target))))


def read_fingerprint(target: Settings) -> float:
    started = time.monotonic()
    with connections.connect(target) as connection:
        assert fingerprint.read(connection).fingerprint
    return time.monotonic() - started


def backups(server: Scratch, megabytes: int) -> None:
    """Ours, with all that they check, against plain pg_dump and psql."""
    with dumps.contest(server, megabytes) as sides:
        races = [
            ("backup", sides.back_up, 0.5, "pg_dump | gzip", sides.back_up_plainly),
            ("restore", sides.restore, 0.7, "gunzip | psql", sides.restore_plainly),
            ("full verification", sides.verify, 1.3, "our restore", sides.restore),
        ]
        for name, ours, goal, peer_name, peer in races:
            race = Race(f"{name}, {megabytes} MB", ours, goal, peer_name, peer, LONG_PAIRS, warm=False)
            console.say(line(race))
        made = sides.taken[0].manifest
        size = made.bytes / sides.plain.stat().st_size
        most = sides.peaks()
    with dumps.contest(server, megabytes // 10) as sides:
        little = sides.peaks()
    console.say(f"{'size of the backup, ' + made.compression:<30} {size:.2f} x (goal: 1 x with zstd)")
    console.say(f"memory of backup, verification, restore {most} MB   a tenth of the rows {little} MB (goal: the same)")


def reports(server: Scratch, number: int) -> None:
    """Of a verification of so many revisions, and four times as many tables."""
    with large_report.report(server, number) as report:
        name = f"report of {number * large_report.CHANGED} tables and {number} revisions"
        size = (report / store.PAGE).stat().st_size
        console.say(f"{name}, size {size / 1e6:.2f} MB (goal: 2 MB)")
        console.say(opening(f"{name}, opened", report))


def opening(name: str, report: Path) -> str:
    if not large_report.CHROMIUM:
        return f"{name}: not measured, because chromium is not installed"
    return line(Race(name, partial(large_report.opened, report), 1, pairs=LONG_PAIRS))


def hashes(server: Scratch, number: int) -> None:
    """Of a table of so many ordinary rows, as a verification reads it several times."""
    target = peers.database(server)
    peers.make_people(target, number)
    name, ours = f"hash of {number:,} rows", partial(verification.hashed, target)
    console.say(line(Race(name, ours, 1)))
    console.say(line(Race(name, ours, 0.6, "pgcopydb's", partial(peers.hashed, target))))


def verifications(server: Scratch, megabytes: int) -> None:
    """An index concurrently, a column and a backfill, proven; against restoring and migrating alone."""
    with verification.race(server, megabytes) as sides:
        name, peer = f"make verify-staging, {megabytes} MB", sides.restore_and_migrate
        console.say(line(Race(name, sides.verify, 3, "restore, alembic upgrade head", peer, LONG_PAIRS, warm=False)))
    console.say(shares(sides.gates))


def shares(gates: dict[str, float]) -> str:
    """The seconds of each gate."""
    return "   ".join(f"{gate} {seconds:.1f} s" for gate, seconds in gates.items())


def line(race: Race) -> str:
    """Runs the race and tells the result in words."""
    sides = [race.ours, race.peer or (lambda: 0.0)]
    if race.warm:
        for run in sides:
            run()
    pairs = [[run() for run in sides] for _ in range(race.pairs)]
    ours, peer = (statistics.median(times) for times in zip(*pairs, strict=True))
    if not race.peer:
        return f"{race.name:<30} {ours:5.2f} s (goal: {race.goal:g} s)"
    ratio = statistics.median(our / their for our, their in pairs)
    return f"{race.name:<30} {ours:5.2f} s   {race.peer_name} {peer:.2f} s   {ratio:.2f} x (goal: {race.goal:g} x)"


if __name__ == "__main__":
    sys.exit(entry_point.run(main))
