"""Forces reference tokens on a model and compares its choice at every position; prints nothing."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from orion.errors import OrionError
from orion.generate import Model
from orion.runtime import profile

# Below this distance between the reference's two best logits, fp16 may choose the other one.
FP16_MARGIN = 0.03
WAYS = ("at_once", "by_token")


@dataclass(frozen=True)
class Case:
    """A prompt and its reference continuation, with the lead of each choice over the next best."""

    prompt: str
    prompt_ids: list[int]
    new_ids: list[int]
    margins: list[float]


@dataclass(frozen=True)
class Difference:
    """A position where the device's likeliest token is another than the reference's."""

    position: int
    expected: int
    chosen: int
    margin: float
    way: str


@dataclass(frozen=True)
class CaseReport:
    prompt: str
    positions: int
    # Positions whose margin is over the threshold: the ones that count.
    compared: int
    differences: list[Difference]
    # Positions under the threshold where the choice differs, by either way.
    close_calls: int
    # Between feeding all tokens at once and feeding them one by one.
    ways_max_abs: float


@dataclass(frozen=True)
class Report:
    model: str
    device: str
    profile: str
    route: str
    threshold: float
    cases: list[CaseReport]
    compiles: int
    cache_hits: int
    loads: int
    evals: int
    virtual_s: float
    # Entries of the cache that were damaged and made again.
    healed: list[str] = field(default_factory=list)

    @property
    def passed(self) -> bool:
        return self.equal

    @property
    def equal(self) -> bool:
        return not any(case.differences for case in self.cases)

    def to_json(self) -> dict[str, Any]:
        return {"equal": self.equal, **asdict(self)}

    def table(self) -> tuple[list[str], list[list[object]]]:
        headings = ["prompt", "positions", "compared", "different", "close calls", "ways max abs"]
        rows: list[list[object]] = [
            [
                json.dumps(case.prompt[:40], ensure_ascii=False),
                case.positions,
                case.compared,
                len(case.differences),
                case.close_calls,
                case.ways_max_abs,
            ]
            for case in self.cases
        ]
        return headings, rows

    def failures(self) -> list[str]:
        return [
            f"{json.dumps(case.prompt[:40])}, new token {found.position} ({found.way}): the"
            f" reference chooses {found.expected} with a lead of {found.margin}, {self.device}"
            f" chooses {found.chosen}"
            for case in self.cases
            for found in case.differences
        ]


def read_cases(path: Path) -> list[Case]:
    """The `cases` of a JSON file; each list of margins is as long as its list of new ids."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        cases = [
            Case(case["prompt"], case["prompt_ids"], case["new_ids"], case["margins"])
            for case in content["cases"]
        ]
    except OSError as error:
        raise OrionError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise OrionError(
            f"{path} is no file of reference ids: expected an object with `cases`, each with"
            f" prompt, prompt_ids, new_ids and margins ({type(error).__name__}: {error})."
        ) from None
    for case in cases:
        if not case.prompt_ids or not case.new_ids or len(case.margins) != len(case.new_ids):
            raise OrionError(
                f"{path}: the case {case.prompt!r} has {len(case.prompt_ids)} prompt ids,"
                f" {len(case.new_ids)} new ids and {len(case.margins)} margins; expected at least"
                " one of each, and a margin for every new id."
            )
    return cases


def verify(model: Model, cases: Sequence[Case], margin: float | None = None) -> Report:
    """Compares the likeliest token after every forced prefix, where the margin exceeds `margin`."""
    device = model.device
    threshold = _threshold(device.profile) if margin is None else margin
    reports = [_compare(model, case, threshold) for case in cases]
    counters = device.counters()
    return Report(
        model=str(model.source),
        device=device.name,
        profile=device.profile,
        route=device.route,
        threshold=threshold,
        cases=reports,
        compiles=counters["compiles"],
        cache_hits=counters["cache_hits"],
        loads=counters["loads"],
        evals=counters["evals"],
        virtual_s=counters["virtual_s"],
    )


def _threshold(name: str) -> float:
    return FP16_MARGIN if profile(name)["preferences"]["activation"] == "fp16" else 0.0


def _compare(model: Model, case: Case, threshold: float) -> CaseReport:
    logits = dict(zip(WAYS, (_at_once(model, case), _by_token(model, case)), strict=True))
    differences = []
    close_calls = set()
    for way, rows in logits.items():
        chosen = rows.argmax(axis=1)
        for position in np.flatnonzero(chosen != np.array(case.new_ids)):
            if case.margins[position] <= threshold:
                close_calls.add(int(position))
                continue
            differences.append(
                Difference(
                    position=int(position),
                    expected=case.new_ids[position],
                    chosen=int(chosen[position]),
                    margin=case.margins[position],
                    way=way,
                )
            )
    apart = np.abs(logits[WAYS[0]] - logits[WAYS[1]])
    return CaseReport(
        prompt=case.prompt,
        positions=len(case.new_ids),
        compared=sum(margin > threshold for margin in case.margins),
        differences=differences,
        close_calls=len(close_calls),
        ways_max_abs=float(apart.max(initial=0.0)),
    )


def _at_once(model: Model, case: Case) -> np.ndarray:
    """Logits [new tokens, vocabulary] from one call over the prompt and all but the last token."""
    model.session.reset()
    tokens = [*case.prompt_ids, *case.new_ids[:-1]]
    return model.session.feed(tokens, logits=len(case.new_ids))


def _by_token(model: Model, case: Case) -> np.ndarray:
    """The same logits from a call for each token."""
    model.session.reset()
    rows = [model.session.feed(case.prompt_ids, logits=1)]
    rows += [model.session.feed([token], logits=1) for token in case.new_ids[:-1]]
    return np.concatenate(rows)
