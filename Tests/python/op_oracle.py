"""What coremltools says of a case: the types of the results, and their values where it has them."""

import contextlib
import io
import logging
import os
from typing import Any

import numpy as np
import pytest
from op_case import NUMPY, Array, Case, Typed

REQUIRED = os.environ.get("CI") == "true"


def load() -> Any:
    """coremltools, or a reason to skip that is said aloud."""
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            logging.disable(logging.WARNING)
            import coremltools
    except ImportError:
        pytest.skip("coremltools is not installed: pip install 'orion-ane[dev]' (x86-64, < 3.14)")
    finally:
        logging.disable(logging.NOTSET)
    return coremltools


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(part) for part in value]
    if isinstance(value, Typed):
        kinds = NUMPY | {"uint32": np.uint32}
        return kinds[value.dtype](value.value) if value.dtype in kinds else value.value
    if isinstance(value, Array) and not value.ndim:
        return value[()]
    if isinstance(value, list) and isinstance(value[0] if value else 0, int):
        return np.array(value, np.bool_ if value and isinstance(value[0], bool) else np.int32)
    return value


def evaluate(tools: Any, case: Case, opset: str) -> list[tuple[str, tuple[int, ...], Array | None]]:
    """For each result its type, its shape, and its value where coremltools can work it out."""
    from coremltools.converters.mil.mil import Builder, Function, types

    target = getattr(tools.target, opset.replace("ios", "iOS"))
    with Function({}, opset_version=target):
        given = {name: _plain(value) for name, value in case.given.items()}
        with np.errstate(all="ignore"):
            made = getattr(Builder, case.row.op)(**given)
    results = []
    for result in made if isinstance(made, (list, tuple)) else [made]:
        value = None if result.val is None else np.asarray(result.val)
        results.append((types.builtin_to_string(result.dtype), tuple(result.shape), value))
    return results
