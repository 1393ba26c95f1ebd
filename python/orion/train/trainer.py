"""A run: batches through the device, updates, checkpoints; prints nothing and knows no terminal.

trainer = Trainer(model="stories260K", data="mine", output="run", iters=200, device="cpu")
for line in trainer.steps():
    print(line["step"], line["loss"])
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..data import Batch, Batches, Data, in_order, open_data
from ..errors import UsageError
from ..runtime import Device
from . import checkpoint
from .checkpoint import Saved
from .divergence import DivergedError, Divergence
from .learner import Gradients, Learner
from .learnt import AdaptersAlone, Learnt, WholeModel
from .lora import Lora
from .metrics import METRICS, MetricsFile, current_memory, peak_memory
from .rundirectory import RunDirectory
from .schedule import learning_rate
from .settings import Settings
from .source import open_source

SEQUENCE = 256
# Steps in a row that overflow before it is no matter of scale.
OVERFLOWS_MAX = 20


class Trainer:
    """Everything of one run. `output` receives metrics and checkpoints; None: nothing is kept.

    `model` or `preset` as in `open_source`; `resume` takes up the last checkpoint of `output`. With
    `lora` adapters learn and the model stays.
    Errors: UsageError for settings, OrionError for data, model, device or checkpoint.
    """

    def __init__(
        self,
        model: str | os.PathLike[str] | None = None,
        data: str | os.PathLike[str] | None = None,
        *,
        preset: str | os.PathLike[str] | None = None,
        output: str | os.PathLike[str] | None = None,
        resume: bool = False,
        device: str | Device = "auto",
        cache_dir: str | os.PathLike[str] | None = None,
        settings: Settings | None = None,
        lora: Lora | None = None,
        **options: Any,
    ) -> None:
        if data is None:
            raise UsageError("Give a directory of data; `orion data` makes one from text.")
        self.settings = settings or Settings(**options)
        self.source = open_source(
            None if model is None else Path(model),
            None if preset is None else str(preset),
            self.settings.seed,
        )
        self.sequence = self._sequence_length()
        self.data = self._open_data(Path(data))
        files = self.data.tokenizer.files
        self.learnt: Learnt = (
            WholeModel(self.source, files)
            if lora is None
            else AdaptersAlone(self.source, files, lora, None if model is None else str(model))
        )
        self._closes_device = not isinstance(device, Device)
        self.device = device if isinstance(device, Device) else Device(device, cache_dir=cache_dir)
        self.learner = Learner(self.learnt, self.device, self.sequence, self.settings)
        self.notes = self.learner.notes
        self.notes += self._first_notes()
        self.divergence = Divergence()
        self.step_done = self.skipped = self.tokens = 0
        self.val_loss: float | None = None
        self.batches = Batches(
            self.data.train,
            self.settings.batch_size,
            self.sequence,
            self.learner.plan.vocabulary,
            seed=self.settings.seed,
        )
        self.run = None if output is None else RunDirectory(Path(output), resume=resume)
        self._begin(self.run.resumed if self.run else None)
        self._validation: list[Batch] | None = None
        self._metrics: MetricsFile | None = None
        self._overflows = 0

    def _sequence_length(self) -> int:
        context = int(self.source.config.context)
        asked = self.settings.max_seq_length or min(SEQUENCE, context)
        if asked > context:
            raise UsageError(
                f"--max-seq-length {asked} is beyond the model's context of {context} tokens."
            )
        return asked

    def _open_data(self, directory: Path) -> Data:
        return open_data(
            directory,
            self.sequence,
            int(self.source.config.vocabulary),
            self.source.tokenizer,
            mask_prompt=self.settings.mask_prompt,
        )

    def _first_notes(self) -> list[str]:
        """What a user should know before it starts."""
        notes = list(self.data.notes)
        if self.data.valid is None:
            notes.append(f"{self.data.directory}: holds no valid.*, so nothing is validated")
        return notes

    def _begin(self, resumed: Saved | None) -> None:
        asked = self.settings.weight_update
        if asked == "auto" and resumed:
            asked = resumed.state["weight_update"]
        self.learner.prepare(asked)
        if resumed:
            checkpoint.load(resumed, self.learnt, self.learner.parameters)
            self._load(resumed.state)
        self.learner.begin()

    # ---- one step ----

    def step(self) -> dict[str, Any]:
        """One update from new batches: its line of metrics. DivergedError ends a run gone wrong."""
        learner, begun = self.learner, time.perf_counter()
        before = learner.machine.counters()
        batches = [self.batches.next() for _ in range(self.settings.grad_accumulation_steps)]
        scale = learner.loss_scale.value
        first = self.step_done * len(batches)
        found = learner.gradients(batches, first)
        self.step_done += 1
        verified = {}
        if self.step_done <= self.settings.verify and found.is_finite:
            verified = learner.verify(self.step_done, batches, first)
        rate = self.learning_rate(self.step_done)
        update_begun = time.perf_counter()
        if found.is_finite:
            self._overflows = 0
            learner.update(self.step_done, rate, found.norm)
        else:
            self._skip(found)
        now = time.perf_counter()
        self.tokens += found.targets
        after = learner.machine.counters()
        learner.loss_scale.note(overflowed=not found.is_finite)
        if math.isfinite(found.loss) or learner.loss_scale.is_fixed:
            self._stop_if(self.divergence.note(found.loss))
        return {
            "step": self.step_done,
            "loss": found.loss,
            "learning_rate": rate,
            "tokens": self.tokens,
            "tokens_per_s": found.targets / (now - begun),
            "grad_norm": found.norm,
            "loss_scale": scale,
            "skipped": self.skipped,
            "compiles": after["compiles"],
            "loaded_programs": after["loaded_programs"],
            "update_s": now - update_begun,
            "step_s": now - begun,
            "virtual_s": after["virtual_s"] - before["virtual_s"],
            "epoch": self.batches.epoch,
            "memory_bytes": current_memory(),
            "weight_update": learner.strategy.name,
            **verified,
        }

    def learning_rate(self, step: int) -> float:
        settings = self.settings
        return learning_rate(
            step,
            peak=settings.learning_rate,
            end=settings.lr_end,
            schedule=settings.lr_schedule,
            warmup=settings.warmup,
            iters=settings.iters,
            warmup_init=settings.warmup_init,
        )

    def _skip(self, found: Gradients) -> None:
        """Gradients that overflowed change nothing."""
        self.skipped += 1
        self._overflows += 1
        scale = self.learner.loss_scale
        if scale.is_exhausted or self._overflows >= OVERFLOWS_MAX:
            self._stop_if(
                f"gradients of {self._overflows} steps in a row were no numbers (loss"
                f" {found.loss:.4g}, loss scale {scale.value:.3g})"
            )

    def _stop_if(self, fault: str | None) -> None:
        if fault is None:
            return
        kept = checkpoint.directories(self.run.path)[-1:] if self.run else []
        where = (
            f"the last good checkpoint is {kept[0]}" if kept else "no checkpoint was saved before"
        )
        raise DivergedError(
            f"step {self.step_done}: the run diverged: {fault}. Try a learning rate of"
            f" {self.settings.learning_rate / 10:.3g}, more --warmup, or a smaller --grad-clip;"
            f" {where}."
        )

    # ---- the loop ----

    def steps(self) -> Iterator[dict[str, Any]]:
        """Steps up to `iters`, evaluated, written and saved as the settings say."""
        settings = self.settings
        self._metrics = MetricsFile(self.run.path / METRICS, self.step_done) if self.run else None
        try:
            while self.step_done < settings.iters:
                line = self.step()
                step, last = self.step_done, self.step_done == settings.iters
                if is_due(step, settings.steps_per_eval, last) and self.data.valid is not None:
                    self.val_loss = line["val_loss"] = self.evaluate()
                if self._metrics:
                    self._metrics.add(line)
                if is_due(step, settings.save_every, last):
                    self.save()
                yield line
        finally:
            if self._metrics:
                self._metrics.close()

    def evaluate(self) -> float:
        """Mean loss a target over `val_batches` batches (-1: all) of the validation data."""
        valid = self.data.valid
        if valid is None:
            raise UsageError(f"{self.data.directory}: holds no validation data")
        if self._validation is None:
            count = self.settings.val_batches
            self._validation = in_order(
                valid,
                self.settings.batch_size,
                self.sequence,
                self.learner.plan.vocabulary,
                None if count < 0 else max(1, count),
            )
        return self.learner.loss(self._validation)

    # ---- checkpoints ----

    def save(self) -> Path | None:
        """The checkpoint written; None where nothing is kept, or the run is doubtful."""
        if self.run is None or self.divergence.is_doubtful:
            return None
        target = self.run.path / checkpoint.FOLDER / f"step-{self.step_done:08d}"
        if target.is_dir():
            return target
        path = checkpoint.save(self.run.path, self.learnt, self.learner.parameters, self.state())
        checkpoint.prune(self.run.path, self.settings.keep)
        return path

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step_done,
            "skipped": self.skipped,
            "tokens": self.tokens,
            "position": self.batches.position,
            "divergence": self.divergence.to_json(),
            "val_loss": self.val_loss,
            "device": self.device.name,
            "profile": self.device.profile,
            "sequence": self.sequence,
            "settings": self.settings.to_json(),
            **self.learner.state(),
        }

    def _load(self, state: dict[str, Any]) -> None:
        self.step_done, self.skipped, self.tokens = (
            state[name] for name in ("step", "skipped", "tokens")
        )
        self.batches.position = state["position"]
        self.divergence.load(state["divergence"])
        self.val_loss = state["val_loss"]
        self.learner.load(state)
        self.notes.append(f"resumed after step {self.step_done}")

    @property
    def peak_memory(self) -> int:
        return peak_memory()

    def close(self) -> None:
        """Gives the device its programs back, and the run's directory to whoever wants it."""
        self.learner.close()
        if self.run:
            self.run.close()
        if self._closes_device:
            self.device.close()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def is_due(step: int, period: int, last: bool) -> bool:
    """Each `period` steps and at the end; period 0: at the end alone."""
    return last or bool(period and step % period == 0)
