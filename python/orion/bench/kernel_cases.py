"""Products of a training step's shapes, and the host's kernels, on the device `cpu`.

Peer `openblas`: numpy's product, where numpy is linked with it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from ..errors import OrionError
from ..runtime import Device, Program, Tensor, kernels
from .machine import Limits
from .rows import Row, interleaved, make_row

# Of Stories110M's layers and head, for 256 tokens: name, rows, columns, terms, which operand is
# given turned. y = W x with W as [in, out]; dx = W dy; dW = x turned dy.
PRODUCTS = (
    ("forward attention", 768, 256, 768, "x"),
    ("forward mlp up", 2048, 256, 768, "x"),
    ("forward mlp down", 768, 256, 2048, "x"),
    ("input gradient mlp up", 768, 256, 2048, ""),
    ("input gradient mlp down", 2048, 256, 768, ""),
    ("weight gradient attention", 768, 768, 256, "y"),
    ("weight gradient mlp up", 768, 2048, 256, "y"),
    ("weight gradient mlp down", 2048, 768, 256, "y"),
    ("logits", 32000, 256, 768, ""),
    ("input gradient head", 768, 256, 32000, "x"),
    ("weight gradient head", 32000, 768, 256, "y"),
    ("forward mlp up, 1024 tokens", 2048, 1024, 768, "x"),
)
PARAMETERS = 24_000_000
VOCABULARY, COLUMNS = 32000, 256

MATMUL = """program(1.3)
{{
  func main<ios18>(tensor<fp32, [1, 1, {x0}, {x1}]> x, tensor<fp32, [1, 1, {y0}, {y1}]> y) {{
    bool turn_x = const()[name = string("turn_x"), val = bool({tx})];
    bool turn_y = const()[name = string("turn_y"), val = bool({ty})];
    tensor<fp32, [1, 1, {rows}, {columns}]> out = matmul(transpose_x = turn_x,
      transpose_y = turn_y, x = x, y = y)[name = string("out")];
  }} -> (out);
}}
"""


def checks() -> dict[str, Callable[[], None]]:
    return {"openblas": check_openblas}


def check_openblas() -> None:
    """OrionError when numpy multiplies with something else; numpy 1.24 does not tell."""
    try:
        linked = np.show_config(mode="dicts")["Build Dependencies"]["blas"]["name"]
    except TypeError:
        return
    if "openblas" not in linked:
        raise OrionError(
            f"peer openblas: the numpy of {sys.executable} is linked with {linked}; install a wheel"
            " of numpy from PyPI, which has OpenBLAS"
        )


def run(limits: Limits, repeats: int, peer: str | None) -> Iterator[Row]:
    with Device("cpu") as device:
        for name, rows, columns, terms, turned in PRODUCTS:
            yield product(device, limits, repeats, peer, (name, rows, columns, terms, turned))
    yield from host_kernels(limits, repeats)


def product(
    device: Device,
    limits: Limits,
    repeats: int,
    peer: str | None,
    shape: tuple[str, int, int, int, str],
) -> Row:
    name, rows, columns, terms, turned = shape
    x_shape = (terms, rows) if turned == "x" else (rows, terms)
    y_shape = (columns, terms) if turned == "y" else (terms, columns)
    text = MATMUL.format(
        x0=x_shape[0],
        x1=x_shape[1],
        y0=y_shape[0],
        y1=y_shape[1],
        tx=str(turned == "x").lower(),
        ty=str(turned == "y").lower(),
        rows=rows,
        columns=columns,
    )
    program = Program(device, text)
    shapes = ((1, 1, *x_shape), (1, 1, *y_shape), (1, 1, rows, columns))
    x, y, out = (Tensor(device, each, "fp32") for each in shapes)
    random = np.random.default_rng(0)
    for tensor in (x, y):
        with tensor as view:
            view[...] = random.random(view.shape, np.float32) - 0.5
    flops = 2e-9 * rows * columns * terms
    bodies = {"ours": rate(lambda: program.evaluate([x, y], [out]), flops)}
    if peer is not None:
        a = random.random(x_shape, np.float32)
        b = random.random(y_shape, np.float32)
        left, right = a.T if turned == "x" else a, b.T if turned == "y" else b
        target = np.empty((rows, columns), np.float32)
        bodies[peer] = rate(lambda: np.matmul(left, right, out=target), flops)
    found = interleaved(bodies, repeats)
    return make_row(
        f"product/{name}",
        found["ours"],
        "Gflop/s",
        limit=limits.flops_limit,
        peer=(peer, found[peer]) if peer else None,
        detail={"shape": f"{rows} x {columns}, {terms} terms"},
    )


def rate(body: Callable[[], object], work: float) -> Callable[[], float]:
    """Work a second; the body runs as often as takes a tenth of a second."""
    body()
    begun = time.perf_counter()
    body()
    count = max(1, int(0.1 / max(time.perf_counter() - begun, 1e-6)))

    def measured() -> float:
        begun = time.perf_counter()
        for _ in range(count):
            body()
        return count * work / (time.perf_counter() - begun)

    return measured


def host_kernels(limits: Limits, repeats: int) -> Iterator[Row]:
    """Bytes that each has to move at least, beside the copy loop's."""
    gigabytes = PARAMETERS / 1e9
    w, g, m, v = (np.full(PARAMETERS, 0.01, np.float32) for _ in range(4))
    copy = np.empty(PARAMETERS, np.float16)
    logits = np.random.default_rng(0).random((VOCABULARY, COLUMNS), np.float32)
    targets = np.arange(COLUMNS, dtype=np.int32)
    step = {"step": 10, "learning_rate": 1e-4}
    cases: tuple[tuple[str, float, Callable[[], object]], ...] = (
        ("adamw", 28 * gigabytes, lambda: kernels.adamw(w, g, m, v, **step)),  # type: ignore[arg-type]
        (
            "adamw and fp16 copy",
            30 * gigabytes,
            lambda: kernels.adamw(w, g, m, v, **step, copy=copy),  # type: ignore[arg-type]
        ),
        ("accumulate fp32", 12 * gigabytes, lambda: kernels.accumulate(g, w, 0.5)),
        ("accumulate fp16", 10 * gigabytes, lambda: kernels.accumulate(g, copy, 0.5)),
        ("convert to fp16", 6 * gigabytes, lambda: kernels.convert(w, copy)),
        ("sum of squares", 4 * gigabytes, lambda: kernels.sum_of_squares(g)),
        (
            "cross-entropy and gradient",
            8 * logits.size / 1e9,
            lambda: kernels.cross_entropy(logits, targets, gradient=logits),
        ),
    )
    for name, work, body in cases:
        read_only = name == "sum of squares"
        limit = limits.read_limit if read_only else limits.copy_limit
        runs = interleaved({"ours": rate(body, work)}, repeats)["ours"]
        yield make_row(f"host/{name}", runs, "GB/s", limit=limit)
