"""Every op of MIL is compared with numpy, tested elsewhere, or refused by name with a reason.

The dialects of coremltools' front ends (complex numbers, torch) are no part of MIL: they are gone
before a model is written.
"""

import re
from collections import Counter

import mil_text
import op_oracle
import op_table
import pytest
from test_op_comparison import REFUSED, ROWS, SIM

from orion.errors import OrionError
from orion.runtime import Device, Program

COMPARED = {row.op for row in ROWS}

# Tested where more than one result of one op is looked at.
ELSEWHERE = {
    "cond": "coremltools_flow.py",
    "read_state": "test_program_control.py",
    "while_loop": "coremltools_flow.py",
    "random_bernoulli": "test_random_ops.py",
    "random_categorical": "test_random_ops.py",
    "random_normal": "test_random_ops.py",
    "random_uniform": "test_random_ops.py",
    "constexpr_lut_to_sparse": "test_constexpr_ops.py",
    "constexpr_sparse_blockwise_shift_scale": "test_constexpr_ops.py",
}

# Not run, and why.
LISTS = "lists of tensors, which no converter writes into a model for the engine"
EXCLUDED = {
    "_const_symbolic": "stands for a size that is not known, which no written model has",
    "classify": "looks class names up in a dictionary, which a runtime of tensors has no type for",
    "conv_quantized": "an early form of weights, replaced by the ops whose names begin constexpr_",
    "list_gather": LISTS,
    "list_length": LISTS,
    "list_read": LISTS,
    "list_scatter": LISTS,
    "list_write": LISTS,
    "make_list": LISTS,
}


def engine_knows(op: str) -> bool:
    """Whether the engine's own table has the op."""
    body = mil_text.call(op, {"x": "%x"}, [("out", "fp16", (1, 1, 1, 32))])
    text = mil_text.program([("x", "fp16", (1, 1, 1, 32))], body, ["out"])
    try:
        Program(Device("cpu"), text)
    except OrionError as error:
        return f"unknown op `{op}`" not in str(error)
    return True


@pytest.mark.parametrize("op", op_table.OPS)
def test_an_op_is_run_or_refused(
    op: str, op_counts: Counter[tuple[str, str]], request: pytest.FixtureRequest
) -> None:
    if op == "const":
        # Every comparison has one.
        assert COMPARED
        return
    if op in EXCLUDED:
        assert not engine_knows(op), f"{op} runs now: give it a row in op_rows_*.py"
        op_counts[op, "excluded"] += 1
        return
    if op in ELSEWHERE:
        assert engine_knows(op)
        text = (request.path.parent / ELSEWHERE[op]).read_text()
        assert re.search(rf"\b{op}\b", text), f"{ELSEWHERE[op]} tests {op} no more"
        return
    assert op in COMPARED, f"{op} has no row in op_rows_*.py"
    assert engine_knows(op)


@pytest.mark.parametrize("op", sorted(set(REFUSED) & COMPARED))
def test_a_refused_op_is_not_called_one_that_runs(op: str) -> None:
    """What the simulator refuses it names, with the rule and the place."""
    body = mil_text.call(op, {"x": "%x"}, [("out", "fp16", (1, 1, 1, 32))])
    text = mil_text.program([("x", "fp16", (1, 1, 1, 32))], body, ["out"])
    with pytest.raises(OrionError, match=op):
        Program(Device(SIM), text)


def test_the_table_is_that_of_coremltools() -> None:
    op_oracle.load()
    assert op_table.installed() == op_table.FILE.read_text().splitlines()
