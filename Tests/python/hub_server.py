"""A model hub on the loopback: as much of the hub's HTTP interface as a download needs."""

from __future__ import annotations

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub:
    """`models`: id and directory. `refusals`: id and the status and code it is answered with."""

    def __init__(self) -> None:
        self.models: dict[str, Path] = {}
        self.refusals: dict[str, tuple[int, str]] = {}
        self.downloads: list[str] = []
        self.listings = 0
        self.url = ""


@contextmanager
def serve() -> Iterator[Hub]:
    hub = Hub()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments: object) -> None:
            pass

        def do_GET(self) -> None:
            answer(self, hub, body=True)

        def do_HEAD(self) -> None:
            answer(self, hub, body=False)

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    hub.url = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def answer(request: BaseHTTPRequestHandler, hub: Hub, body: bool) -> None:
    parts = urlsplit(request.path).path.strip("/").split("/")
    model = "/".join(parts[2:4] if parts[:2] == ["api", "models"] else parts[:2])
    if model in hub.refusals:
        status, code = hub.refusals[model]
        send(request, status, b"{}", body, {"X-Error-Code": code})
        return
    if model not in hub.models:
        send(request, 404, b"{}", body, {"X-Error-Code": "RepoNotFound"})
        return
    directory = hub.models[model]
    if parts[0] == "api":
        hub.listings += "tree" not in parts
        send(request, 200, listing(model, directory, tree="tree" in parts), body, {})
        return
    path = directory / "/".join(parts[4:])
    if not path.is_file():
        send(request, 404, b"", body, {"X-Error-Code": "EntryNotFound"})
        return
    content = path.read_bytes()
    if body:
        hub.downloads.append(path.name)
    headers = {"ETag": f'"{hashlib.sha1(content).hexdigest()}"', "X-Repo-Commit": COMMIT}
    send(request, 200, content, body, headers)


def listing(model: str, directory: Path, tree: bool) -> bytes:
    names = sorted(p.relative_to(directory).as_posix() for p in directory.rglob("*") if p.is_file())
    if tree:
        rows = [
            {
                "type": "file",
                "path": name,
                "size": (directory / name).stat().st_size,
                "oid": hashlib.sha1((directory / name).read_bytes()).hexdigest(),
            }
            for name in names
        ]
        return json.dumps(rows).encode()
    facts = {"id": model, "modelId": model, "sha": COMMIT, "private": False, "tags": []}
    return json.dumps({**facts, "siblings": [{"rfilename": name} for name in names]}).encode()


def send(
    request: BaseHTTPRequestHandler,
    status: int,
    content: bytes,
    body: bool,
    headers: dict[str, str],
) -> None:
    request.send_response(status)
    for name, value in headers.items():
        request.send_header(name, value)
    request.send_header("Content-Length", str(len(content)))
    request.end_headers()
    if body:
        request.wfile.write(content)
