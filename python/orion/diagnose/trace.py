"""Every result of a program on the way, and the first that two devices disagree on."""

import io
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from orion.diagnose.failure import distance
from orion.files import explained, write_file
from orion.runtime import Device, Program
from orion.runtime.checking import Result, check, expose

INDEX = "index.json"
RETURNED = "returned by the device"
COMPUTED = "computed with the device's arithmetic, without its rules"


@dataclass(frozen=True)
class Job:
    """What runs: a function of a text on arrays; `say` is told what is done otherwise than asked.

    `open_host` opens the host under a device name, for what a device does not let out.
    """

    text: str
    function: str
    weights: Path | None
    inputs: Mapping[str, np.ndarray]
    say: Callable[[str], None]
    open_host: Callable[[str], Device]

    def run(self, device: Device, text: str) -> dict[str, np.ndarray]:
        program = Program(device, text, self.weights, self.function)
        try:
            return program.run(self.inputs)
        finally:
            program.close()


@dataclass(frozen=True)
class Value:
    """A result, its numbers, and how they were got at."""

    result: Result
    array: np.ndarray
    source: str


@dataclass(frozen=True)
class Difference:
    """The first result on which two devices part."""

    result: Result
    distance: float
    tolerance: float


def trace(device: Device, job: Job) -> list[Value]:
    """All results of the function in the order of the program.

    A device returns those that its profile's rules let out. The others come from the host with the
    same arithmetic, where no rule holds.
    """
    exposed, results = expose(job.text, job.function)
    if device.kind == "cpu":
        arrays = job.run(device, exposed)
        return [Value(result, arrays[result.name], RETURNED) for result in results]
    names = [result.name for result in results]
    partly, _ = expose(job.text, job.function, _allowed(job, names, device.profile))
    arrays = job.run(device, partly)
    hidden = [name for name in names if name not in arrays]
    others: dict[str, np.ndarray] = {}
    if hidden:
        job.say(
            f"{len(hidden)} of {len(names)} results cannot leave {device.name} by its rules"
            f" (as {hidden[0]}); they are {COMPUTED}"
        )
        with job.open_host(f"cpu:{device.profile}") as host:
            others = job.run(host, exposed)
    return [
        Value(result, arrays[result.name], RETURNED)
        if result.name in arrays
        else Value(result, others[result.name], COMPUTED)
        for result in results
    ]


def _allowed(job: Job, names: list[str], profile: str) -> list[str]:
    """The names that can be returned without a new error of the profile's rules."""
    known = {
        (finding.rule, finding.message)
        for finding in check(job.text, profiles=[profile])
        if finding.severity == "error"
    }
    allowed = list(names)
    while allowed:
        exposed, _ = expose(job.text, job.function, allowed)
        refused = {
            name
            for finding in check(exposed, profiles=[profile])
            if finding.severity == "error" and (finding.rule, finding.message) not in known
            for name in re.findall(r"`([^`]*)`", finding.message)
        }
        kept = [name for name in allowed if name not in refused]
        if len(kept) == len(allowed):
            return allowed
        allowed = kept
    return allowed


def first_difference(
    values: list[Value], others: list[Value], tolerance: float
) -> Difference | None:
    """The first result, in the order of the program, that leaves the tolerance."""
    by_name = {value.result.name: value.array for value in others}
    for value in values:
        if value.result.name not in by_name:
            continue
        apart = distance(value.array, by_name[value.result.name])
        if apart > tolerance:
            return Difference(value.result, apart, tolerance)
    return None


def write_values(values: list[Value], directory: Path) -> list[dict[str, object]]:
    """One .npy file for each result, numbered in the order of the program; what the index says."""
    with explained(directory):
        directory.mkdir(parents=True, exist_ok=True)
    rows: list[dict[str, object]] = []
    digits = len(str(len(values)))
    for number, value in enumerate(values):
        name = f"{number:0{digits}d}_{value.result.name}.npy"
        content = io.BytesIO()
        np.save(content, value.array)
        write_file(directory / name, content.getvalue())
        rows.append(
            {
                "name": value.result.name,
                "op": value.result.op,
                "line": value.result.line,
                "dtype": value.array.dtype.name,
                "shape": list(value.array.shape),
                "file": name,
                "source": value.source,
            }
        )
    write_file(directory / INDEX, json.dumps(rows, indent=1).encode())
    return rows
