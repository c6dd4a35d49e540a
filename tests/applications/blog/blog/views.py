from flask import Blueprint

from blog import db
from blog.models import Author

pages = Blueprint("pages", __name__)


@pages.get("/")
def index():
    return {"rows": db.session.query(Author).count()}
