"""Example rows for development."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.models import SocialAccount, SocialPage, SocialPost, User


def seed(session: Session) -> int:
    """Add the example rows unless there are users. Return the number of added rows. The caller commits."""
    if session.scalar(select(User.id).limit(1)) is not None:
        return 0
    user = User(username="ada", email="ada@example.com")
    session.add(user)
    session.flush()
    account = SocialAccount(user_id=user.id, platform="mastodon", handle="@ada")
    session.add(account)
    session.flush()
    page = SocialPage(account_id=account.id, name="Notes on the Analytical Engine")
    session.add(page)
    session.flush()
    now = datetime.now(UTC)
    posts = [
        SocialPost(page_id=page.id, body="Already due: the worker publishes it.", due_at=now),
        SocialPost(page_id=page.id, body="Due tomorrow.", due_at=now + timedelta(days=1)),
    ]
    session.add_all(posts)
    return 3 + len(posts)
