"""Every op of MIL on random arguments: both devices against numpy, numpy against coremltools.

The rows stand in op_rows_*.py. Results in fp32 are within the row's bound; results in fp16 equal
numpy's float64 rounded once, bit for bit, or within the row's units in the last place; all else is
equal. ORION_OP_SEEDS is the number of seeds, 1 when it is not set; each seed draws eight cases.
"""

import importlib
import os
from collections import Counter
from pathlib import Path

import numpy as np
import op_oracle
import op_table
import pytest
from op_case import Array, Case, Draw, Row, make_case
from op_text import Text

from orion.errors import OrionError
from orion.runtime import Device, Program, profile

SIM = "sim:m4-macos15"
SEEDS = range(1, int(os.environ.get("ORION_OP_SEEDS") or 1) + 1)
CASES = 8
FILES = sorted(Path(__file__).parent.glob("op_rows_*.py"))
ROWS: list[Row] = [row for file in FILES for row in importlib.import_module(file.stem).ROWS]
REFUSED = {refusal["op"]: refusal["rule"] for refusal in profile("m4-macos15")["refused_ops"]}

pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")


@pytest.fixture(scope="module")
def devices() -> dict[str, Device]:
    return {name: Device(name) for name in ("cpu", SIM)}


def make_cases(row: Row, seed: int, engine: bool) -> tuple[str, list[Case], np.random.Generator]:
    random = np.random.default_rng([seed, engine, *row.title.encode()])
    fitting = [opset for opset in op_table.OPSETS if op_table.version(row.op, opset)]
    opset = "ios18" if engine else fitting[int(random.integers(len(fitting)))]
    version = op_table.version(row.op, opset)
    assert version is not None, f"{row.op} is not in op_table.txt"
    cases = [make_case(row, Draw(random, version, opset, engine)) for _ in range(CASES)]
    return opset, cases, random


def written(cases: list[Case], random: np.random.Generator, opset: str, engine: bool) -> Text:
    text = Text(random, opset, engine)
    for case in cases:
        text.add(case)
    return text


def assert_refused(row: Row, seed: int, device: Device) -> None:
    """The engine's compiler says which op has no way onto it, and by which rule."""
    opset, cases, random = make_cases(row, seed, False)
    with pytest.raises(OrionError) as refusal:
        Program(device, written(cases, random, opset, False).text())
    assert row.op in str(refusal.value)
    assert REFUSED.get(row.op, "int32-compute") in str(refusal.value)


def runs_on_engine(row: Row) -> bool:
    return row.op not in REFUSED and not row.host


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("device", ["cpu", SIM])
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_op(
    row: Row,
    device: str,
    seed: int,
    devices: dict[str, Device],
    op_counts: Counter[tuple[str, str]],
) -> None:
    engine = device != "cpu"
    if engine and not runs_on_engine(row):
        assert_refused(row, seed, devices[device])
        op_counts[row.op, "refused"] += CASES
        return
    opset, cases, random = make_cases(row, seed, engine)
    text = written(cases, random, opset, engine)
    try:
        program = Program(devices[device], text.text())
    except OrionError as error:
        pytest.fail(f"{error}\n{text.text()}")
    results = program.run(text.arrays)
    program.close()
    shown = text.text()
    for index, case in enumerate(cases):
        for got, wanted, dtype in zip(
            text.unpack(results, index, case), case.wanted, case.dtypes, strict=True
        ):
            message = disagreement(case, got, wanted, dtype)
            assert message is None, f"case {index}: {message}\n{case.given}\n{shown}"
    op_counts[row.op, device] += CASES


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.title)
def test_meaning_is_that_of_coremltools(
    row: Row, seed: int, op_counts: Counter[tuple[str, str]]
) -> None:
    tools = op_oracle.load()
    opset, cases, _ = make_cases(row, seed, False)
    for case in cases:
        if not row.oracle(case.given):
            continue
        results = op_oracle.evaluate(tools, case, opset)
        assert len(results) == len(case.wanted)
        for (dtype, shape, value), wanted, declared in zip(
            results, case.wanted, case.dtypes, strict=True
        ):
            assert dtype == declared, case.given
            assert shape == wanted.shape, case.given
            if value is None:
                continue
            # coremltools computes in the type of its arguments, and rounds more than once.
            message = disagreement(case, value, wanted, dtype, loose=True)
            assert message is None, f"{message}\n{case.given}"
            op_counts[row.op, "coremltools"] += 1


def disagreement(
    case: Case, got: Array, wanted: Array, dtype: str, loose: bool = False
) -> str | None:
    """What differs, or nothing."""
    assert got.shape == wanted.shape
    if dtype not in ("fp16", "fp32"):
        kind = got.dtype if dtype == "bool" or not loose else wanted.dtype
        differs = got.astype(kind) != wanted.astype(kind)
    else:
        differs = float_differs(case, got, wanted, dtype, loose)
    if not differs.any():
        return None
    places = [tuple(place) for place in np.argwhere(differs)[:4].tolist()]
    shown = [(place, got[place], wanted[place]) for place in places]
    return f"{case.row.title} {dtype}: {differs.sum()} of {got.size} differ: {shown}"


def float_differs(case: Case, got: Array, wanted: Array, dtype: str, loose: bool) -> Array:
    kind = np.float16 if dtype == "fp16" else np.float32
    with np.errstate(all="ignore"):
        rounded = wanted.astype(kind)
        wide, exact = got.astype(np.float64), wanted.astype(np.float64)
        finite = np.isfinite(exact)
        largest = np.abs(exact[finite]).max(initial=0.0)
        scale = np.where(finite, np.abs(exact), 0)
        if case.row.cancels:
            scale = np.full_like(scale, largest)
        if loose:
            # fp16 arithmetic overflows and underflows on the way.
            allowed = (2e-2 if dtype == "fp16" else 1e-4) * np.maximum(scale, 1e-2 * largest + 1e-3)
            off = np.abs(wide - exact) > allowed
            return np.asarray(off & np.isfinite(wide) & finite)
        if dtype == "fp16":
            allowed = case.row.ulps * np.abs(np.spacing(rounded)).astype(np.float64)
            terms = case.row.inner(case.given)
            allowed = allowed + (terms * 2.0**-24) * max(float(largest), 1.0)
        else:
            allowed = np.maximum(case.row.bound * scale, np.finfo(np.float32).tiny)
        same = (rounded == got) | (np.isnan(rounded) & np.isnan(got))
        near = np.abs(wide - exact) <= allowed
    return np.asarray(~same & ~near)
