"""scripts/core/revisions/checksum.py"""

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from scripts.core import ROOT
from scripts.core.revisions import checksum

REVISION = '''"""add names

Revision: abcd01
"""

import sqlalchemy as sa
from alembic import op

revision = "abcd01"


def upgrade() -> None:
    op.add_column("users", sa.Column("name", sa.String(50), nullable=True))
    op.execute("UPDATE users SET name = ''")


def downgrade() -> None:
    """Names are lost."""
    op.drop_column("users", "name")
'''

NO_EDITS = {
    "a comment": ("    op.execute", "    # Nobody has one yet.\n    op.execute"),
    "a comment behind code": ("nullable=True))", "nullable=True))  # noqa"),
    "blank lines": ("def downgrade", "\n\n\ndef downgrade"),
    "lines broken": (
        'op.add_column("users", sa.Column("name", sa.String(50), nullable=True))',
        'op.add_column(\n        "users",\n        sa.Column("name", sa.String(50), nullable=True),\n    )',
    ),
    "quotes": ('"users", "name"', "'users', 'name'"),
    "a text in parts": ("\"UPDATE users SET name = ''\"", '("UPDATE users "\n        "SET name = \'\'")'),
    "parentheses": ('revision = "abcd01"', 'revision = ("abcd01")'),
    "indentation": ("\n    ", "\n  "),
    "tabs": ("    ", "\t"),
    "line ends": ("\n", "\r\n"),
    "a byte order mark": ('"""add', '\ufeff"""add'),
    "another docstring": ("add names", "add names\n\nAs Ada wished."),
    "no docstring": ('    """Names are lost."""\n', ""),
    "one docstring more": ("def upgrade() -> None:\n", 'def upgrade() -> None:\n    """Names."""\n'),
    "how a number is written": ("50", "0x32"),
    "an escaped letter": ("users", "\\x75sers"),
}
EDITS = {
    "another number": ("50", "60"),
    "the type of a number": ("50", "50.0"),
    "a letter": ("users", "user"),
    "text or bytes": ('op.execute("', 'op.execute(b"'),
    "another argument": (", nullable=True", ", nullable=False"),
    "an argument less": (", nullable=True", ""),
    "another operation": ("op.drop_column", "op.drop_constraint"),
    "a statement less": ("    op.execute(\"UPDATE users SET name = ''\")\n", ""),
    "a statement disabled": ("    op.execute", "    # op.execute"),
    "a statement twice": ("    op.drop_column", '    op.drop_column("users", "name")\n    op.drop_column'),
    "an empty text more": ('"users", "name"', '"users", "name", ""'),
    "space in a text": ("SET name", "SET  name"),
    "None or a text": ('revision = "abcd01"', 'revision = "None"'),
    "async": ("def upgrade", "async def upgrade"),
    "names swapped": ("upgrade", "upgrades"),
}


def written(path: Path, text: str) -> Path:
    path.write_bytes(text.encode())
    return path


@pytest.fixture
def before(tmp_path: Path) -> tuple[str, str]:
    return checksum.sums(written(tmp_path / "before.py", REVISION))


@pytest.mark.parametrize("change", NO_EDITS.values(), ids=NO_EDITS)
def test_how_it_is_written_is_no_edit(tmp_path: Path, before: tuple[str, str], change: tuple[str, str]) -> None:
    assert change[0] in REVISION
    after = written(tmp_path / "after.py", REVISION.replace(*change))

    assert checksum.sums(after)[0] != before[0]
    assert checksum.sums(after)[1] == before[1]


@pytest.mark.parametrize("change", EDITS.values(), ids=EDITS)
def test_what_it_does_is(tmp_path: Path, before: tuple[str, str], change: tuple[str, str]) -> None:
    assert change[0] in REVISION
    after = written(tmp_path / "after.py", REVISION.replace(*change))

    assert checksum.sums(after)[1] != before[1]


def test_the_first_sum_is_that_of_the_bytes(tmp_path: Path, before: tuple[str, str]) -> None:
    assert before[0] == hashlib.sha256((tmp_path / "before.py").read_bytes()).hexdigest()


# What Pythons print or parse differently: format specs, empty lists, characters of a newer Unicode, whole new fields.
SAMPLE = (
    REVISION
    + """

@wraps
async def everything(a, /, b: int = 2, *c, d=3.5e3, **e) -> None:
    x: int = 1_000
    print(f"{x}", f"{x!r:^{b}}", f"{x:>{a}.{b}}", f"{x:}", f"{{{x}}}", f"{x=}", f"{x:{{}}}", f"", f"" "a", "a" f"b")
    print(rf"\\d{x:\\d}", f"{x:%Y-%m}{b}", f"\\N{BULLET}{x}", b"\\xff", u"x", 1j, ..., "\\n\\t\\"'", "", -0.0, 1e999)
    print("é ß 漢 \U0001fae8 \U0001faf8 \u2ffc \u00a0\u200b \\ud800")
    async with a as b, c: pass
    async for i in x: await y
    return [i async for i in x if i], {**e}, {i: j for i, j in x}, {1, 2}, lambda *a, k=1: (yield)


class A(B, metaclass=M):
    def f(self): nonlocal_ = x[1:2, ::3, *y]; del x[0]; global q


match x:
    case {"a": 1, **r}: pass
    case [1, *_, 2] | None if r: pass
    case A(b=1) as n: pass
try: pass
except* E as e: raise e from None
else: pass
finally: pass
with (open(a) as b, c): pass
while (n := 1): break
"""
)
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
ALONE = """
import ast, importlib.util, pathlib, sys
spec = importlib.util.spec_from_file_location("source", sys.argv[1])
source = importlib.util.module_from_spec(spec)
spec.loader.exec_module(source)
path = pathlib.Path(sys.argv[2])
print(*source.sums(path), ascii(ast.dump(ast.parse(path.read_bytes()))))
"""


def printed_by(python: str, path: Path) -> list[str]:
    """Both sums and ast.dump() of a file, by another Python; nothing where there is none of that name."""
    found = shutil.which(python)
    # pyenv has every name on the PATH, and runs those that it is told to.
    environment = {**os.environ, "PYENV_VERSION": python.removeprefix("python")}
    words = [
        found or "false",
        "-I",
        "-W",
        "ignore",
        "-c",
        ALONE,
        f"{ROOT}/scripts/core/revisions/checksum.py",
        str(path),
    ]
    exists = found and subprocess.run([*words[:2], "-c", ""], env=environment, capture_output=True, check=False)
    if not exists or exists.returncode:
        return []
    result = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
    return result.stdout.strip().split(" ", 2)


@pytest.mark.parametrize("python", PYTHONS)
def test_both_sums_are_the_same_on_every_python(tmp_path: Path, python: str) -> None:
    path = written(tmp_path / "sample.py", SAMPLE)
    printed = printed_by(python, path)
    if not printed:
        pytest.skip(f"no {python} here")

    assert tuple(printed[:2]) == checksum.sums(path)


def test_what_ast_prints_is_not(tmp_path: Path) -> None:
    path = written(tmp_path / "sample.py", SAMPLE)
    dumps = [printed[2] for python in PYTHONS[:3] if (printed := printed_by(python, path))]
    if len(dumps) < 2:
        pytest.skip("only one Python here")

    assert len(set(dumps)) == len(dumps)
