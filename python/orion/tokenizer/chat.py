"""Conversations as text by a model's own template, which is a stranger's program; knows no token.

A template runs in a process of its own, in Jinja's sandbox, with bounded time, memory and output:
a template that would reach out, run forever or fill the memory ends there.
"""

from __future__ import annotations

import json
import os
import select
import subprocess
import sys
import time
import weakref
from pathlib import Path
from typing import Any

from ..errors import OrionError

SECONDS_MAX = 10.0
TEXT_MAX = 4 << 20
WORKER = Path(__file__).with_name("chat_worker.py")


class ChatTemplate:
    """`render` gives the text of `messages` and what else the template asks for."""

    def __init__(self, source: str, *, seconds: float = SECONDS_MAX) -> None:
        self.source = source
        self.seconds = seconds
        self._worker: subprocess.Popen[bytes] | None = None

    def render(self, **variables: Any) -> str:
        try:
            request = json.dumps(
                {"template": self.source, "variables": variables, "text_max": TEXT_MAX}
            )
        except (TypeError, ValueError) as error:
            raise OrionError(f"The chat template takes what JSON can hold: {error}.") from None
        answer = self._ask(request.encode() + b"\n")
        if "text" in answer:
            return str(answer["text"])
        raise OrionError(f"The model's chat template {answer['error']}")

    def _ask(self, request: bytes) -> dict[str, Any]:
        worker = self._started()
        assert worker.stdin is not None
        assert worker.stdout is not None
        try:
            worker.stdin.write(request)
            worker.stdin.flush()
            line = read_line(worker.stdout.fileno(), time.monotonic() + self.seconds)
        except BrokenPipeError:
            line = b""
        except BaseException:
            self.close()
            raise
        if line is None:
            self.close()
            return {"error": f"takes longer than {self.seconds:.3g} s and was ended."}
        if not line:
            self.close()
            return {"error": "needs more time or memory than a template should and was ended."}
        answer: dict[str, Any] = json.loads(line)
        return answer

    def _started(self) -> subprocess.Popen[bytes]:
        if self._worker is None or self._worker.poll() is not None:
            self._worker = subprocess.Popen(
                [sys.executable, str(WORKER)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                # Ctrl-C is for the conversation, not for the template.
                start_new_session=True,
            )
            weakref.finalize(self, end, self._worker)
        return self._worker

    def close(self) -> None:
        """Ends the process; another `render` starts one again."""
        if self._worker is not None:
            end(self._worker)
            self._worker = None


def end(worker: subprocess.Popen[bytes]) -> None:
    worker.kill()
    worker.wait()
    for stream in (worker.stdin, worker.stdout):
        if stream is not None:
            stream.close()


def read_line(descriptor: int, until: float) -> bytes | None:
    """A line; empty when the other side has gone, None when it takes too long."""
    content = bytearray()
    while not content.endswith(b"\n"):
        ready, _, _ = select.select([descriptor], [], [], max(0.0, until - time.monotonic()))
        if not ready:
            return None
        part = os.read(descriptor, 1 << 16)
        if not part:
            return b""
        content += part
    return bytes(content)
