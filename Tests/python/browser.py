"""A page in headless Chromium, driven by its DevTools protocol; knows no server of ours."""

import base64
import contextlib
import json
import os
import shutil
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Any

import httpx

try:
    from websockets.sync.client import connect
except ModuleNotFoundError:
    connect = None  # type: ignore[assignment]

NAMES = ("chromium", "chromium-browser", "google-chrome")
# The sandbox wants rights that a container does not give.
FLAGS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-extensions",
    "--no-first-run",
    "--remote-debugging-port=0",
)
SECONDS = 60
KEYS = {"Enter": (13, "\r"), "Tab": (9, ""), " ": (32, " "), "Escape": (27, "")}


def missing() -> str | None:
    """What a browser would take; None when it is there."""
    if connect is None:
        return "websockets"
    return None if find() else "chromium"


def find() -> str | None:
    named = os.environ.get("ORION_CHROMIUM")
    return next(filter(None, map(shutil.which, (named, *NAMES) if named else NAMES)), None)


class Browser:
    """One page, until the block ends."""

    def __enter__(self) -> "Browser":
        path = find()
        assert path is not None
        self.profile = tempfile.mkdtemp(prefix="orion-chromium-")
        self.process = subprocess.Popen(
            [path, *FLAGS, f"--user-data-dir={self.profile}", "about:blank"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        port = wait_until(self._port)
        pages = httpx.get(f"http://127.0.0.1:{port}/json/list", timeout=SECONDS).json()
        url = next(page["webSocketDebuggerUrl"] for page in pages if page["type"] == "page")
        self._exits = contextlib.ExitStack()
        self.socket = self._exits.enter_context(
            connect(url, max_size=None, open_timeout=SECONDS, ping_interval=None)
        )
        self._last = 0
        # What the page asked for and complained of.
        self.requests: list[str] = []
        self.complaints: list[str] = []
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.call(f"{domain}.enable")
        return self

    def __exit__(
        self,
        _kind: type[BaseException] | None,
        _value: BaseException | None,
        _trace: TracebackType | None,
    ) -> None:
        self._exits.close()
        self.process.terminate()
        self.process.wait(SECONDS)
        shutil.rmtree(self.profile, ignore_errors=True)

    def _port(self) -> str | None:
        file = Path(self.profile, "DevToolsActivePort")
        lines = file.read_text().split() if file.exists() else []
        return lines[0] if len(lines) > 1 else None

    def call(self, method: str, **parameters: Any) -> Any:
        """What the browser answers; events that come before are kept."""
        self._last += 1
        self.socket.send(json.dumps({"id": self._last, "method": method, "params": parameters}))
        while True:
            message = json.loads(self.socket.recv(SECONDS))
            if message.get("id") == self._last:
                assert "error" not in message, message["error"]
                return message["result"]
            self._note(message.get("method", ""), message.get("params", {}))

    def _note(self, event: str, told: Any) -> None:
        if event == "Network.requestWillBeSent":
            self.requests.append(told["request"]["url"])
        elif event == "Runtime.exceptionThrown":
            self.complaints.append(told["exceptionDetails"]["text"])
        elif event == "Log.entryAdded" and told["entry"]["source"] != "network":
            self.complaints.append(told["entry"]["text"])

    def open(self, url: str) -> None:
        self.call("Page.navigate", url=url)
        self.wait("document.readyState === 'complete'")

    def value(self, expression: str) -> Any:
        """Of an expression of JavaScript, awaited when it is a promise."""
        found = self.call(
            "Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True
        )
        assert "exceptionDetails" not in found, found["exceptionDetails"]
        return found["result"].get("value")

    def wait(self, condition: str) -> None:
        wait_until(lambda: self.value(condition), condition)

    def resize(self, width: int, height: int, *, scale: float = 1, is_phone: bool = False) -> None:
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=scale,
            mobile=is_phone,
        )

    def paint(self, scheme: str) -> None:
        """As if the user liked `light` or `dark`."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.call("Emulation.setEmulatedMedia", features=features)

    def write(self, text: str) -> None:
        """As if typed into what has the focus."""
        self.call("Input.insertText", text=text)

    def press(self, key: str, *, shift: bool = False) -> None:
        code, text = KEYS[key]
        common = {
            "key": key,
            "code": "Space" if key == " " else key,
            "windowsVirtualKeyCode": code,
            "modifiers": 8 * shift,
        }
        self.call("Input.dispatchKeyEvent", type="keyDown", text=text, **common)
        self.call("Input.dispatchKeyEvent", type="keyUp", **common)

    def picture(self, path: Path) -> None:
        found = self.call("Page.captureScreenshot", format="png")
        path.write_bytes(base64.b64decode(found["data"]))


def wait_until(condition: Callable[[], Any], what: str = "the browser") -> Any:
    """What it gives once that is true; a limit, not a measurement."""
    end = time.monotonic() + SECONDS
    while not (found := condition()):
        assert time.monotonic() < end, f"it does not come true: {what}"
        time.sleep(0.02)
    return found
