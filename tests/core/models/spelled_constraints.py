"""A table with constraints of several columns, and the same in other words and with other names."""

import random
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Column, MetaData, text
from sqlalchemy.dialects import postgresql as pg

from tests.core.models.spellings import path, quoted

UNPARTED: list[tuple[Any, list[str]]] = [
    (
        lambda: sa.UniqueConstraint("b", "w", postgresql_nulls_not_distinct=True),
        ["UNIQUE NULLS NOT DISTINCT (b, w)"],
    ),
    (lambda: sa.UniqueConstraint("w", "a", deferrable=True), ["UNIQUE (w, a) DEFERRABLE INITIALLY IMMEDIATE"]),
    (
        lambda: pg.ExcludeConstraint(("r", "&&"), where=text("b > 1")),
        [
            "EXCLUDE USING gist (r WITH &&) WHERE (b > 1)",
            "EXCLUDE USING gist (r range_ops WITH OPERATOR(pg_catalog.&&)) WHERE ((b) > (1))",
        ],
    ),
]
ALWAYS: list[tuple[Any, list[str]]] = [
    (lambda: sa.PrimaryKeyConstraint("a", "b"), ["PRIMARY KEY (a, b)", "PRIMARY KEY (a,b) NOT DEFERRABLE"]),
    (
        lambda: sa.CheckConstraint("w IN ('a', 'b') AND b BETWEEN 1 AND 5"),
        [
            "CHECK ((w = ANY (ARRAY['a'::text, 'b']) AND b >= 1) AND b <= 5)",
            "CHECK (w IN ('a','b') AND b >= 1 AND b <= 5)",
            "CHECK (w::text in ('a'::text, 'b') AND b BETWEEN 1 AND 5)",
        ],
    ),
    (lambda: sa.CheckConstraint("b > 0", name="high"), ["CHECK (b > 0)"]),
]
COMPUTED = ["w || 'x'", "w::text || 'x'::text", "(w) || (text $$x$$)"]
FEW = ["w IN ('a', 'b')", "w = ANY (ARRAY['a'::text, 'b'::text])"]
NUMBERS = ["START 3 MAXVALUE 9 CYCLE", "AS int8 CYCLE INCREMENT 1 MAXVALUE 9 NO MINVALUE START WITH 3 CACHE 1"]


class Several:
    def __init__(self, name: str, seed: int, metadata: MetaData, schema: str | None, any_: random.Random) -> None:
        self.seed, self.metadata, self.schema, self.any = seed, metadata, schema, any_
        self.name, self.here = name, path(schema, name)
        self.is_parted = any_.random() < 0.3
        self.before, self.later = list[str](), list[str]()
        self.lines = [any_.choice(["a int", "a integer NOT NULL"]), "b int", "w varchar(9)", "r int4range"]
        parts = [*self._columns(), *map(self._constraint, [*ALWAYS, *(UNPARTED if not self.is_parted else [])])]
        self._make(parts)
        if any_.random() < 0.3:
            sa.Sequence(f"seq{seed}", metadata=metadata, schema=schema, start=3, cycle=True, maxvalue=9)
            self.before.append(f"CREATE SEQUENCE {path(schema, f'seq{seed}')} {any_.choice(NUMBERS)}")

    def _columns(self) -> list[Column[Any]]:
        found: list[Column[Any]] = [
            Column("a", sa.Integer),
            Column("b", sa.Integer),
            Column("w", sa.String(9)),
            Column("r", pg.INT4RANGE),
        ]
        if self.any.random() < 0.5:
            found.append(Column("g", sa.String, sa.Computed("w || 'x'", persisted=True)))
            words = f"{self.any.choice(['varchar', 'character varying'])} GENERATED ALWAYS AS"
            self.later.append(f"ALTER TABLE {self.here} ADD COLUMN g {words} ({self.any.choice(COMPUTED)}) STORED")
        return found

    def _constraint(self, of: tuple[Any, list[str]]) -> Any:
        model, spelled = of
        name = self.any.choice(["", f"CONSTRAINT other_{len(self.lines)}_{len(self.later)}_{self.seed} "])
        words = f"{name}{self.any.choice(spelled)}"
        if self.any.random() < 0.5:
            self.lines.append(words)
        else:
            self.later.append(f"ALTER TABLE {self.here} ADD {words}")
        return model()

    def _make(self, parts: list[Any]) -> None:
        options: dict[str, Any] = {"postgresql_partition_by": "RANGE (a)"} if self.is_parted else {}
        kind = ["UNLOGGED"] if not self.is_parted and self.any.random() < 0.3 else []
        made = sa.Table(self.name, self.metadata, *parts, schema=self.schema, prefixes=kind, **options)
        few = made.c.w.in_(["a", "b"])
        sa.Index(f"i{self.seed}", text("lower(w)"), made.c.b + 1, _table=made, postgresql_where=few)
        end = " PARTITION BY RANGE (a)" if self.is_parted else ""
        self.table = f"CREATE {''.join(kind)} TABLE {self.here} ({', '.join(self.lines)}){end}"
        index = quoted(self.any.choice(["", "other "]) + f"i{self.seed}")
        where = self.any.choice(FEW)
        self.later.append(f"CREATE INDEX {index} ON {self.here} (lower(w::text), ((b + 1))) WHERE {where}")
        if self.is_parted:
            self.later.append(f"CREATE TABLE {path(self.schema, f'part {self.seed}')} PARTITION OF {self.here} DEFAULT")
