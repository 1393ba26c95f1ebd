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

from ..data import Batch, Batches, in_order
from ..errors import UsageError
from ..runtime import Device
from ..runtime.memory import current_memory
from . import checkpoint
from .checkpoint import Saved
from .divergence import DivergedError, Divergence
from .kept import Kept
from .learner import Gradients, Learner
from .lora import Lora
from .ranks import LostRankError, Ranks, check_facts, check_parameters, find_ranks
from .settings import Settings
from .task import open_task

# Steps in a row that overflow before it is no matter of scale.
OVERFLOWS_MAX = 20


class Trainer:
    """Everything of one run. `output` receives metrics and checkpoints; None: nothing is kept.

    `model` or `preset` as in `open_source`; `resume` takes up the last checkpoint of `output`. With
    `lora` adapters learn and the model stays. `ranks` train together, by default those that
    `find_ranks` finds: this process alone, unless a launcher of MPI started several.
    Errors: UsageError for settings, OrionError for data, model, device or checkpoint, RanksError
    when ranks have different ones.
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
        ranks: Ranks | None = None,
        **options: Any,
    ) -> None:
        self.ranks = find_ranks() if ranks is None else ranks
        self.settings = self.ranks.together(lambda: settings or Settings(**options))
        self.ranks.timeout = self.settings.rank_timeout
        task = self.ranks.together(lambda: open_task(model, preset, data, self.settings, lora))
        self.learnt, self.data, self.sequence = task.learnt, task.data, task.sequence
        self._closes_device = not isinstance(device, Device)
        self.device = self.ranks.together(
            lambda: (
                device
                if isinstance(device, Device)
                else Device(device, cache_dir=cache_dir, threads=self.ranks.threads)
            )
        )
        kept = {"profile": self.device.profile, "resume": resume, "keeps a run": bool(output)}
        check_facts(self.ranks, {**task.facts(), **kept})
        self.learner = self.ranks.together(
            lambda: Learner(self.learnt, self.device, self.sequence, self.settings, self.ranks)
        )
        self.notes = self.learner.notes
        self.notes += task.notes(self.ranks)
        self.divergence = Divergence()
        self.step_done = self.skipped = self.tokens = 0
        self.val_loss: float | None = None
        self.batches = Batches(
            self.data.train,
            self.settings.batch_size,
            self.sequence,
            self.learner.plan.vocabulary,
            seed=self.settings.seed,
            part=self._part,
        )
        self.kept = Kept(None if output is None else Path(output), self.ranks, resume=resume)
        self.ranks.together(lambda: self._begin(self.kept.resumed))
        check_parameters(self.ranks, self.learner.parameters, self.step_done)
        self._validation: list[Batch] | None = None
        self._overflows = 0
        self._is_asked_to_stop = False

    @property
    def _part(self) -> tuple[int, int]:
        return self.ranks.rank, self.ranks.count

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
        rate = self.settings.rate(self.step_done)
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
            **self.ranks.metrics(found.overlap),
            **verified,
        }

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
        raise DivergedError(
            f"step {self.step_done}: the run diverged: {fault}. Try a learning rate of"
            f" {self.settings.learning_rate / 10:.3g}, more --warmup, or a smaller --grad-clip;"
            f" {self.kept.last_saved()}."
        )

    # ---- the loop ----

    def steps(self) -> Iterator[dict[str, Any]]:
        """Steps up to `iters`, evaluated, written and saved as the settings say.

        LostRankError when a rank that trains along is gone.
        """
        self.kept.begin_metrics(self.step_done)
        try:
            while self.step_done < self.settings.iters:
                line = self.step()
                self._conclude(line)
                yield line
                if self.ranks.any(self._is_asked_to_stop):
                    return
        except LostRankError as error:
            raise LostRankError(
                f"step {self.step_done + 1}: {error}; {self.kept.last_saved()}, and --resume goes"
                " on from there with any number of ranks"
            ) from None
        finally:
            self.kept.end_metrics()

    def _conclude(self, line: dict[str, Any]) -> None:
        """What is due after a step."""
        settings, step = self.settings, self.step_done
        last = step == settings.iters
        if is_due(step, settings.steps_per_eval, last) and self.data.valid is not None:
            self.val_loss = line["val_loss"] = self.evaluate()
        self.kept.add_metrics(line)
        if is_due(step, settings.check_ranks_every, last):
            check_parameters(self.ranks, self.learner.parameters, step)
        if is_due(step, settings.save_every, last):
            self.save()

    def stop(self) -> None:
        """`steps` ends after the step that is under way, on all ranks."""
        self._is_asked_to_stop = True

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
                part=self._part,
            )
        return self.learner.loss(self._validation)

    # ---- checkpoints ----

    def save(self) -> Path | None:
        """The checkpoint written; None where nothing is kept, or the run is doubtful."""
        if self.divergence.is_doubtful:
            return None
        parameters = self.learner.parameters
        check_parameters(self.ranks, parameters, self.step_done)
        return self.kept.save(self.learnt, parameters, self.state(), self.settings.keep)

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step_done,
            "skipped": self.skipped,
            "tokens": self.tokens,
            "position": self.batches.position,
            "divergence": self.divergence.to_json(),
            "val_loss": self.val_loss,
            "ranks": self.ranks.count,
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
        before = state.get("ranks", 1)
        if before != self.ranks.count:
            self.notes.append(
                f"{before} ranks trained before, now {self.ranks.count}; --batch-size is each"
                " rank's"
            )

    def close(self) -> None:
        """Gives the device its programs back, and the run's directory to whoever wants it."""
        self.learner.close()
        self.kept.close()
        if self._closes_device:
            self.device.close()

    def __enter__(self) -> Trainer:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def is_due(step: int, period: int, last: bool) -> bool:
    """Each `period` steps and at the end; period 0: at the end alone."""
    return last or bool(period and step % period == 0)
