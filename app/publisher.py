"""Publish the posts that are due."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from app.models import SocialPost


def publish_due(session: Session) -> list[int]:
    """Mark every due post as published, and return their ids. The caller commits.

    Rows that another worker has locked are skipped, so several workers can run.
    """
    due = (
        select(SocialPost)
        .where(SocialPost.published_at.is_(None), SocialPost.due_at <= func.now())
        .order_by(SocialPost.due_at)
        .limit(100)
        .with_for_update(skip_locked=True)
    )
    posts = session.scalars(due).all()
    for post in posts:
        post.published_at = func.now()
    return [post.id for post in posts]
