"""The parts of docs/services.md, together in one stack."""

import json
import re
import socket
import time
import urllib.request
from collections.abc import Callable, Iterator

import pytest

from tests.containers.stack import PYTHON_IMAGE, ROOT, Stack, docker, run

pytestmark = pytest.mark.timeout(900)

PAGE = (ROOT / "docs" / "services.md").read_text()
# It serves what it got, and asks Redis.
SERVES = """
import http.server
import json
import socket

EDITION = "first"


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        with socket.create_connection(("redis", 6379)) as redis:
            redis.sendall(b"PING\\r\\n")
            pong = redis.recv(100).decode()
        body = {"edition": EDITION, "redis": pong, "url": os.environ["REDIS_URL"], "smtp": os.environ["SMTP_HOST"]}
        self.send_response(200)
        self.end_headers()
        self.wfile.write(json.dumps(body).encode())


http.server.ThreadingHTTPServer(("0.0.0.0", 8000), Handler).serve_forever()
"""
# The image is Docker Hub's. This is Debian's Redis, so that the test needs no registry.
REDIS = f"""FROM {PYTHON_IMAGE}
RUN apt-get update && apt-get install -y --no-install-recommends redis-server
CMD ["redis-server", "--protected-mode", "no", "--save", ""]
"""


def blocks(language: str) -> list[str]:
    return re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.DOTALL | re.MULTILINE)


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def get(port: int, path: str = "/health") -> str:
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return str(answer.read().decode())
    except OSError as error:
        return str(error)


def hears_a_debugger(port: int) -> bool:
    """Whether what listens speaks the Debug Adapter Protocol."""
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as editor:
            return editor.recv(1000).startswith(b"Content-Length: ")
    except OSError:
        return False


def wait_until(condition: Callable[[], object]) -> None:
    deadline = time.monotonic() + 240
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def ports() -> dict[str, int]:
    return {name: free_port() for name in ("app", "adminer", "debugger")}


def write_parts(stack: Stack, ports: dict[str, int]) -> list[str]:
    """Write each part of the page into a file, and return their names. Fixed ports become free ones."""
    # No image of Adminer is here. Another web server listens on its port.
    adminer = "image: ${COMPOSE_PROJECT_NAME}-app:dev\n    command: [python, -m, http.server, '8080']"
    ours = {
        "redis:8": f"{stack.project}-redis",
        "image: adminer:5": adminer,
        ":8080:8080": f":{ports['adminer']}:8080",
        ":5678:5678": f":{ports['debugger']}:5678",
    }
    files = []
    for number, shown in enumerate(blocks("yaml")):
        files.append(f"part{number}.yml")
        text = re.sub("|".join(map(re.escape, ours)), lambda found: ours[found[0]], shown)
        (stack.folder / files[-1]).write_text(text)
    return files


@pytest.fixture
def prepared(fresh: Stack, ports: dict[str, int]) -> Iterator[Stack]:
    """A stack with all parts of the page, and with debugpy; nothing runs."""
    build = run(["docker", "build", "--quiet", "--tag", f"{fresh.project}-redis", "-"], stdin=REDIS)
    assert build.code == 0, build.output
    # Without a new image. The page says `make lock`.
    pip = ["pip", "install", "--quiet", "--no-deps", "--target", "vendor", "--only-binary=:all:"]
    installed = run([*pip, "--python-version=3.13", "--platform=any", "debugpy"], fresh.folder)
    assert installed.code == 0, installed.output
    (fresh.folder / "vendor.yml").write_text("services: {app: {environment: {PYTHONPATH: /srv/vendor}}}\n")
    (snippet,), (health,) = blocks("python"), blocks("toml")
    (fresh.folder / "app/__main__.py").write_text(snippet + SERVES)
    declared = fresh.folder / "pyproject.toml"
    declared.write_text(declared.read_text().replace("[tool.app]\n", f"[tool.app]\n{health}"))
    files = ["docker-compose.yml", *write_parts(fresh, ports), "vendor.yml"]
    fresh.set(APP_PORT=str(ports["app"]), SMTP_HOST="mail.example.com", COMPOSE_FILE=":".join(files))
    yield fresh
    docker("image", "rm", "--force", f"{fresh.project}-redis")


def test_all_parts_of_the_page_work_together(prepared: Stack, ports: dict[str, int]) -> None:
    up = prepared.make("up")
    assert up.code == 0, up.output
    served, shown = json.loads(get(ports["app"])), prepared.make("ps").output
    heard, page = hears_a_debugger(ports["debugger"]), get(ports["adminer"], "/")

    main = prepared.folder / "app/__main__.py"
    main.write_text(main.read_text().replace('"first"', '"second"'))
    wait_until(lambda: '"second"' in get(ports["app"]))
    wait_until(lambda: hears_a_debugger(ports["debugger"]))

    got = {"redis": "+PONG\r\n", "url": "redis://redis:6379/0", "smtp": "mail.example.com"}
    assert served == {"edition": "first", **got}
    assert heard
    assert "Directory listing" in page
    assert [name for name in ("redis", "adminer", "app", "db") if f"-{name}-1" not in shown] == []
    assert set(re.findall(r"(\S+):\d+->", shown)) == {"127.0.0.1"}, shown
