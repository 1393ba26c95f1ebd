"""Wrong use of a training step's kernels is an error that names it, in Python and in C."""

import ctypes
from ctypes import byref, c_bool, c_double, c_size_t

import numpy as np
import pytest

from orion.errors import UsageError
from orion.runtime import kernels
from orion.runtime.abi import AdamWOptions, KernelMatrix, library

HALF, FLOAT = np.float16, np.float32
ONE = np.ones(4, FLOAT)
WRONG = [
    (lambda: kernels.sum_of_squares(np.ones(4)), "values: float64"),
    (lambda: kernels.sum_of_squares(np.ones((4, 4), FLOAT)[:, :2]), "values: .*strides"),
    (lambda: kernels.accumulate(ONE.copy(), np.ones(5, FLOAT)), r"source: shape \[1, 5\]"),
    (lambda: kernels.accumulate(ONE.copy(), np.ones(4)), "source: float64"),
    (lambda: kernels.accumulate(ONE.copy(), np.ones((2, 4), FLOAT)[:, ::2]), "next to each other"),
    (lambda: kernels.accumulate(ONE, ONE), "target: overlaps source"),
    (lambda: kernels.convert(ONE, np.ones(5, HALF)), "target: shape"),
    (lambda: kernels.convert(ONE, np.ones((3, 2, 4), HALF)[::2, 0].T[0]), "target: shape"),
    (lambda: kernels.convert(ONE, np.frombuffer(bytes(8), HALF)), "target: a read-only"),
    (lambda: kernels.adamw(*[ONE] * 4, step=1, learning_rate=1), "gradient: overlaps weights"),
    (lambda: kernels.adamw(*four(), step=0, learning_rate=1), "step: 0"),
    (lambda: kernels.adamw(*four(), step=1, learning_rate=np.nan), "learning_rate: nan"),
    (lambda: kernels.adamw(*four(), step=1, learning_rate=1, beta1=1), "beta1: 1.0"),
    (lambda: kernels.adamw(*four(), step=1, learning_rate=1, gradient_scale=np.inf), "scale: inf"),
    (lambda: kernels.adamw(*four(), step=1, learning_rate=1, copy=ONE), "copy: fp32"),
    (
        lambda: kernels.adamw(*four(), step=1, learning_rate=1, copy=ONE[:2].astype(HALF)),
        "copy: shape",
    ),
    (lambda: kernels.adamw(*four()[:3], np.ones(5, FLOAT), step=1, learning_rate=1), "expected 4"),
    (lambda: entropy([3]), r"targets: 3 at position 0, expected -1 to 2"),
    (lambda: entropy([-2]), r"targets: -2 at position 0"),
    (lambda: entropy([0, 1]), "expected evenly spaced rows"),
    (lambda: entropy([0], gradient=[np.ones((3, 1), FLOAT)] * 2), "gradient: 2 arrays, expected 1"),
    (lambda: entropy([0], gradient=np.ones((2, 1), FLOAT)), r"gradients\[0\]: shape \[2, 1\]"),
    (lambda: kernels.cross_entropy([], np.zeros(1, np.int32)), "logits_count: 0"),
    (lambda: gather([5]), "tokens: 5 at position 0, expected 0 to 3"),
    (lambda: gather([-1]), "tokens: -1 at position 0"),
    (lambda: gather([1], np.ones((2, 1), FLOAT)), r"out: shape \[2, 1\], expected \[3, 1\]"),
    (
        lambda: kernels.embedding_gather(
            np.ones((4, 3), HALF), np.zeros(1, np.int32), np.ones((3, 1), FLOAT)
        ),
        "table: fp16",
    ),
]


def four() -> list[np.ndarray]:
    return [np.ones(4, FLOAT) for _ in range(4)]


def entropy(targets: list[int], **more: object) -> object:
    return kernels.cross_entropy(np.ones((3, 1), FLOAT), np.array(targets, np.int32), **more)  # type: ignore[arg-type]


def gather(tokens: list[int], out: np.ndarray | None = None) -> None:
    out = np.ones((3, 1), FLOAT) if out is None else out
    kernels.embedding_gather(np.ones((4, 3), FLOAT), np.array(tokens, np.int32), out)


@pytest.mark.parametrize(("call", "message"), WRONG)
def test_wrong_use_is_an_error_that_names_it(call, message) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(UsageError, match=message):
        call()


def test_in_place_gradients_of_parts_must_be_their_own() -> None:
    logits = [np.ones((3, 2), FLOAT), np.ones((3, 2), FLOAT)]
    with pytest.raises(UsageError, match=r"gradients\[0\]: overlaps logits\[1\]"):
        kernels.cross_entropy(logits, np.zeros(2, np.int32), gradient=logits[::-1])


def matrix(**changes: object) -> KernelMatrix:
    buffer = np.ones((4, 4), FLOAT)
    fields = {"values": buffer.ctypes.data, "rows": 4, "columns": 4, "row_bytes": 16, "dtype": 2}
    made = KernelMatrix(**(fields | changes))  # type: ignore[arg-type]
    made.buffer = buffer
    return made


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"values": None}, "source: null"),
        ({"values": ONE.ctypes.data + 1}, "multiple of 4"),
        ({"rows": 2**62}, "more than memory"),
        ({"columns": 2**61, "rows": 2**2}, "more than memory"),
        ({"rows": 2**63}, "a count of"),
        ({"row_bytes": 12}, "row_bytes 12, expected at least 16"),
        ({"row_bytes": 18}, "row_bytes 18, expected a multiple of 4"),
        ({"row_bytes": 2**62}, "more than memory"),
        ({"dtype": 3}, "dtype 3"),
        ({"reserved": 1}, "reserved is 1"),
        ({"rows": 3}, r"shape \[3, 4\], expected 16 values"),
    ],
)
def test_a_wrong_matrix_is_an_error_of_the_c_interface(
    changes: dict[str, object], message: str
) -> None:
    target, finite = np.ones(16, FLOAT), c_bool()
    address = target.ctypes.data_as(ctypes.POINTER(ctypes.c_float))
    call = library().orion_kernel_accumulate
    call(byref(matrix()), 1, False, address, 16, byref(finite))
    with pytest.raises(UsageError, match=message):
        call(byref(matrix(**changes)), 1, False, address, 16, byref(finite))


def test_nulls_are_errors_of_the_c_interface() -> None:
    each = library()
    count, total, options = c_size_t(), c_double(), AdamWOptions(struct_size=3, step=1)
    calls = [
        (each.orion_kernel_adamw, (None, 0, None, None, None, None, None, byref(count)), "options"),
        (
            each.orion_kernel_adamw,
            (byref(options), 0, None, None, None, None, None, byref(count)),
            "struct_size",
        ),
        (each.orion_kernel_sum_of_squares, (None, 1, byref(total)), "values: null"),
        (each.orion_kernel_sum_of_squares, (None, 0, None), "sum: null"),
        (each.orion_kernel_convert, (None, None, byref(count)), "source: null"),
        (each.orion_kernel_accumulate, (None, 1, False, None, 0, None), "source: null"),
        (
            each.orion_kernel_cross_entropy,
            (1, None, None, 0, None, 1, byref(total), byref(count)),
            "logits: null",
        ),
        (each.orion_kernel_embedding_gather, (None, 0, None, None), "table: null"),
        (each.orion_kernel_embedding_scatter_add, (None, 0, None, 1, None, None), "gradient: null"),
    ]
    for function, arguments, message in calls:
        with pytest.raises(UsageError, match=message):
            function(*arguments)
