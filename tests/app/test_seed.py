"""app/seed.py"""

from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import NullPool, create_engine, func, select
from sqlalchemy.engine import URL
from sqlalchemy.orm import Session

from app.models import SocialAccount, SocialPage, SocialPost, User
from app.seed import seed


@pytest.fixture
def session(new_database: Callable[..., URL], template: str) -> Iterator[Session]:
    with Session(create_engine(new_database(template), poolclass=NullPool)) as session:
        yield session


def rows(session: Session) -> int:
    tables = (User, SocialAccount, SocialPage, SocialPost)
    return sum(session.scalar(select(func.count()).select_from(table)) or 0 for table in tables)


def test_adds_rows_and_says_how_many(session: Session) -> None:
    added = seed(session)
    session.commit()

    assert added == rows(session) == 5


def test_a_second_time_nothing_is_added(session: Session) -> None:
    seed(session)
    session.commit()

    assert seed(session) == 0
    assert rows(session) == 5


def test_does_not_mix_its_rows_with_anybody_elses(session: Session) -> None:
    session.add(User(username="grace", email="grace@example.com"))
    session.commit()

    assert seed(session) == 0
    assert rows(session) == 1


def test_there_is_a_post_to_publish_and_one_to_wait_for(session: Session) -> None:
    seed(session)

    due = session.scalars(select(SocialPost.due_at <= func.clock_timestamp())).all()

    assert sorted(due) == [False, True]
