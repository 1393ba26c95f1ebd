"""How a program fails: rules it breaks, the error of a device, or the numbers of two devices."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from orion.diagnose.arrays import random_inputs
from orion.errors import OrionError
from orion.runtime import Device, Program
from orion.runtime.checking import check


@dataclass(frozen=True)
class Failure:
    """`kind` is `rules`, `error` or `numbers`; `mark` is what a smaller program must share."""

    kind: str
    mark: str
    text: str


class Rules:
    """Fails when a rule is broken: the same ones at the same severity."""

    def __init__(self, profiles: Sequence[str], rules: Sequence[str] | None = None) -> None:
        self.profiles = list(profiles)
        self.rules = None if rules is None else frozenset(rules)

    def failure(self, text: str) -> Failure | None:
        broken = {
            finding.rule: finding
            for finding in check(text, profiles=self.profiles)
            if (finding.severity == "error" if self.rules is None else finding.rule in self.rules)
        }
        if not broken:
            return None
        first = next(iter(broken.values()))
        return Failure("rules", ",".join(sorted(broken)), f"{first.message} [{first.rule}]")


class Error:
    """Fails when the device compiles, loads or runs the program with an error."""

    def __init__(
        self, device: Device, function: str, seed: int, weights: Path | None = None
    ) -> None:
        self.device, self.function, self.seed, self.weights = device, function, seed, weights

    def failure(self, text: str) -> Failure | None:
        try:
            run_once(self.device, text, self.function, self.seed, self.weights)
        except OrionError as error:
            return Failure("error", _mark(str(error)), str(error))
        return None


class Numbers:
    """Fails when two devices give outputs that differ by more than a tolerance."""

    def __init__(self, devices: tuple[Device, Device], tolerance: float, error: Error) -> None:
        self.devices, self.tolerance, self.error = devices, tolerance, error

    def failure(self, text: str) -> Failure | None:
        try:
            results = [
                run_once(device, text, self.error.function, self.error.seed, self.error.weights)
                for device in self.devices
            ]
        except OrionError:
            return None
        for name, first in results[0].items():
            worst = distance(first, results[1][name])
            if worst > self.tolerance:
                names = " and ".join(device.name for device in self.devices)
                return Failure(
                    "numbers",
                    "numbers",
                    f"output {name} differs by {worst:.4g} between {names}, more than"
                    f" {self.tolerance:g}",
                )
        return None


def run_once(
    device: Device, text: str, function: str, seed: int, weights: Path | None
) -> dict[str, np.ndarray]:
    program = Program(device, text, weights, function)
    try:
        return program.run(random_inputs(program.inputs, seed))
    finally:
        program.close()


def distance(first: np.ndarray, second: np.ndarray) -> float:
    """The largest difference, relative to magnitudes above 1; infinite where one is NaN alone."""
    if first.shape != second.shape:
        return float("inf")
    a, b = first.astype(np.float64), second.astype(np.float64)
    same = (a == b) | (np.isnan(a) & np.isnan(b))
    with np.errstate(invalid="ignore", over="ignore"):
        apart = np.where(same, 0.0, np.abs(a - b) / np.maximum(1.0, np.abs(b)))
    apart = np.where(np.isnan(apart), np.inf, apart)
    return float(apart.max(initial=0.0))


def _mark(message: str) -> str:
    """The error without what changes as the program shrinks: names, numbers and places."""
    rules = re.findall(r"\[([a-z][a-z0-9-]+)\]", message)
    if rules:
        return ",".join(sorted(set(rules)))
    return re.sub(r"`[^`]*`|\"[^\"]*\"|[/\w.-]*\d[\w.:-]*", "", message)[:200]


def as_json(failure: Failure) -> dict[str, Any]:
    return {"kind": failure.kind, "mark": failure.mark, "text": failure.text}
