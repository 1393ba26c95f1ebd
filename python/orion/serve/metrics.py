"""What the server counts, and its text in Prometheus' form; knows no request."""

from __future__ import annotations

import threading
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Mapping

COUNTER, GAUGE, HISTOGRAM = "counter", "gauge", "histogram"

# name, kind, what it says. Names get the prefix `orion_`.
ROWS = (
    ("requests_total", COUNTER, "Answered requests by route and status."),
    ("connections", GAUGE, "Clients that are connected."),
    ("prompt_tokens_total", COUNTER, "Tokens read."),
    ("generated_tokens_total", COUNTER, "New tokens given to clients."),
    ("decode_calls_total", COUNTER, "Calls of the session, each for all texts that run."),
    ("decode_seconds_total", COUNTER, "Time in these calls."),
    ("read_seconds_total", COUNTER, "Time in which prompts were read."),
    ("finished_total", COUNTER, "Texts by how they ended, or why they were sent away."),
    ("batch_size", HISTOGRAM, "Texts that a call decodes."),
    ("waiting_seconds", HISTOGRAM, "From a text's arrival to its turn."),
    ("first_token_seconds", HISTOGRAM, "From a text's arrival to its first tokens."),
    ("text_seconds", HISTOGRAM, "From a text's arrival to its end, when it came to one."),
    ("requests_waiting", GAUGE, "Texts that wait for their turn."),
    ("requests_running", GAUGE, "Texts that are read or decoded together."),
    ("slots_used", GAUGE, "Tokens that the running texts have room for."),
    ("slots", GAUGE, "Tokens that fit into the session."),
)
# Of these the labels are known only once something happened.
LABELLED = ("requests_total", "finished_total")
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300)
BOUNDS = {
    name: (1, 2, 4, 8, 16, 32, 64) if name == "batch_size" else SECONDS
    for name, kind, _ in ROWS
    if kind == HISTOGRAM
}

Labels = tuple[tuple[str, str], ...]


class Metrics:
    """Numbers by name and labels; any thread may change them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._values: dict[str, dict[Labels, float]] = defaultdict(dict)
        # How many values fell between two bounds, those over the last at the end; and their sum.
        self._counts = {name: [0] * (len(bounds) + 1) for name, bounds in BOUNDS.items()}
        self._sums = dict.fromkeys(BOUNDS, 0.0)
        for name, kind, _ in ROWS:
            if kind != HISTOGRAM and name not in LABELLED:
                self._values[name][()] = 0

    def add(self, name: str, value: float = 1, **labels: str) -> None:
        key = tuple(sorted(labels.items()))
        with self._lock:
            self._values[name][key] = self._values[name].get(key, 0) + value

    def observe(self, name: str, value: float) -> None:
        with self._lock:
            self._counts[name][bisect_left(BOUNDS[name], value)] += 1
            self._sums[name] += value

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
                if kind == HISTOGRAM:
                    lines += self._histogram(name)
                for labels, value in self._values.get(name, {}).items():
                    inside = ",".join(f'{label}="{text}"' for label, text in labels)
                    shown = f"{{{inside}}}" if inside else ""
                    lines.append(f"orion_{name}{shown} {value:.17g}")
        return "\n".join(lines) + "\n"

    def _histogram(self, name: str) -> list[str]:
        total, lines = 0, []
        for bound, count in zip([*BOUNDS[name], "+Inf"], self._counts[name], strict=True):
            total += count
            lines.append(f'orion_{name}_bucket{{le="{bound}"}} {total}')
        return [
            *lines,
            f"orion_{name}_sum {self._sums[name]:.17g}",
            f"orion_{name}_count {total}",
        ]
