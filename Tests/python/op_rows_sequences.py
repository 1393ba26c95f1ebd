"""Layers that go through a sequence, as rows of the comparison."""

from typing import Any

import numpy as np
from op_case import Array, Draw, Row, Typed

FUNCTIONS = {
    "sigmoid": lambda x: 1 / (1 + np.exp(-x)),
    "tanh": np.tanh,
    "relu": lambda x: np.maximum(x, 0),
    "linear": lambda x: x,
    "hard_sigmoid": lambda x: np.clip(0.2 * x + 0.5, 0, 1),
    "scaled_tanh": lambda x: 1.7159 * np.tanh(2 * x / 3),
}


def layer(d: Draw, gates: int, **more: Any) -> dict[str, Any]:
    length, batch, inputs, hidden = (d.integer(1, n) for n in (5, 3, 6, 6))

    def weights(*shape: int) -> Array:
        return d.array(shape, low=-1, high=1)

    x = d.array((length, batch, inputs), low=-2, high=2)
    both = more.pop("both", False)
    given = {
        "x": x,
        "initial_h": weights(batch, hidden * (2 if both else 1)),
        "weight_ih": weights(gates * hidden, inputs),
        "weight_hh": weights(gates * hidden, hidden),
        **d.some(
            bias=weights(gates * hidden),
            output_sequence=d.flag(),
            activation=d.choice(*FUNCTIONS),
            recurrent_activation=d.choice("sigmoid", "hard_sigmoid", "tanh"),
        ),
        **more,
    }
    if not both:
        given |= d.some(direction=d.choice("forward", "reverse"))
    return given


def steps(x: Array, direction: str) -> range:
    return range(len(x) - 1, -1, -1) if direction == "reverse" else range(len(x))


def results(states: dict[int, Array], last: Array, output_sequence: bool) -> tuple[Array, Array]:
    sequence = np.stack([states[i] for i in sorted(states)]) if output_sequence else last[None]
    return sequence, last


def rnn(
    x: Array,
    *,
    initial_h: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Any = 0,
    direction: str = "forward",
    output_sequence: bool = False,
    activation: str = "tanh",
) -> tuple[Array, Array]:
    h, states = initial_h, {}
    for i in steps(x, direction):
        h = states[i] = FUNCTIONS[activation](x[i] @ weight_ih.T + h @ weight_hh.T + bias)
    return results(states, h, output_sequence)


def draw_gru(d: Draw) -> dict[str, Any]:
    given = layer(d, 3)
    hidden = given["weight_hh"].shape[1]
    extra = d.some(reset_after=d.flag(), input_bias=d.array((3 * hidden,), low=-1, high=1))
    return given | extra


def gru(
    x: Array,
    *,
    initial_h: Array,
    weight_ih: Array,
    weight_hh: Array,
    bias: Any = None,
    direction: str = "forward",
    output_sequence: bool = False,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    reset_after: bool = False,
    input_bias: Any = None,
) -> tuple[Array, Array]:
    """Gates in the order reset, output, update."""
    h, states, gate = initial_h, {}, FUNCTIONS[recurrent_activation]
    none = np.zeros(len(weight_ih))
    w, u = np.split(weight_ih, 3), np.split(weight_hh, 3)
    b = np.split(none if input_bias is None else input_bias, 3)
    c = np.split(none if bias is None else bias, 3)
    for i in steps(x, direction):
        r = gate(x[i] @ w[0].T + b[0] + h @ u[0].T + c[0])
        z = gate(x[i] @ w[2].T + b[2] + h @ u[2].T + c[2])
        recurrent = r * (h @ u[1].T + c[1]) if reset_after else (r * h) @ u[1].T + c[1]
        o = FUNCTIONS[activation](x[i] @ w[1].T + b[1] + recurrent)
        h = states[i] = (1 - z) * o + z * h
    return results(states, h, output_sequence)


def draw_lstm(d: Draw) -> dict[str, Any]:
    both = d.flag()
    given = layer(d, 4, both=both)
    hidden, inputs = given["weight_hh"].shape[1], given["x"].shape[2]
    given["initial_c"] = d.array(given["initial_h"].shape, low=-1, high=1)
    given |= d.some(
        peephole=d.array((3 * hidden,), low=-1, high=1),
        cell_activation=d.choice("tanh", "relu"),
        clip=Typed(str(given["x"].dtype).replace("float", "fp"), 0.5),
    )
    if both:
        given["direction"] = "bidirectional"
        given["weight_ih_back"] = d.array((4 * hidden, inputs), low=-1, high=1)
        given["weight_hh_back"] = d.array((4 * hidden, hidden), low=-1, high=1)
        given |= d.some(
            bias_back=d.array((4 * hidden,), low=-1, high=1),
            peephole_back=d.array((3 * hidden,), low=-1, high=1),
        )
    return given


def lstm(
    x: Array,
    *,
    initial_h: Array,
    initial_c: Array,
    weight_ih: Array,
    weight_hh: Array,
    direction: str = "forward",
    output_sequence: bool = False,
    **more: Any,
) -> list[Array]:
    hidden, halves = weight_hh.shape[1], [("", slice(None), direction)]
    if direction == "bidirectional":
        halves = [
            ("", slice(0, hidden), "forward"),
            ("_back", slice(hidden, None), "reverse"),
        ]
    own = {"weight_ih": weight_ih, "weight_hh": weight_hh} | {
        name: more.pop(name)
        for name in list(more)
        if name.endswith("_back") or name in ("bias", "peephole")
    }
    parts = [
        one_way(
            x,
            initial_h[:, half],
            initial_c[:, half],
            weight_ih=own[f"weight_ih{suffix}"],
            weight_hh=own[f"weight_hh{suffix}"],
            bias=own.get(f"bias{suffix}"),
            peephole=own.get(f"peephole{suffix}"),
            direction=way,
            output_sequence=output_sequence,
            **more,
        )
        for suffix, half, way in halves
    ]
    return [np.concatenate(pair, -1) for pair in zip(*parts, strict=True)]


def one_way(
    x: Array,
    h: Array,
    c: Array,
    *,
    weight_ih: Array,
    weight_hh: Array,
    direction: str,
    output_sequence: bool,
    bias: Any = None,
    peephole: Any = None,
    activation: str = "tanh",
    recurrent_activation: str = "sigmoid",
    cell_activation: str = "tanh",
    clip: Any = None,
) -> list[Array]:
    """Gates in the order input, forget, output, cell."""
    gate, states = FUNCTIONS[recurrent_activation], {}
    p = np.zeros((3, h.shape[1])) if peephole is None else peephole.reshape(3, -1)
    for step in steps(x, direction):
        sums = x[step] @ weight_ih.T + h @ weight_hh.T + (0 if bias is None else bias)
        i, f, o, z = np.split(sums, 4, 1)
        i, f, z = gate(i + p[0] * c), gate(f + p[1] * c), FUNCTIONS[cell_activation](z)
        c = f * c + i * (z if clip is None else np.clip(z, -float(clip), float(clip)))
        h = states[step] = gate(o + p[2] * c) * FUNCTIONS[activation](c)
    return [*results(states, h, output_sequence), c]


def terms(given: dict[str, Any]) -> int:
    """Sums in fp32, one after the other; errors grow with the steps."""
    return 64 * len(given["x"])


ROWS: list[Row] = [
    Row("rnn", lambda d: layer(d, 1), rnn, cancels=True, bound=1e-4, ulps=1, inner=terms),
    Row("gru", draw_gru, gru, cancels=True, bound=1e-4, ulps=1, inner=terms),
    Row("lstm", draw_lstm, lstm, cancels=True, bound=1e-4, ulps=1, inner=terms),
]
