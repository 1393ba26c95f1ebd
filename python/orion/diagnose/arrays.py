"""Arrays for a program's inputs: from files, or drawn from a seed by each input's name."""

import zlib
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from orion.errors import OrionError, UsageError
from orion.runtime import Port
from orion.runtime.tensor import NUMPY_TYPES


def random_inputs(ports: Sequence[Port], seed: int) -> dict[str, np.ndarray]:
    """For each input the numbers of its own sequence, so that they do not depend on the others."""
    return {port.name: random_input(port, seed) for port in ports}


def random_input(port: Port, seed: int) -> np.ndarray:
    """Normal numbers for floats, 0 to 7 for integers, coins for bools."""
    generator = np.random.default_rng([seed, zlib.crc32(port.name.encode("utf-8"))])
    kind = NUMPY_TYPES[port.dtype]
    if kind.kind == "f":
        return generator.standard_normal(port.shape).astype(kind)
    return generator.integers(0, 2 if kind.kind == "b" else 8, port.shape).astype(kind)


def read_inputs(given: Sequence[str]) -> dict[str, np.ndarray]:
    """Arrays by name from `NAME=FILE.npy` and `FILE.npz`; `NAME=FILE.npz` takes the one of it."""
    arrays: dict[str, np.ndarray] = {}
    for item in given:
        name, separator, file = item.partition("=")
        if not separator:
            name, file = "", item
        loaded = _load(Path(file))
        if isinstance(loaded, np.ndarray):
            if not name:
                raise UsageError(f"{item}: a .npy file holds no name; give NAME={item}.")
            arrays[name] = loaded
        elif not name:
            arrays.update(loaded)
        elif name in loaded:
            arrays[name] = loaded[name]
        else:
            raise UsageError(f"{file} holds no {name}; there are {', '.join(loaded)}.")
    return arrays


def _load(path: Path) -> np.ndarray | dict[str, np.ndarray]:
    try:
        loaded = np.load(path, allow_pickle=False)
    except (ValueError, EOFError) as error:
        raise OrionError(f"{path}: not a .npy or .npz file of plain numbers ({error}).") from error
    if isinstance(loaded, np.ndarray):
        return loaded
    with loaded:
        return {name: loaded[name] for name in loaded.files}


def fitted(port: Port, array: np.ndarray) -> np.ndarray:
    """The array in the input's type where nothing but rounding is lost."""
    kind = NUMPY_TYPES[port.dtype]
    if kind.kind == "f" and array.dtype.kind in "fiu":
        return array.astype(kind)
    return array
