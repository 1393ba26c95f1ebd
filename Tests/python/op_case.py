"""Cases of the op comparison: rows, how arguments are drawn, what is expected. Knows no op.

A row says how the arguments of one op are drawn and what the op means in numpy; a case is one draw.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from op_table import Version

Array = np.ndarray

FLOATS = ("fp16", "fp32")
NUMPY = {
    "fp16": np.float16,
    "fp32": np.float32,
    "int32": np.int32,
    "int16": np.int16,
    "uint16": np.uint16,
    "int8": np.int8,
    "uint8": np.uint8,
    "bool": np.bool_,
}
MIL = {np.dtype(kind): name for name, kind in NUMPY.items()}


@dataclass(frozen=True)
class Typed:
    """A constant of a type that numpy lacks, or one told apart from it."""

    dtype: str
    value: Any

    @property
    def array(self) -> Array:
        return np.asarray(self.value)


@dataclass(frozen=True)
class Row:
    """One op: how its arguments are drawn, what it means, how close the engine must come.

    `draw` gives arguments by name: arrays, which are given at run time or stand in the text as
    the table and chance decide; Python values and `Typed`, which stand in the text; tuples of
    these. `meaning` takes them as float64, int64, bool or text and gives one array or several.
    """

    op: str
    draw: Callable[["Draw"], dict[str, Any]]
    meaning: Callable[..., Any]
    # Type of the results: an argument's name, or types; or a function of the arguments.
    result: str | Callable[[dict[str, Any]], Sequence[str]] = "x"
    # Of fp32 results, relative; to the largest result where sums may cancel.
    bound: float = 1e-5
    cancels: bool = False
    # Of fp16 results, beside the one rounding; `inner` products are summed in fp32.
    ulps: int = 0
    inner: Callable[[dict[str, Any]], int] = field(default=lambda given: 0)
    # Arguments whose values the result's type depends on.
    known: tuple[str, ...] = ()
    # Whether coremltools computes this draw as its own documentation says.
    oracle: Callable[[dict[str, Any]], bool] = field(default=lambda given: True)
    # `meaning` takes the arguments in their order, not by name.
    positional: bool = False
    # The engine has no way for it though no rule names the op: its results are whole numbers.
    host: bool = False
    name: str = ""

    @property
    def title(self) -> str:
        return self.name or self.op


class Draw:
    """A source of arguments for one case on one device."""

    def __init__(self, random: np.random.Generator, version: Version, opset: str, engine: bool):
        self.random = random
        self.version = version
        self.opset = opset
        # On the engine floats are fp16 and every argument is written out.
        self.engine = engine
        self._chosen: dict[str, str] = {}

    def integer(self, low: int, high: int) -> int:
        """From `low` to `high`, both among them."""
        return int(self.random.integers(low, high + 1))

    def choice(self, *values: Any) -> Any:
        return values[int(self.random.integers(len(values)))]

    def flag(self) -> bool:
        return bool(self.random.random() < 0.5)

    def dtype(self, domain: str = "T", *among: str) -> str:
        """One type of the table's set, the same for a letter throughout the case."""
        if domain not in self._chosen:
            allowed = [kind for kind in self.version.allowed(domain) if kind in NUMPY]
            allowed = [kind for kind in allowed if not among or kind in among]
            if self.engine:
                allowed = [kind for kind in allowed if kind in ("fp16", "bool")]
            self._chosen[domain] = self.choice(*allowed)
        return self._chosen[domain]

    def like(self, argument: str) -> str:
        """A type that the table allows for an argument."""
        return self.dtype(self.version.arguments[argument].domain)

    def shape(self, low: int = 1, high: int = 5, most: int = 6) -> tuple[int, ...]:
        """A rank from `low` to `high`, sizes up to `most`, fewer for many axes."""
        rank = self.integer(low, high)
        sizes = most if rank < 4 else 4
        return tuple(self.integer(1, sizes) for _ in range(rank))

    def array(
        self, shape: Sequence[int], dtype: str | None = None, low: float = -4, high: float = 4
    ) -> Array:
        """Numbers from `low` to `high`; whole ones for integers, both truth values for bool."""
        dtype = dtype or self.dtype()
        if dtype == "bool":
            return np.asarray(self.random.random(tuple(shape)) < 0.5)
        if dtype in FLOATS:
            return np.asarray(self.random.uniform(low, high, tuple(shape)), NUMPY[dtype])
        low = max(low, 0) if dtype.startswith("u") else low
        whole = self.random.integers(int(np.ceil(low)), int(np.floor(high)) + 1, tuple(shape))
        return np.asarray(whole, NUMPY[dtype])

    def any_floats(self, shape: Sequence[int], dtype: str | None = None) -> Array:
        """Any bits: all magnitudes, both zeros, subnormals, infinities and NaN."""
        dtype = dtype or self.dtype()
        bits = np.uint16 if dtype == "fp16" else np.uint32
        top = int(np.iinfo(bits).max)
        drawn = self.random.integers(0, top, tuple(shape), dtype=bits, endpoint=True)
        values = np.asarray(drawn).view(NUMPY[dtype])
        special = np.array([0, -0.0, np.inf, -np.inf, np.nan, 1, -1], NUMPY[dtype])
        chosen = special[self.random.integers(0, len(special), tuple(shape))]
        return np.asarray(np.where(self.random.random(tuple(shape)) < 0.9, values, chosen))

    def axis(self, rank: int) -> int:
        """An axis, counted from either end."""
        return self.integer(-rank, rank - 1)

    def axes(self, rank: int, low: int = 1) -> list[int]:
        chosen = self.random.permutation(rank)[: self.integer(min(low, rank), rank)]
        return [int(axis) - (rank if self.flag() else 0) for axis in chosen]

    def some(self, **arguments: Any) -> dict[str, Any]:
        """Those of the arguments that this version takes, each left out half the time."""
        return {
            name: value
            for name, value in arguments.items()
            if name in self.version.arguments and (self.engine or self.flag())
        }


def widened(value: Any) -> Any:
    """A value as the meaning takes it."""
    if isinstance(value, tuple):
        return tuple(widened(part) for part in value)
    if isinstance(value, Typed):
        return value if isinstance(value.value, str) else widened(value.array)
    if isinstance(value, Array):
        if value.dtype.kind == "f":
            return value.astype(np.float64)
        return value.astype(np.int64) if value.dtype.kind in "iu" else value
    return value


@dataclass
class Case:
    """One draw of a row with what is expected of it."""

    row: Row
    given: dict[str, Any]
    version: Version
    wanted: list[Array]
    dtypes: list[str]


def make_case(row: Row, draw: Draw) -> Case:
    given = row.draw(draw)
    wide = {name: widened(value) for name, value in given.items()}
    with np.errstate(all="ignore"):
        meant = row.meaning(*wide.values()) if row.positional else row.meaning(**wide)
    wanted = [np.asarray(part) for part in (meant if isinstance(meant, (list, tuple)) else [meant])]
    if callable(row.result):
        dtypes = list(row.result(given))
    elif row.result in given:
        dtypes = [dtype_of(given[row.result])] * len(wanted)
    else:
        dtypes = row.result.split()
        dtypes = dtypes * len(wanted) if len(dtypes) == 1 else dtypes[: len(wanted)]
    return Case(row, given, draw.version, wanted, dtypes)


def dtype_of(value: Any) -> str:
    if isinstance(value, tuple):
        return dtype_of(value[0])
    return value.dtype if isinstance(value, Typed) else MIL[value.dtype]
