"""app/publisher.py"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine, NullPool, create_engine, func, select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from app.models import SocialPost
from app.publisher import publish_due
from app.seed import seed


@pytest.fixture
def engine(new_database: Callable[..., URL], template: str) -> Engine:
    """A database with a page (number 1) and no posts."""
    options = {"options": "-c lock_timeout=2s"}
    engine = create_engine(new_database(template), poolclass=NullPool, connect_args=options)
    with Session(engine) as session, session.begin():
        seed(session)
        session.query(SocialPost).delete()
    return engine


@pytest.fixture
def session(engine: Engine) -> Iterator[Session]:
    with Session(engine) as session:
        yield session


def add(session: Session, *due: timedelta) -> list[int]:
    """Posts that are due so long from now; returns their ids."""
    posts = [SocialPost(page_id=1, body="x", due_at=datetime.now(UTC) + when) for when in due]
    session.add_all(posts)
    session.commit()
    return [post.id for post in posts]


def test_publishes_what_is_due_the_oldest_first_and_nothing_twice(session: Session) -> None:
    newer, older, _ = add(session, timedelta(minutes=-1), timedelta(minutes=-5), timedelta(days=1))

    first, second = publish_due(session), publish_due(session)

    assert (first, second) == ([older, newer], [])


def test_the_time_of_publication_is_the_servers(session: Session) -> None:
    (number,) = add(session, timedelta(minutes=-1))

    publish_due(session)
    session.flush()

    assert session.scalar(select(SocialPost.published_at == func.now()).where(SocialPost.id == number))


def test_posts_that_another_worker_holds_are_left_to_it(session: Session, engine: Engine) -> None:
    numbers = add(session, timedelta(minutes=-1))
    with Session(engine) as other:
        assert publish_due(other) == numbers

        assert publish_due(session) == []


def test_what_the_caller_does_not_commit_is_published_the_next_time(session: Session) -> None:
    numbers = add(session, timedelta(minutes=-1))
    publish_due(session)

    session.rollback()

    assert publish_due(session) == numbers


def test_takes_a_hundred_at_a_time(session: Session) -> None:
    add(session, *[timedelta(minutes=-1)] * 101)

    assert [len(publish_due(session)), len(publish_due(session))] == [100, 1]
