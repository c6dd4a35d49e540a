"""Every model of the application: a file that is not imported here is invisible to autogenerate."""

from app.database import Base
from app.models.social import SocialAccount, SocialPage, SocialPost
from app.models.user import User

__all__ = ["Base", "SocialAccount", "SocialPage", "SocialPost", "User"]
