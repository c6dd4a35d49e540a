"""python -m app"""

import re
import signal
import socket
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pytest
from sqlalchemy import NullPool, create_engine, text

from tests.conftest import Project
from tests.core.running import Running

ADD_POSTS = (
    "WITH the_user AS (INSERT INTO users (username, email) VALUES ('ada', 'ada@example.com') RETURNING id),"
    " the_account AS (INSERT INTO social_accounts (user_id, platform, handle)"
    " SELECT id, 'mastodon', '@ada' FROM the_user RETURNING id),"
    " the_page AS (INSERT INTO social_pages (account_id, name) SELECT id, 'notes' FROM the_account RETURNING id)"
    " INSERT INTO social_posts (page_id, body, due_at)"
    " SELECT the_page.id, 'x', now() + '{when}' FROM the_page, generate_series(1, {posts})"
)
UNPUBLISHED = "SELECT count(*) FROM social_posts WHERE published_at IS NULL"


@dataclass
class Worker:
    """`python -m app` in a copy of the project."""

    process: Running

    def said(self) -> str:
        return self.process.printed

    def published(self) -> list[int]:
        return [int(number) for number in re.findall(r"published post (\d+)", self.said())]

    def wait_for(self, words: str) -> None:
        wait_until(lambda: words in self.said(), lambda: f"the worker did not say {words!r}:\n{self.said()}")

    def stop(self, number: int = signal.SIGTERM) -> int:
        """The exit code, long before the next round of a worker with PUBLISH_INTERVAL=1000."""
        self.process.send(number)
        return self.process.end().returncode


def wait_until(condition: Callable[[], bool], complaint: Callable[[], str] = lambda: "") -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, complaint()
        time.sleep(0.02)


Start = Callable[..., Worker]


@pytest.fixture
def start(project: Project) -> Iterator[Start]:
    """Starts workers that look for due posts ten times a second."""
    workers: list[Worker] = []

    def start(**environment: str) -> Worker:
        url = project.url.render_as_string(hide_password=False)
        variables = {"DATABASE_URL": url, "PUBLISH_INTERVAL": "0.1", **environment}
        workers.append(Worker(Running(project, "app", (), variables)))
        return workers[-1]

    yield start
    for worker in workers:
        worker.process.kill()


@pytest.fixture
def unused_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def add_posts(project: Project, posts: int = 1, when: str = "-1 minute") -> None:
    project.sql(ADD_POSTS.format(posts=posts, when=when))


def is_published(project: Project) -> bool:
    return project.sql(UNPUBLISHED) == [(0,)]


def test_publishes_what_is_due_and_not_what_is_due_tomorrow(project: Project, start: Start) -> None:
    add_posts(project, 3)
    add_posts(project, 2, "1 day")
    worker = start()
    wait_until(lambda: len(worker.published()) == 3, worker.said)

    worker.stop()

    assert project.sql(UNPUBLISHED) == [(2,)]
    assert len(worker.published()) == 3


def test_several_workers_publish_every_post_once(project: Project, start: Start) -> None:
    workers = [start(PUBLISH_INTERVAL="0.01") for _ in range(3)]
    for worker in workers:
        worker.wait_for("publishing due posts")

    for _ in range(4):
        add_posts(project, 40)
    wait_until(lambda: is_published(project))
    for worker in workers:
        worker.stop()

    published = [number for worker in workers for number in worker.published()]
    assert len(published) == len(set(published)) == 160


def test_goes_on_after_its_session_was_ended(project: Project, start: Start) -> None:
    worker = start()
    sessions = "FROM pg_stat_activity WHERE datname = current_database() AND application_name = 'app'"
    wait_until(lambda: project.sql(f"SELECT 1 {sessions}") != [], worker.said)

    project.sql(f"SELECT pg_terminate_backend(pid, 1000) {sessions}")
    add_posts(project)

    wait_until(lambda: is_published(project), worker.said)
    assert worker.process.runs


def test_goes_on_after_a_table_was_missing(project: Project, start: Start) -> None:
    project.sql("ALTER TABLE social_posts RENAME TO gone")
    worker = start()
    worker.wait_for('database: relation "social_posts" does not exist')

    project.sql("ALTER TABLE gone RENAME TO social_posts")
    add_posts(project)

    wait_until(lambda: is_published(project), worker.said)


def test_goes_on_trying_when_nobody_answers_and_never_shows_the_password(start: Start, unused_port: int) -> None:
    worker = start(DATABASE_URL=f"postgresql://app:geheim@127.0.0.1:{unused_port}/app")
    worker.wait_for("Connection refused")

    assert worker.stop() == 0
    assert "geheim" not in worker.said()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_stops_at_once_when_asked_to(project: Project, start: Start, number: int) -> None:
    worker = start(PUBLISH_INTERVAL="1000")
    add_posts(project)
    worker.wait_for("publishing due posts")

    assert worker.stop(number) == 0
    assert worker.said().endswith(" INFO stopped\n")


@pytest.mark.faults
def test_stops_at_once_while_a_lock_blocks_its_statement(project: Project, start: Start) -> None:
    add_posts(project)
    with create_engine(project.url, poolclass=NullPool).connect() as migration:
        migration.execute(text("LOCK TABLE social_posts IN ACCESS EXCLUSIVE MODE"))
        worker = start()
        waiting = "SELECT 1 FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
        wait_until(lambda: project.sql(waiting) != [], worker.said)

        assert worker.stop() == 0

    assert worker.published() == []


@pytest.mark.faults
def test_goes_on_after_a_long_lock(project: Project, start: Start) -> None:
    add_posts(project)
    with create_engine(project.url, poolclass=NullPool).connect() as migration:
        migration.execute(text("LOCK TABLE social_posts IN ACCESS EXCLUSIVE MODE"))
        worker = start()
        worker.wait_for("database: canceling statement due to lock timeout")

    wait_until(lambda: is_published(project), worker.said)


def test_a_wrong_setting_ends_it(start: Start) -> None:
    worker = start(PUBLISH_INTERVAL="often")

    assert worker.process.end().returncode == 1
    assert "PUBLISH_INTERVAL is 'often', not a number above 0" in worker.said()
    assert "Traceback" not in worker.said()
