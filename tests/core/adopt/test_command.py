"""The command of another project, in all the files that may say it."""

from pathlib import Path

import pytest

from scripts.core.adopt import command, compose_file
from scripts.core.adopt.command import Start

COMPOSE = """# what a team wrote
x-common: &common
  restart: always
services:
    db:
        image: "pgvector/pgvector:pg16"   # with vectors
        environment:
            - POSTGRES_DB=shop
    redis:
        image: redis:8
    worker:
        build: .
        command: celery worker
    web:
        <<: *common
        build:
            context: .
            args:
                command: not this one
        ports:
            - "8000:8000"
        environment:
            DATABASE_URL: postgresql://db/shop
            REDIS_URL: redis://redis:6379
            SECRET: ${SECRET}
        command:
            - uvicorn
            - "shop.main:app"
            - --host=0.0.0.0
volumes:
    data: {}
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("shop/__init__.py", "shop/__main__.py", "shop/main.py", "bin/python", "bin/uvicorn", "bin/gunicorn"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


def found(folder: Path, *scripts: str) -> Start:
    return command.find(folder, ["shop"], folder / "bin" / "python", scripts)


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("Procfile", "web: gunicorn shop.main:app\n", Start("gunicorn shop.main:app", "Procfile")),
        ("Dockerfile", 'CMD ["python", "-m", "shop"]\n', Start("python -m shop", "Dockerfile")),
        ("compose.yaml", COMPOSE, Start("uvicorn shop.main:app --host=0.0.0.0", "compose.yaml, web")),
        ("shop/main.py", "app = FastAPI()", Start("uvicorn shop.main:app --host 0.0.0.0 --port 8000", "shop/main.py")),
        ("README", "", Start("python -m shop", "shop/__main__.py")),
    ],
)
def test_it_is_what_a_file_says_that_starts_it(folder: Path, name: str, text: str, expected: Start) -> None:
    (folder / name).write_text(text)

    assert found(folder) == expected


@pytest.mark.parametrize(
    "line",
    [
        "honcho start",
        "gunicorn backend.main:app",
        "python -m backend",
        "python serve.py",
        "uvicorn shop.main:app --port $PORT",
        "./run.sh",
    ],
)
def test_what_would_not_run_here_is_only_named(folder: Path, line: str) -> None:
    (folder / "Procfile").write_text(f"web: {line}\n")

    assert found(folder, "shop") == Start(maybe=f"Procfile: {line}")


def test_a_command_line_is_no_server(folder: Path) -> None:
    assert found(folder, "shop", "shop-admin") == Start(maybe="shop, shop-admin")


@pytest.mark.parametrize(
    ("image", "more"),
    [
        ("postgres:16-alpine", None),
        ("postgres", None),
        ("docker.io/library/postgres:17.2", None),
        ("postgres:18", ", and POSTGRES_MAJOR=18 in the Dockerfile"),
        ("postgis/postgis:17-3.5", ""),
    ],
)
def test_another_image_of_the_database_is_named(folder: Path, image: str, more: str | None) -> None:
    (folder / "compose.yml").write_text(f"services:\n  database:\n    image: {image}\n")

    expected = [f"Its database runs {image}: set POSTGRES_IMAGE={image} in .env{more}."] if more is not None else []
    assert [*compose_file.read(folder).to_do([])] == expected


def test_services_are_read_by_their_plain_lines(folder: Path) -> None:
    (folder / "docker-compose.yml").write_text(COMPOSE)

    read = compose_file.read(folder)

    assert read.name == "docker-compose.yml"
    assert [(one.name, one.image, one.command) for one in read.services] == [
        ("db", "pgvector/pgvector:pg16", ""),
        ("redis", "redis:8", ""),
        ("worker", "", "celery worker"),
        ("web", "", "uvicorn shop.main:app --host=0.0.0.0"),
    ]
    assert str(read) == "docker-compose.yml: db (pgvector/pgvector:pg16), redis (redis:8), worker (built), web (built)"
    image, services = read.to_do(["SECRET"])
    assert image == "Its database runs pgvector/pgvector:pg16: set POSTGRES_IMAGE=pgvector/pgvector:pg16 in .env."
    assert services.startswith("Services (redis, worker) go to docker-compose.override.yml; its variables REDIS_URL ")
    assert [one.is_database for one in read.services] == [True, False, False, False]
    for text in ("", "services: {db: {image: x}}\n", "services:\n", "- a\n", "services:\n  db:\n\timage: x\n"):
        (folder / "docker-compose.yml").write_text(text)
        assert [one.image for one in compose_file.read(folder).services] in ([], [""], ["x"])
