"""What the server counts, and its text in Prometheus' form; knows no request."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Mapping

# name, kind, what it says. Names get the prefix `orion_`.
ROWS = (
    ("requests_total", "counter", "Answered requests by route and status."),
    ("prompt_tokens_total", "counter", "Tokens read."),
    ("generated_tokens_total", "counter", "New tokens given to clients."),
    ("decode_calls_total", "counter", "Calls of the session, each for all requests that run."),
    ("decode_seconds_total", "counter", "Time in these calls."),
    ("read_seconds_total", "counter", "Time in which prompts were read."),
    ("finished_total", "counter", "Requests that had their turn, by how it ended."),
    ("first_token_seconds", "summary", "From a request's arrival to its first tokens."),
    ("requests_waiting", "gauge", "Requests that wait for their turn."),
    ("requests_running", "gauge", "Requests that are read or decoded together."),
    ("slots_used", "gauge", "Tokens that the running requests have room for."),
    ("slots", "gauge", "Tokens that fit into the session."),
)


class Metrics:
    """Numbers by name and labels; any thread may change them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, dict[tuple[tuple[str, str], ...], float]] = defaultdict(dict)
        for name, kind, _ in ROWS:
            suffixes = ("_sum", "_count") if kind == "summary" else ("",)
            if not name.startswith(("requests_total", "finished_total")):
                for suffix in suffixes:
                    self._values[name + suffix][()] = 0

    def add(self, name: str, value: float = 1, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._values[name][key] = self._values[name].get(key, 0) + value

    def observe(self, name: str, value: float) -> None:
        self.add(f"{name}_sum", value)
        self.add(f"{name}_count")

    def set(self, values: Mapping[str, float]) -> None:
        with self._lock:
            for name, value in values.items():
                self._values[name][()] = value

    def value(self, name: str, **labels: str) -> float:
        with self._lock:
            return self._values[name].get(tuple(sorted(labels.items())), 0)

    def text(self) -> str:
        lines = []
        with self._lock:
            for name, kind, says in ROWS:
                lines += [f"# HELP orion_{name} {says}", f"# TYPE orion_{name} {kind}"]
                for full in (name, f"{name}_sum", f"{name}_count"):
                    for labels, value in self._values.get(full, {}).items():
                        inside = ",".join(f'{label}="{text}"' for label, text in labels)
                        shown = f"{{{inside}}}" if inside else ""
                        lines.append(f"orion_{full}{shown} {value:.17g}")
        return "\n".join(lines) + "\n"
