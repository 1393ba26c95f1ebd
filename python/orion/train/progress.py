"""How a run looks while it runs: a line now and then, or one that moves on a terminal."""

from __future__ import annotations

import contextlib
import sys
import time
from collections.abc import Callable, Iterator
from typing import Any

from .trainer import Trainer

GIGABYTE = 1 << 30


class Progress:
    """Told each line of metrics; every `period` steps it says where things stand."""

    def __init__(self, trainer: Trainer, say: Callable[[str], None]) -> None:
        self._trainer = trainer
        self._say = say
        self._period = trainer.settings.steps_per_report
        self._iters = trainer.settings.iters
        self._first = trainer.step_done
        self._begun = time.perf_counter()
        self._since: list[dict[str, Any]] = []
        self._told = 0
        self.say_notes()
        self._show: Callable[[str, int], None] = lambda _text, _step: None

    def note(self, line: dict[str, Any]) -> None:
        self.say_notes()
        self._since.append(line)
        step = line["step"]
        self._show(self._text(line), step)
        is_due = self._period and step % self._period == 0
        if is_due or "val_loss" in line or step == self._iters:
            self._say(self._text(line))
            self._since.clear()

    def say_notes(self) -> None:
        """What the trainer has to tell, once."""
        while self._told < len(self._trainer.notes):
            self._say(self._trainer.notes[self._told])
            self._told += 1

    def _text(self, line: dict[str, Any]) -> str:
        """Loss and speed are means since the last report."""
        rows = self._since
        loss = sum(row["loss"] for row in rows) / len(rows)
        seconds = sum(row["step_s"] for row in rows)
        targets = sum(row["tokens_per_s"] * row["step_s"] for row in rows)
        parts = [
            f"step {line['step']}/{self._iters}",
            f"loss {loss:.4f}",
            f"lr {line['learning_rate']:.2e}",
            f"{targets / seconds:,.0f} tokens/s",
            f"{line['memory_bytes'] / GIGABYTE:.2f} GB",
            f"{clock(self._left(line['step']))} left",
        ]
        if not self._trainer.learner.loss_scale.is_fixed:
            parts.insert(3, f"scale {line['loss_scale']:g}, {line['skipped']} skipped")
        if line["virtual_s"]:
            predicted = sum(row["virtual_s"] for row in rows) / len(rows)
            parts.insert(-1, f"predicted {predicted * 1e3:.4g} ms/step on the device")
        if "val_loss" in line:
            parts.insert(2, f"val loss {line['val_loss']:.4f}")
        return "  ".join(parts)

    def _left(self, step: int) -> float:
        done = step - self._first
        return (time.perf_counter() - self._begun) / max(1, done) * (self._iters - step)

    @contextlib.contextmanager
    def shown(self) -> Iterator[None]:
        """A bar below the lines, where somebody looks."""
        if not sys.stderr.isatty():
            yield
            return
        from rich.console import Console
        from rich.progress import BarColumn, TextColumn
        from rich.progress import Progress as Bar

        console = Console(stderr=True)
        with Bar(BarColumn(), TextColumn("{task.description}"), console=console) as bar:
            task = bar.add_task("", total=self._iters, completed=self._first)

            def show(text: str, step: int) -> None:
                bar.update(task, completed=step, description=text)

            self._show = show
            before, self._say = self._say, lambda text: console.print(text, highlight=False)
            yield
            self._say = before


def clock(seconds: float) -> str:
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"
