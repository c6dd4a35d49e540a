"""A copy of the checkout with the containers of its own Compose project."""

import json
import os
import re
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]
INHERITED = ("PATH", "HOME", "LANG", "DOCKER_CONFIG", "DOCKER_CONTEXT", "DOCKER_HOST")
POSTGRES_IMAGE = "postgres:17-trixie"
PYTHON_IMAGE = "python:3.13-slim-trixie"
# Of a user who is neither us nor root, so that a file shows which of them made it.
SOMEBODY = 1234
# Everything that breaks a URL, a shell or an interpolation.
PASSWORD = """p@s%s/w#o"r$d; e"""
APP_PASSWORD = """%s`a`:p\\p@ "/$HOME#"""


# A statement in the container of the application, as the application connects.
AS_APPLICATION = """
import sys
from sqlalchemy import text
from app.database import make_engine
from app.settings import load
with make_engine(load()).begin() as connection:
    result = connection.execute(text(sys.argv[1]))
    print(result.fetchall() if result.returns_rows else "done")
"""


@dataclass(frozen=True)
class Result:
    code: int
    output: str
    """Standard output and standard error, as a terminal would show them."""


def inherited() -> dict[str, str]:
    """Return what a command gets of our environment. What `make test` adds, such as RUNTIME, is not for it."""
    return {name: os.environ[name] for name in INHERITED if name in os.environ}


def run(words: list[str], folder: Path = ROOT, stdin: str = "", **environment: str) -> Result:
    """Run a command with nothing of our environment but the way to Docker."""
    done = subprocess.run(
        words,
        cwd=folder,
        env={**inherited(), **environment},
        input=stdin,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    return Result(done.returncode, done.stdout)


def docker(*words: str) -> str:
    """What docker printed; an AssertionError where it failed."""
    result = run(["docker", *words])
    assert result.code == 0, result.output
    return result.output.strip()


@dataclass(frozen=True)
class Stack:
    folder: Path

    def make(self, *words: str, **environment: str) -> Result:
        return run(["make", "--no-print-directory", *words], self.folder, **environment)

    def compose(self, *words: str, **environment: str) -> Result:
        return run(["docker", "compose", *words], self.folder, **environment)

    def sql(self, statement: str) -> str:
        result = self.make("psql", f"c={statement}")
        assert result.code == 0, result.output
        return result.output

    def sql_as_application(self, statement: str) -> Result:
        return self.execute("app", "python", "-c", AS_APPLICATION, statement)

    def sql_as_superuser(self, statement: str) -> Result:
        return self.execute("db", "psql", "-XAtq", "-U", "postgres", "-d", "postgres", "-c", statement)

    @property
    def env_file(self) -> Path:
        return self.folder / ".env"

    def setting(self, name: str) -> str:
        found = re.findall(rf"^{name}=(.*)$", self.env_file.read_text(), re.M)
        return found[-1].strip("'") if found else ""

    def set(self, **settings: str) -> None:
        """Write settings into .env as a user would; an empty value removes the line."""
        text = self.env_file.read_text()
        for name, value in settings.items():
            text = re.sub(rf"^{name}=.*\n", "", text, flags=re.M)
            text += f"{name}='{value}'\n" if value else ""
        self.env_file.write_text(text)

    @property
    def project(self) -> str:
        return self.setting("COMPOSE_PROJECT_NAME")

    def container(self, service: str) -> str:
        return self.compose("ps", "--quiet", "--all", service).output.strip()

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", self.container(service)))[0]
        return found

    def is_healthy(self, *services: str) -> bool:
        running = ["ps", "--quiet", "--filter", "health=healthy", "--no-trunc"]
        return {self.container(service) for service in services} <= set(docker(*running).split())

    def execute(self, service: str, *words: str) -> Result:
        return self.compose("exec", "-T", service, *words)

    def everything(self) -> list[str]:
        """The containers of this project, the forgotten ones too."""
        label = f"label=com.docker.compose.project={self.project}"
        return docker("ps", "--all", "--quiet", "--filter", label).split()
