"""The shop's models; a revision brings along what it changes in them."""

import runpy
from pathlib import Path

from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Customer(Base):
    __tablename__ = "customers"

    id: Mapped[int] = mapped_column(primary_key=True)
    email: Mapped[str] = mapped_column(String(80))
    name: Mapped[str | None] = mapped_column(String(80))
    phone: Mapped[str] = mapped_column(String(40))
    points: Mapped[int]


class Order(Base):
    __tablename__ = "orders"

    id: Mapped[int] = mapped_column(primary_key=True)
    customer_id: Mapped[int]
    state: Mapped[str] = mapped_column(String(10))


for file in Path("alembic/versions").glob("*.py"):
    change = runpy.run_path(str(file)).get("change_models", lambda **_: None)
    change(**Base.metadata.tables)
