"""Published measurements of single programs, as rows: chip, what ran, milliseconds, its work.

All are sweeps and small programs of ANEForge 0.4.0 (Bryngelson) unless `source` says otherwise;
other people's numbers, under mixed systems and loads. `is_fitted`: coefficients of the chip were
fitted to it; the others are compared with predictions only.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from ..compile.cost import OpWork, Work

MILLION = 1 << 20
SWEEP = "ANEForge 0.4.0"


@dataclass(frozen=True)
class Measurement:
    chip: str
    name: str
    milliseconds: float
    work: Work
    is_fitted: bool = True
    source: str = SWEEP


def product(rows: int, inner: int, columns: int) -> Work:
    """[rows, inner] times constants [inner, columns]."""
    given, made, weights = 2 * rows * inner, 2 * rows * columns, 2 * inner * columns
    op = OpWork("matmul", "y", "matmul", 2.0 * rows * inner * columns, made, columns)
    return Work(given, made, weights, (sized(op, max(given, made)),))


def convolution(channels: int, batch: int, side: int = 64) -> Work:
    """3 x 3 over `channels`, as many in as out."""
    port = 2 * batch * channels * side * side
    op = OpWork("conv", "y", "conv", 9.0 * channels * port, port, side)
    return Work(port, port, 18 * channels * channels, (sized(op, port),))


def elements(kind: str, count: int, results: int | None = None) -> Work:
    """One op over `count` numbers; `kind` as a cost model's. `results`: how many it gives."""
    made = 2 * (count if results is None else results)
    amount = float(made if kind == "pass" else count)
    op = OpWork(kind, "y", kind, amount, made, 64)
    return Work(2 * count, made, 0, (sized(op, 2 * count),))


def sized(op: OpWork, largest: int) -> OpWork:
    return OpWork(op.op, op.name, op.kind, op.amount, op.result_bytes, op.width, largest)


def attention(columns: int, channels: int, heads: int = 12) -> Work:
    """A whole attention block with its four projections."""
    port, score = 2 * columns * channels, heads * columns * columns
    ops = [OpWork("conv", "y", "conv", 2.0 * columns * channels**2, port, columns, port)] * 4
    ops += [OpWork("matmul", "s", "matmul", 2.0 * score * channels / heads, port, columns)] * 2
    ops += [OpWork("softmax", "p", "softmax", float(score), 2 * score, columns, 2 * score)]
    return Work(port, port, 8 * channels**2, tuple(ops))


PRODUCT_SIZES = (512, 1024, 2048, 4096, 6144, 8192)
# Products of N x N by N x N, milliseconds by N.
PRODUCTS = {
    "M1": (0.756, 2.274, 10.22, 50.97),
    "M1 Max": (0.477, 0.998, 4.297, 30.0),
    "M2 Pro": (0.582, 1.994, 7.483, 40.8),
    "M4": (0.209, 0.746, 3.513, 25.3, 135.0, 314.0),
    "M5": (0.116, 0.434, 1.973, 18.9),
    "M5 Pro": (0.148, 0.362, 1.686, 16.6, 96.6, 225.0),
}
CONVOLUTION_SIZES = ((64, 8), (128, 8), (256, 4), (512, 2))
# The batches of these were twice as large.
DOUBLE_BATCHES = ("M4", "M5 Pro")
CONVOLUTIONS = {
    "M1": (4.05, 7.80, 10.2, 11.2),
    "M1 Max": (1.36, 3.03, 4.07, 5.65),
    "M2 Pro": (3.21, 6.34, 7.21, 8.36),
    "M4": (2.29, 4.71, 5.99, 8.14),
    "M5": (0.506, 1.11, 1.54, 2.23),
    "M5 Pro": (0.82, 2.0, 2.77, 4.11),
}
ELEMENT_SIZES = (1, 8, 32)
# One op over 1, 8 and 32 million numbers; the middle where a range was given.
ELEMENTS: dict[str, dict[str, tuple[float, ...]]] = {
    "relu": {
        "M1": (5.0, 39.0, 160.0),
        "M1 Max": (0.94, 5.0, 18.5),
        "M2 Pro": (4.75, 35.0, 138.5),
        "M4": (0.57, 4.5, 17.9),
        "M5": (0.26, 1.74, 6.6),
        "M5 Pro": (0.25, 1.55, 5.75),
    },
    "sum": {
        "M1": (0.45, 2.4, 9.1),
        "M1 Max": (0.51, 1.5, 5.1),
        "M2 Pro": (0.29, 1.2, 4.4),
        "M4": (0.27, 1.6, 7.3),
        "M5": (0.17, 0.87, 3.5),
    },
    "softmax": {
        "M1": (3.6, 28.0, 114.0),
        "M1 Max": (1.2, 6.4, 28.5),
        "M2 Pro": (3.4, 24.0, 92.0),
        "M4": (0.79, 5.3, 20.0),
        "M5": (0.46, 2.7, 11.0),
        "M5 Pro": (0.42, 2.4, 8.9),
    },
    "layer_norm": {
        "M4": (1.5, 11.3, 45.0),
        "M5": (1.2, 8.4, 33.0),
        "M5 Pro": (1.1, 8.0, 31.0),
    },
}
KINDS = {"relu": "pass", "sum": "pass", "softmax": "softmax", "layer_norm": "norm"}
# Programs that nothing is fitted to.
OTHERS = (
    Measurement("M4", "product 64x256x256", 0.073, product(64, 256, 256), False),
    Measurement("M4", "product 128x1024x1024", 0.18, product(128, 1024, 1024), False),
    Measurement("M4", "product 256x4096x4096", 2.14, product(256, 4096, 4096), False),
    Measurement("M4", "layer_norm 197x768", 0.286, elements("norm", 197 * 768), False),
    Measurement("M4", "attention 197x768", 0.35, attention(197, 768), False),
    Measurement("M4", "attention 512x768", 1.15, attention(512, 768), False),
    Measurement(
        "M4 Max", "classifier 32000x768x256", 1.06, product(256, 768, 32000), False, "the paper"
    ),
    Measurement(
        "M4 Max", "softmax 256x32000", 2.40, elements("softmax", 256 * 32000), False, "the paper"
    ),
    Measurement(
        "M4 Max", "add 256x64", 0.223, elements("pass", 256 * 64), False, "the paper's code"
    ),
    *(
        Measurement("M5 Pro", f"product 1x{n}x{n}", time, product(1, n, n), False)
        for n, time in zip(
            (512, 1024, 2048, 4096, 6144, 8192),
            (0.087, 0.073, 0.111, 0.296, 0.582, 0.941),
            strict=True,
        )
    ),
    Measurement("M5 Pro", "relu 64x256", 0.074, elements("pass", 64 * 256), False),
    Measurement("M5 Pro", "relu 256x1024", 0.121, elements("pass", 256 * 1024), False),
    Measurement("M5 Pro", "softmax 256x1024", 0.139, elements("softmax", 256 * 1024), False),
    Measurement("M5 Pro", "layer_norm 256x1024", 0.296, elements("norm", 256 * 1024), False),
)


def measurements(*chips: str) -> list[Measurement]:
    """Of these chips, or of all."""
    return [row for row in (*sweeps(), *OTHERS) if not chips or row.chip in chips]


def sweeps() -> Iterator[Measurement]:
    for chip, times in PRODUCTS.items():
        for n, time in zip(PRODUCT_SIZES, times, strict=False):
            yield Measurement(chip, f"product {n}x{n}x{n}", time, product(n, n, n))
    for chip, times in CONVOLUTIONS.items():
        for (channels, batch), time in zip(CONVOLUTION_SIZES, times, strict=True):
            count = batch * (2 if chip in DOUBLE_BATCHES else 1)
            name = f"convolution 3x3, {channels} channels, batch {count}"
            yield Measurement(chip, name, time, convolution(channels, count))
    for name, chips in ELEMENTS.items():
        for chip, times in chips.items():
            for millions, time in zip(ELEMENT_SIZES, times, strict=True):
                results = 1 if name == "sum" else None
                work = elements(KINDS[name], millions * MILLION, results)
                yield Measurement(chip, f"{name} of {millions} M", time, work)
