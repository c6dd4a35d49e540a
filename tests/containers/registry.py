"""A registry on this machine that serves one image, read-only."""

import json
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from tests.containers.stack import docker

UNKNOWN = b'{"errors": [{"code": "MANIFEST_UNKNOWN", "message": "manifest unknown"}]}'


@contextmanager
def serving(image: str, name: str, folder: Path) -> Iterator[str]:
    """A local image as HOST/`name`: yields HOST. Any other name and tag is unknown there."""
    docker("save", "--output", str(folder / "image.tar"), image)
    subprocess.run(["tar", "-xf", "image.tar"], cwd=folder, check=True)
    (manifest,) = json.loads((folder / "index.json").read_text())["manifests"]
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler(folder, name, manifest))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"localhost:{server.server_port}"
    server.shutdown()
    server.server_close()


def handler(folder: Path, name: str, manifest: dict[str, Any]) -> type[BaseHTTPRequestHandler]:
    repository, tag = name.split(":")
    manifests = {f"/v2/{repository}/manifests/{reference}" for reference in (tag, manifest["digest"])}

    class Registry(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_GET(self) -> None:
            kind, digest, blob = "application/octet-stream", self.path.rpartition("/")[2], b"{}"
            if self.path in manifests:
                kind, digest = manifest["mediaType"], manifest["digest"]
            path = folder / "blobs" / digest.replace(":", "/")
            if self.path != "/v2/" and not path.is_file():
                self.answer(HTTPStatus.NOT_FOUND, "application/json", UNKNOWN)
                return
            if self.path != "/v2/":
                blob = path.read_bytes()
            self.answer(HTTPStatus.OK, kind, blob, digest)

        do_HEAD = do_GET  # noqa: N815

        def answer(self, status: HTTPStatus, kind: str, body: bytes, digest: str = "") -> None:
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(body)))
            self.send_header("Docker-Content-Digest", digest)
            self.end_headers()
            if self.command == "GET":
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Be silent."""

    return Registry
