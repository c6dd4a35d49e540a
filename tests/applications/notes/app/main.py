from fastapi import FastAPI
from sqlalchemy import func, select

from app.database import GREETING, Session
from app.models import Note

app = FastAPI()


@app.get("/")
async def index() -> dict[str, str | int]:
    async with Session() as session:
        session.add(Note(text="visited"))
        await session.commit()
        return {"greeting": GREETING, "rows": await session.scalar(select(func.count()).select_from(Note)) or 0}
