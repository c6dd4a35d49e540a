"""Requirements of other projects, in all the ways that they are written."""

from pathlib import Path

import pytest

from scripts.core.adopt import dependencies, pyproject, resolution
from scripts.core.adopt.found import ExistingProject

METADATA = """Metadata-Version: 2.4
Name: shop
Requires-Python: <3.14,>=3.10
Requires-Dist: flask>=3
Requires-Dist: celery; extra == "jobs"

The readme.
"""
REQUIREMENTS = """# the shop
-r more.txt
-r requirements.txt
--index-url https://example.com/simple
-e .
git+https://example.com/x.git
asyncpg
flask[async]==3.1.0 \\
    --hash=sha256:aa \\
    --hash=sha256:bb
psycopg2>=2.9  # the driver
"""
POETRY = """[tool.poetry.dependencies]
python = "^3.11"
flask = "^3.1"
tiny = "^0.2.3"
near = "~1.4.2"
any = "*"
exact = "1.0"
free = ">=1,<2"
web = { version = "^2", extras = ["a", "b"], markers = "python_version < '3.13'" }
later = { version = "1", optional = true }
own = { path = "../own" }
"""


def read(folder: Path) -> dependencies.Dependencies:
    return dependencies.read(ExistingProject(folder, None))


def test_a_pyproject_wins_over_the_other_files(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[project]\nname = "shop"\nrequires-python = ">=3.12"\ndependencies = ["flask>=3"]\n'
    )
    (tmp_path / "requirements.txt").write_text("django\n")
    (tmp_path / "uv.lock").touch()

    found = read(tmp_path)

    assert (found.source, found.requirements, found.python) == ("pyproject.toml", ["flask>=3"], ">=3.12")
    assert found.not_read == ["uv.lock", "requirements.txt"]


def test_requirements_files_include_others_and_have_what_no_pyproject_can(tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(REQUIREMENTS)
    (tmp_path / "requirements").mkdir()
    (tmp_path / "more.txt").write_text("-r requirements.txt\n-r requirements/base.txt\n")
    (tmp_path / "requirements/base.txt").write_text("sqlalchemy >= 2.0 ; python_version > '3'\n")
    (tmp_path / "requirements/prod.txt").write_text("gunicorn\n")

    found = read(tmp_path)

    assert found.not_read == ["requirements/prod.txt"]
    assert len(found.requirements) == len(set(found.requirements))
    assert "sqlalchemy >= 2.0 ; python_version > '3'" in found.requirements
    assert "flask[async]==3.1.0" in found.requirements
    assert "greenlet" in found.requirements
    assert "-e ." in found.left_out
    assert "git+https://example.com/x.git" in found.left_out
    assert "psycopg2: psycopg2-binary is the same here" in found.left_out
    assert not [one for one in found.requirements if one.startswith("psycopg2")]


def test_a_wheel_says_it_in_its_metadata(tmp_path: Path) -> None:
    (tmp_path / "shop-1.dist-info").mkdir()
    (tmp_path / "shop-1.dist-info" / "METADATA").write_text(METADATA)

    found = read(tmp_path)

    assert (found.requirements, found.python) == (["flask>=3"], "<3.14,>=3.10")


def test_the_versions_of_poetry_are_translated(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(POETRY)

    found = read(tmp_path)

    assert found.python == ">=3.11,<4"
    assert found.requirements == [
        "flask>=3.1,<4",
        "tiny>=0.2.3,<0.3",
        "near>=1.4.2,<1.5",
        "any",
        "exact==1.0",
        "free>=1,<2",
        "web[a,b]>=2,<3; python_version < '3.13'",
    ]


OURS = """[project]
requires-python = ">=3.11"
dependencies = [
    "alembic>=1.20",
    "rich>=15",
]

# A comment.
[tool.app]
metadata = "app.models:Base.metadata"
packages = [
    "app",
]

[tool.mypy]
files = ["app", "scripts"]
"""


def test_pyproject_is_edited_and_keeps_its_comments() -> None:
    text = pyproject.with_dependencies(OURS, ["flask>=3", "alembic", "web; python_version < '3.13'"])
    text = pyproject.with_application(text, {"packages": ["shop", "src/"], "command": 'say "hi"'})

    assert '    "rich>=15",\n    # The application\'s own.\n    "flask>=3",\n    "web; python_version' in text
    assert '"alembic",' not in text
    assert "# A comment.\n[tool.app]" in text
    assert 'packages = ["shop", "src/"]\ncommand = "say \\"hi\\""\n\n[tool.mypy]' in text
    assert 'files = ["scripts"]' in pyproject.with_checks(text, ["shop"])


@pytest.mark.parametrize(
    ("python", "version", "allowed"),
    [
        ("", (3, 13, 1), True),
        (">=3.10,!=3.12.1,<3.14", (3, 13, 1), True),
        (">=3.10,<3.13.0a1", (3, 13, 1), False),
        ("!=3.13.*", (3, 13, 1), False),
        ("~=3.11.2", (3, 12, 0), False),
        ("~=3.11", (3, 12, 0), True),
        ("==3.13", (3, 13, 1), False),
        ("==3.13.*", (3, 13, 1), True),
        (">3.13", (3, 13, 1), True),
    ],
)
def test_a_python_is_allowed_or_not(python: str, version: tuple[int, ...], allowed: bool) -> None:
    assert dependencies.allows(python, version) is allowed


@pytest.mark.parametrize(
    ("theirs", "both"),
    [
        ("", ">=3.11"),
        (">=3.10", ">=3.11"),
        (">=3.12,<3.14", ">=3.12,<3.14"),
        ("<3.16,>=3.9,!=3.12.1", ">=3.11,<3.16,!=3.12.1"),
    ],
)
def test_the_python_of_both_is_what_both_allow(theirs: str, both: str) -> None:
    assert f'requires-python = "{both}"' in pyproject.with_python(OURS, theirs)


UNMET = " we can conclude that your requirements are unsatisfiable."


@pytest.mark.parametrize(
    ("said", "problem", "do"),
    [
        (
            "Because flask-appbuilder==4.5.0 depends on sqlalchemy<1.5 and safe-alembic depends on"
            f" flask-appbuilder==4.5.0, and because safe-alembic depends on sqlalchemy>=2.0.31,{UNMET}",
            "    sqlalchemy<1.5 of flask-appbuilder==4.5.0: the project's; sqlalchemy>=2.0.31: this",
            "change these requirements in requirements.txt",
        ),
        (
            f"Because safe-alembic depends on alembic>=1.16 and alembic==1.13.2,{UNMET}",
            "installed together.\n    alembic==1.13.2: the project's; alembic>=1.16: this environment's",
            "change these requirements in requirements.txt",
        ),
        (
            f"Because shop-core was not found in the package registry and safe-alembic depends on shop-core,{UNMET}",
            "shop-core, which the project needs, was not found in the package registry.",
            "correct that requirement in requirements.txt",
        ),
        (
            "Because onnxruntime==1.10.0 has no wheels with a matching Python version tag (e.g., `cp311`) and"
            f" safe-alembic depends on onnxruntime==1.10.0,{UNMET}",
            "onnxruntime==1.10.0, which the project needs, has no wheels with a matching Python version tag.",
            "correct that requirement in requirements.txt",
        ),
        (
            "error: Distribution not found at: file:///nowhere/own",
            "uv cannot choose the packages: error: Distribution not found at: file:///nowhere/own",
            "or make it reachable from here",
        ),
    ],
)
def test_what_cannot_be_installed_is_named(said: str, problem: str, do: str) -> None:
    found = dependencies.Dependencies("requirements.txt", ["alembic==1.13.2", "flask-appbuilder"], "", [], [])

    error = resolution.conflict(said, found)

    assert problem in error.problem
    assert do in dict(error.facts)["Do"]
    assert "safe-alembic" not in str(dict(error.facts))
