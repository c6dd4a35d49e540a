import os

from fastapi import FastAPI
from sqlmodel import Session, create_engine, select

from heroes.models import Hero

engine = create_engine(os.environ.get("DB_URL", "sqlite:///heroes.db"))
app = FastAPI()


@app.get("/")
def index() -> dict[str, int]:
    with Session(engine) as session:
        session.add(Hero(name="visitor"))
        session.commit()
        return {"rows": len(session.exec(select(Hero)).all())}
