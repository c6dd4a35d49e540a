from datetime import datetime
from enum import StrEnum

from sqlalchemy import BigInteger, DateTime, Enum, ForeignKey, Identity, MetaData
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    metadata = MetaData(schema="tracking")


class Kind(StrEnum):
    click = "click"
    view = "view"


class Site(Base):
    __tablename__ = "site"
    __table_args__ = {"schema": "catalog"}

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    host: Mapped[str]


class Event(Base):
    __tablename__ = "event"
    __table_args__ = {"postgresql_partition_by": "RANGE (at)"}

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    at: Mapped[datetime] = mapped_column(DateTime(timezone=True), primary_key=True)
    kind: Mapped[Kind] = mapped_column(Enum(Kind, name="kind", schema="tracking"))
    site_id: Mapped[int] = mapped_column(ForeignKey("catalog.site.id"))
