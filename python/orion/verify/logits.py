"""A directory with `expected.npz`: logits, loss and greedy tokens of a model against a device's.

The file holds `input_ids` [rows, positions], `logits` [rows, positions, vocabulary], `loss` (mean
cross-entropy of every next token), and `greedy`, which follows the first tokens of row 0. It may
hold `grad/<parameter>` of the loss.
"""

import math
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from orion.errors import OrionError
from orion.generate import Model
from orion.runtime import profile
from orion.verify.gradients import GradientError

REFERENCE = "expected.npz"
GRADIENT = "grad/"
# How many tokens of row 0 the greedy ones continue.
PROMPT = 8


@dataclass(frozen=True)
class Tolerance:
    """`logits` bounds their largest difference; choices closer than `margin` may differ."""

    logits: float
    margin: float


FP32 = Tolerance(2e-4, 0.0)
FP16 = Tolerance(2e-2, 0.05)


@dataclass(frozen=True)
class Reference:
    input_ids: np.ndarray
    logits: np.ndarray
    loss: float
    greedy: list[int]
    # Of the loss, by parameter; there may be none.
    gradients: Mapping[str, np.ndarray] = field(default_factory=dict)


class TakesTokens(Protocol):
    """What is asked of a session."""

    def reset(self) -> None: ...

    def feed(self, tokens: list[int], logits: int = 0) -> np.ndarray: ...


@dataclass(frozen=True)
class Difference:
    """How far a session is from the reference."""

    logits_max_abs: float
    loss_abs: float
    # Positions where the reference's choice is clear, and another was made.
    argmax_differs: int
    greedy_equal: bool
    positions: int

    def passes(self, tolerance: Tolerance) -> bool:
        """What is no number is never within a bound."""
        return (
            self.logits_max_abs <= tolerance.logits
            and self.argmax_differs == 0
            and self.greedy_equal
        )


@dataclass(frozen=True)
class LogitsReport:
    model: str
    device: str
    profile: str
    route: str
    logits_max_abs: float
    loss_abs: float
    greedy_equal: bool
    argmax_differs: int
    positions: int
    # None where gradients were not compared.
    grad_rel_l2_max: float | None
    grad_rel_l2_worst: str | None
    grad_tolerance: float
    tolerance: float
    margin: float
    compiles: int
    cache_hits: int
    loads: int
    evals: int
    virtual_s: float
    # Entries of the cache that were damaged and made again.
    healed: list[str]
    passed: bool

    def to_json(self) -> dict[str, Any]:
        """What is no number is null, for JSON has no other word for it."""
        content = asdict(self)
        numbers = [name for name, value in content.items() if isinstance(value, float)]
        return content | {name: None for name in numbers if not math.isfinite(content[name])}

    def table(self) -> tuple[list[str], list[list[object]]]:
        rows: list[list[object]] = [
            ["logits, largest difference", self.logits_max_abs, f"at most {self.tolerance:g}"],
            ["loss, difference", self.loss_abs, ""],
            ["choices that differ", self.argmax_differs, f"none of {self.positions}"],
            ["greedy continuation", "equal" if self.greedy_equal else "differs", "equal"],
            ["gradients, largest relative error", *self.gradient_row()],
            ["compiles", self.compiles, ""],
            ["loads", self.loads, ""],
            ["evaluations", self.evals, ""],
            ["cache entries rebuilt", len(self.healed), ""],
            ["verdict", "passed" if self.passed else "FAILED", ""],
        ]
        return ["", self.device, "expected"], rows

    def gradient_row(self) -> list[object]:
        if self.grad_rel_l2_max is None:
            return ["not compared", ""]
        return [self.grad_rel_l2_max, f"at most {self.grad_tolerance:g}"]

    def failures(self) -> list[str]:
        where = f"{self.model} on {self.device}"
        checks = (
            (
                self.logits_max_abs <= self.tolerance,
                f"logits are up to {self.logits_max_abs:.3g} from the reference's; at most"
                f" {self.tolerance:g} is expected of profile {self.profile}",
            ),
            (
                self.argmax_differs == 0,
                f"{self.argmax_differs} of {self.positions} likeliest tokens are others than the"
                f" reference's, which lead by more than {self.margin:g}",
            ),
            (self.greedy_equal, "the greedy continuation is another than the reference's"),
            (
                self.grad_rel_l2_max is None or self.grad_rel_l2_max <= self.grad_tolerance,
                f"the gradient of {self.grad_rel_l2_worst} is off by {self.grad_rel_l2_max} of its"
                f" norm; at most {self.grad_tolerance:g} is expected of profile {self.profile}",
            ),
        )
        return [f"{where}: {message}" for holds, message in checks if not holds]


def read_reference(directory: Path) -> Reference:
    """OrionError when the directory has no reference, or it is damaged."""
    path = directory / REFERENCE
    if not path.is_file():
        raise OrionError(
            f"{directory}: holds no {REFERENCE} to compare with; name a directory that does, or"
            " give reference ids with --ids"
        )
    try:
        # Nothing in it can run code: arrays of objects are refused.
        with np.load(path, allow_pickle=False) as file:
            ids, logits = file["input_ids"], file["logits"]
            loss, greedy = float(file["loss"]), file["greedy"]
            gradients = {
                name.removeprefix(GRADIENT): file[name]
                for name in file.files
                if name.startswith(GRADIENT)
            }
    except KeyError as error:
        raise OrionError(f"{path}: {error.args[0]}") from None
    except (OSError, ValueError, EOFError, TypeError, zipfile.BadZipFile) as error:
        raise OrionError(f"{path}: is no file of arrays or is damaged: {error}") from None
    check(path, ids, logits, greedy)
    return Reference(ids, logits, loss, [int(token) for token in greedy], gradients)


def check(path: Path, ids: np.ndarray, logits: np.ndarray, greedy: np.ndarray) -> None:
    whole = all(np.issubdtype(array.dtype, np.integer) for array in (ids, greedy))
    fits = ids.ndim == 2 and logits.ndim == 3 and logits.shape[:2] == ids.shape
    if not whole or not fits or greedy.ndim != 1 or 0 in logits.shape or ids.shape[1] < PROMPT:
        raise OrionError(
            f"{path}: expected whole input_ids [rows, {PROMPT} or more positions], logits [rows,"
            f" positions, vocabulary] and whole greedy [tokens], found {list(ids.shape)},"
            f" {list(logits.shape)} and {list(greedy.shape)}"
        )


def tolerance_of(name: str) -> Tolerance:
    """By the profile's arithmetic."""
    return FP16 if profile(name)["preferences"]["activation"] == "fp16" else FP32


def verify_logits(
    model: Model,
    reference: Reference,
    bound: float | None = None,
    gradients: GradientError | None = None,
) -> LogitsReport:
    """`bound` replaces that of the profile for the largest difference of logits; `gradients` were
    compared before.
    """
    device = model.device
    vocabulary = reference.logits.shape[2]
    if vocabulary != model.session.vocabulary:
        raise OrionError(
            f"{model.source}: has {model.session.vocabulary} tokens, its {REFERENCE}"
            f" {vocabulary}; the two are not of one model"
        )
    usual = tolerance_of(device.profile)
    tolerance = Tolerance(usual.logits if bound is None else bound, usual.margin)
    found = compare(model.session, reference, tolerance.margin)
    counters = device.counters()
    return LogitsReport(
        model=str(model.source),
        device=device.name,
        profile=device.profile,
        route=device.route,
        **asdict(found),
        grad_rel_l2_max=gradients.largest if gradients else None,
        grad_rel_l2_worst=gradients.parameter if gradients else None,
        grad_tolerance=gradients.bound if gradients else 0.0,
        tolerance=tolerance.logits,
        margin=tolerance.margin,
        compiles=counters["compiles"],
        cache_hits=counters["cache_hits"],
        loads=counters["loads"],
        evals=counters["evals"],
        virtual_s=counters["virtual_s"],
        healed=[],
        passed=found.passes(tolerance) and (gradients is None or gradients.passes),
    )


def compare(session: TakesTokens, reference: Reference, margin: float) -> Difference:
    logits = np.stack([logits_of(session, row.tolist()) for row in reference.input_ids])
    best = np.sort(reference.logits, axis=-1)
    clear = best[..., -1] - best[..., -2] > margin
    differs = logits.argmax(-1) != reference.logits.argmax(-1)
    return Difference(
        # A maximum of numpy passes on what is no number.
        logits_max_abs=float(np.abs(logits - reference.logits).max()),
        loss_abs=abs(loss(logits, reference.input_ids) - reference.loss),
        argmax_differs=int((differs & clear).sum()),
        greedy_equal=is_greedy(session, reference, margin),
        positions=int(clear.size),
    )


def logits_of(session: TakesTokens, ids: list[int]) -> np.ndarray:
    """[positions, vocabulary] of tokens that are read at once."""
    session.reset()
    return session.feed(ids, logits=len(ids))


def loss(logits: np.ndarray, ids: np.ndarray) -> float:
    """Mean cross-entropy of every next token."""
    rows = logits[:, :-1].astype(np.float64)
    with np.errstate(invalid="ignore"):
        rows -= rows.max(-1, keepdims=True)
        chosen = np.take_along_axis(rows, ids[:, 1:, None], -1)[..., 0]
        return float((np.log(np.exp(rows).sum(-1)) - chosen).mean())


def is_greedy(session: TakesTokens, reference: Reference, margin: float) -> bool:
    """Whether each greedy token is chosen after those before it, or all but chosen.

    The reference's own lead is not known here, so the device's counts.
    """
    session.reset()
    row = session.feed(reference.input_ids[0, :PROMPT].tolist(), logits=1)[-1]
    for expected in reference.greedy:
        chosen = int(row.argmax())
        if chosen != expected and not 0 < row[chosen] - row[expected] <= margin:
            return False
        row = session.feed([expected], logits=1)[-1]
    return True
