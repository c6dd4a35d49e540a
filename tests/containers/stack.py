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

    def sql(self, statement: str, role: str = "app_owner", database: str = "app") -> str:
        """The rows of a statement, a line each. The socket of the database's container lets each role in."""
        result = self.try_sql(statement, role, database)
        assert result.code == 0, result.output
        return result.output

    def try_sql(self, statement: str, role: str, database: str = "app") -> Result:
        return self.execute("db", "psql", "-XAtq", "-U", role, "-d", database, "-c", statement)

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
        """The id of a service's container, running or not; not that of a container that runs one command."""
        return self.ps(f"label=com.docker.compose.service={service}", "label=com.docker.compose.oneoff=False")

    def inspect(self, service: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads(docker("inspect", self.container(service)))[0]
        return found

    def is_healthy(self, *services: str) -> bool:
        return set(services) <= set(self.ps("health=healthy", show='{{.Label "com.docker.compose.service"}}').split())

    def execute(self, service: str, *words: str) -> Result:
        """Run a command in a service's container. It takes a third of the time of `docker compose exec`."""
        return run(["docker", "exec", self.container(service), *words])

    def ps(self, *filters: str, show: str = "{{.ID}}") -> str:
        ours = f"label=com.docker.compose.project={self.project}"
        words = [word for one in (ours, *filters) for word in ("--filter", one)]
        return docker("ps", "--all", "--no-trunc", *words, "--format", show)

    def everything(self) -> list[str]:
        """The containers of this project, the forgotten ones too."""
        return self.ps().split()
