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

from ..compile.training import make_training_plan
from ..data import Batch, Batches, Data, in_order, open_data
from ..errors import UsageError
from ..runtime import Device, profile
from . import checkpoint
from .divergence import DivergedError, Divergence
from .executor import Executor
from .loss_scale import LossScale
from .machine import DeviceMachine
from .metrics import METRICS, MetricsFile, current_memory, peak_memory
from .optimizer import gradient_norm, update
from .parameters import Parameters
from .rundirectory import RunDirectory
from .schedule import learning_rate
from .settings import Settings
from .source import open_source
from .strategy import WAYS, Inputs, StaleWeightsError, Strategy, choose, plan_for
from .verify import Verifier

# Where a run starts on a device that computes in fp16.
LOSS_SCALE = 2.0**12
SEQUENCE = 256
# Steps in a row that overflow before it is no matter of scale.
OVERFLOWS_MAX = 20


class Trainer:
    """Everything of one run. `output` receives metrics and checkpoints; None: nothing is kept.

    `model` or `preset` as in `open_source`; `resume` takes up the last checkpoint of `output`.
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
        self._closes_device = not isinstance(device, Device)
        self.device = device if isinstance(device, Device) else Device(device, cache_dir=cache_dir)
        self.profile = profile(self.device.profile)
        self.plan = make_training_plan(
            self.source.family,
            self.source.config,
            self.profile,
            sequence=self.sequence,
            batch=self.settings.batch_size,
        )
        self.machine = DeviceMachine(self.device)
        self.notes = self._first_notes()
        self.loss_scale = self._first_scale()
        self.divergence = Divergence()
        self.step_done = self.updates = self.skipped = self.tokens = 0
        self.val_loss: float | None = None
        self.batches = Batches(
            self.data.train,
            self.settings.batch_size,
            self.sequence,
            self.plan.vocabulary,
            seed=self.settings.seed,
        )
        self.run = None if output is None else RunDirectory(Path(output), resume=resume)
        way = self._choose_way()
        self.parameters = Parameters(
            plan_for(way, self.plan), self.machine, self.source.checkpoint.tensors
        )
        self._resume()
        self._begin_with(way)
        self._validation: list[Batch] | None = None
        self._metrics: MetricsFile | None = None
        self._overflows = 0
        self._verifier: Verifier | None = None
        # Of each verified step, by parameter.
        self.gradient_errors: list[dict[str, float]] = []

    def _choose_way(self) -> str:
        asked = self.settings.weight_update
        if asked == "auto" and self.run and self.run.resumed:
            asked = self.run.resumed.state["weight_update"]
        way, note = choose(asked, self.machine, self.plan)
        self.notes += [note] if note else []
        return way

    def _begin_with(self, way: str) -> None:
        """Programs for the parameters as they are now."""
        self.strategy: Strategy = WAYS[way](self.parameters.plan, self.machine, self.parameters)
        self.executor = Executor(
            self.parameters.plan,
            self.machine,
            self.parameters,
            self.strategy.programs,
            # On `cpu` the device's threads are the host's.
            overlaps=self.device.kind != "cpu",
            seed=self.settings.seed,
        )

    def _change_to(self, way: str) -> None:
        """Another way from here on; masters and moments stay what they are."""
        self.strategy.close()
        before = self.parameters
        with before.held():
            numbers = {key: array.copy() for key, array in before.named().items()}
        self.parameters = Parameters(plan_for(way, self.plan), self.machine, numbers)
        self.parameters.first, self.parameters.second = before.first, before.second
        self._begin_with(way)

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

    def _first_scale(self) -> LossScale:
        if self.profile["arithmetic"]["storage"] == "declared":
            return LossScale(self.settings.loss_scale or 1.0, is_fixed=True)
        return LossScale(self.settings.loss_scale or LOSS_SCALE)

    # ---- one step ----

    def step(self) -> dict[str, Any]:
        """One update from new batches: its line of metrics. DivergedError ends a run gone wrong."""
        begun = time.perf_counter()
        before = self.machine.counters()
        batches = [self.batches.next() for _ in range(self.settings.grad_accumulation_steps)]
        targets = sum(batch.tokens for batch in batches)
        scale = self.loss_scale.value
        self.executor.begin()
        loss, is_finite = 0.0, True
        for number, batch in enumerate(batches, self.step_done * len(batches)):
            outcome = self.executor.run(batch, scale, max(1, targets), number)
            loss += outcome.loss / max(1, targets)
            is_finite &= outcome.is_finite
        self.executor.finish()
        norm = gradient_norm(self.parameters) if is_finite else math.inf
        self.step_done += 1
        verified = self._verify(batches, targets) if math.isfinite(norm) else {}
        rate = self.learning_rate(self.step_done)
        update_begun = time.perf_counter()
        if math.isfinite(norm):
            self._update(rate, norm)
        else:
            self._skip(loss)
        now = time.perf_counter()
        self.tokens += targets
        after = self.machine.counters()
        line = {
            "step": self.step_done,
            "loss": loss,
            "learning_rate": rate,
            "tokens": self.tokens,
            "tokens_per_s": targets / (now - begun),
            "grad_norm": norm,
            "loss_scale": scale,
            "skipped": self.skipped,
            "compiles": after["compiles"],
            "loaded_programs": after["loaded_programs"],
            "update_s": now - update_begun,
            "step_s": now - begun,
            "virtual_s": after["virtual_s"] - before["virtual_s"],
            "epoch": self.batches.epoch,
            "memory_bytes": current_memory(),
            "weight_update": self.strategy.name,
            **verified,
        }
        self.loss_scale.note(overflowed=not math.isfinite(norm))
        if math.isfinite(loss) or self.loss_scale.is_fixed:
            self._stop_if(self.divergence.note(loss))
        return line

    def _verify(self, batches: list[Batch], targets: int) -> dict[str, Any]:
        """The first steps' gradients against fp32: what a line of metrics says of them."""
        if self.step_done > self.settings.verify:
            self._verifier = None
            return {}
        if self._verifier is None:
            self._verifier = Verifier(
                self.source, self.device, self.sequence, self.settings.batch_size
            )
        errors = self._verifier.errors(self.parameters, batches, targets)
        self.gradient_errors.append(errors)
        return self._verifier.check(self.step_done, errors)

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

    def _update(self, rate: float, norm: float) -> None:
        self.updates += 1
        self._overflows = 0
        try:
            update(
                self.parameters,
                self.strategy,
                self.settings,
                step=self.updates,
                learning_rate=rate,
                norm=norm,
            )
        except StaleWeightsError as error:
            # The masters have learnt; what the device holds has not.
            self._change_to(Inputs.name)
            self.notes.append(f"step {self.step_done}: {error}; from here weights are inputs")

    def _skip(self, loss: float) -> None:
        """Gradients that overflowed change nothing."""
        self.skipped += 1
        self._overflows += 1
        if self.loss_scale.is_exhausted or self._overflows >= OVERFLOWS_MAX:
            self._stop_if(
                f"gradients of {self._overflows} steps in a row were no numbers (loss {loss:.4g},"
                f" loss scale {self.loss_scale.value:.3g})"
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
                self.plan.vocabulary,
                None if count < 0 else max(1, count),
            )
        outcomes = [self.executor.evaluate(batch) for batch in self._validation]
        return sum(o.loss for o in outcomes) / max(1, sum(o.count for o in outcomes))

    # ---- checkpoints ----

    def save(self) -> Path | None:
        """The checkpoint written; None where nothing is kept, or the run is doubtful."""
        if self.run is None or self.divergence.is_doubtful:
            return None
        target = self.run.path / checkpoint.FOLDER / f"step-{self.step_done:08d}"
        if target.is_dir():
            return target
        files = self.data.tokenizer.files
        path = checkpoint.save(self.run.path, self.source, self.parameters, self.state(), files)
        checkpoint.prune(self.run.path, self.settings.keep)
        return path

    def state(self) -> dict[str, Any]:
        return {
            "step": self.step_done,
            "updates": self.updates,
            "skipped": self.skipped,
            "tokens": self.tokens,
            "position": self.batches.position,
            "loss_scale": {"value": self.loss_scale.value, "good": self.loss_scale.good},
            "divergence": self.divergence.to_json(),
            "val_loss": self.val_loss,
            "device": self.device.name,
            "profile": self.device.profile,
            "weight_update": self.strategy.name,
            "sequence": self.sequence,
            "settings": self.settings.to_json(),
        }

    def _resume(self) -> None:
        found = self.run.resumed if self.run else None
        if found is None:
            return
        checkpoint.load(found, self.source, self.parameters)
        state = found.state
        self.step_done, self.updates = state["step"], state["updates"]
        self.skipped, self.tokens = state["skipped"], state["tokens"]
        self.batches.position = state["position"]
        scale = state["loss_scale"]
        if not self.loss_scale.is_fixed:
            self.loss_scale.value, self.loss_scale.good = scale["value"], scale["good"]
        self.divergence.load(state["divergence"])
        self.val_loss = state["val_loss"]
        self.notes.append(f"resumed after step {self.step_done}")

    def _first_notes(self) -> list[str]:
        """What a user should know before it starts."""
        notes = list(self.data.notes)
        if self.data.valid is None:
            notes.append(f"{self.data.directory}: holds no valid.*, so nothing is validated")
        return notes

    @property
    def peak_memory(self) -> int:
        return peak_memory()

    def close(self) -> None:
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
