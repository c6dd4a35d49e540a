import os

from flask import Flask
from flask_migrate import Migrate
from flask_sqlalchemy import SQLAlchemy

db = SQLAlchemy()
migrate = Migrate()


def skip_drafts(object, name, type_, reflected, compare_to):
    return not (type_ == "table" and name == "drafts")


def create_app():
    from blog import views

    app = Flask(__name__)
    app.config["SQLALCHEMY_DATABASE_URI"] = os.environ.get("DATABASE_URL", "sqlite:///blog.db")
    db.init_app(app)
    migrate.init_app(app, db, include_object=skip_drafts)
    app.register_blueprint(views.pages)
    return app
