"""Every row of the op table: shape rule against numpy, gradient against differences, text, MIL."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from orion.ir import Arithmetic, Graph, Node, TensorType, interpret, parse, to_text, verify
from orion.ir.ops import TABLE
from orion.ir.row import ShapeError
from orion.mil import to_mil

PAIR = [(2, 3, 1, 4), (3, 1, 4)]
ONE = [(2, 3, 1, 4)]

# op: (operand shapes, attributes), ...; a row of the table without samples fails `test_every_row`.
SAMPLES: dict[str, list[tuple[list[tuple[int, ...]], dict[str, Any]]]] = {
    **{
        op: [(PAIR, {}), ([(4,), ()], {})]
        for op in ["add", "sub", "mul", "div", "maximum", "minimum", "pow"]
    },
    **{
        op: [(ONE, {})]
        for op in [
            "exp",
            "sqrt",
            "rsqrt",
            "abs",
            "square",
            "sigmoid",
            "silu",
            "tanh",
            "relu",
            "erf",
        ]
    },
    "identity": [(ONE, {})],
    "gelu": [(ONE, {}), (ONE, {"mode": "TANH_APPROXIMATION"})],
    "clip": [(ONE, {"low": 0.7, "high": 1.2})],
    "cast": [(ONE, {"dtype": "fp16"})],
    "greater_equal": [(PAIR, {})],
    "equal": [(PAIR, {})],
    "select": [([(2, 3), (2, 3), (3,)], {})],
    **{
        op: [(ONE, {"axes": (1,)}), (ONE, {"axes": (0, -1), "keep_dims": False})]
        for op in ["reduce_sum", "reduce_mean", "reduce_max", "reduce_min"]
    },
    "softmax": [(ONE, {"axis": -1}), (ONE, {"axis": 1})],
    "matmul": [
        ([(2, 3, 4), (2, 4, 5)], {}),
        ([(2, 1, 4, 3), (1, 3, 4, 5)], {"transpose_x": True}),
        ([(3, 4), (5, 4)], {"transpose_y": True}),
        ([(4, 3), (5, 4)], {"transpose_x": True, "transpose_y": True}),
    ],
    "linear": [([(2, 3, 2, 4), (5, 3, 1, 1)], {})],
    "dequantize": [([(4, 6), (4, 1)], {}), ([(4, 6), (2, 3)], {})],
    "dequantize_axis": [([(4, 6), (6,)], {"axis": 1})],
    "reshape": [(ONE, {"shape": (6, 4)})],
    "transpose": [(ONE, {"perm": (2, 0, 3, 1)})],
    "split": [(ONE, {"axis": 1, "sizes": (1, 2)})],
    "concat": [([(2, 3), (2, 1), (2, 2)], {"axis": 1}), ([(2, 3)], {"axis": 0})],
    "slice": [(ONE, {"begin": (0, 1, 0, 2), "size": (2, 2, 1, 1)})],
    "pad": [(ONE, {"pad": (0, 0, 2, 1, 0, 3, 1, 0)})],
    "rms_norm": [([(1, 6, 1, 4), (1, 6, 1, 1)], {"axis": 1, "epsilon": 1e-5})],
    "layer_norm": [([(1, 6, 1, 4), (1, 6, 1, 1), (1, 6, 1, 1)], {"axis": 1, "epsilon": 1e-5})],
    "gelu_gradient": [
        ([(2, 3), (2, 3)], {}),
        ([(2, 3), (2, 3)], {"mode": "TANH_APPROXIMATION"}),
    ],
    "rms_norm_gradient": [
        ([(1, 6, 1, 4), (1, 6, 1, 1), (1, 6, 1, 4)], {"axis": 1, "epsilon": 1e-5}),
        ([(2, 3, 6, 4), (1, 1, 6, 1), (2, 3, 6, 4)], {"axis": 2, "epsilon": 1e-5}),
    ],
    "layer_norm_gradient": [
        ([(1, 6, 1, 4), (1, 6, 1, 1), (1, 6, 1, 4)], {"axis": 1, "epsilon": 1e-5})
    ],
    "rope": [([(1, 2, 6, 4), (1, 1, 3, 4), (1, 1, 3, 4)], {})],
    "attention": [
        (
            [
                (2, 3, 4, 5),
                *[(2, 1, 4, 7), (2, 1, 4, 7), (1, 1, 5, 7)],
                *[(2, 1, 4, 5), (2, 1, 4, 5), (1, 1, 5, 5)],
            ],
            {"scale": 0.5},
        ),
        ([(2, 3, 4, 5), (2, 1, 4, 5), (2, 1, 4, 5), (1, 1, 5, 5)], {"scale": 0.5}),
    ],
    "attention_gradient": [
        (
            [
                *[(2, 3, 4, 5), (2, 3, 4, 5)],
                *[(2, 1, 4, 7), (2, 1, 4, 7), (1, 1, 5, 7)],
                *[(2, 1, 4, 5), (2, 1, 4, 5), (1, 1, 5, 5)],
            ],
            {"scale": 0.5},
        ),
        ([*[(2, 3, 4, 5)] * 2, (2, 1, 4, 5), (2, 1, 4, 5), (1, 1, 5, 5)], {"scale": 0.5}),
    ],
}
# Ops whose operands a device wants as constants.
CONSTANT_ALONE = ("dequantize", "dequantize_axis")
CASES = [
    pytest.param(op, shapes, attributes, id=f"{op}-{index}")
    for op, samples in SAMPLES.items()
    for index, (shapes, attributes) in enumerate(samples)
]


def build(
    op: str, shapes: list[tuple[int, ...]], attributes: dict[str, Any]
) -> tuple[Graph, Node, dict[str, np.ndarray]]:
    """A graph of one op, and values away from kinks and poles for its inputs."""
    random = np.random.RandomState(len(op))
    g = Graph(op)
    operands, values = [], {}
    for index, shape in enumerate(shapes):
        if op in CONSTANT_ALONE:
            dtype = ("int8", "fp32")[index]
            number = random.randint(-127, 128, shape) if index == 0 else random.rand(*shape)
            operands.append(g.constant(number.astype(np.float16), dtype, f"i{index}"))
            continue
        is_condition = op == "select" and index == 0
        operands.append(g.input(f"i{index}", "bool" if is_condition else "fp32", shape))
        value = random.uniform(0.5, 1.5, shape)
        values[f"i{index}"] = value > 1 if is_condition else value
    node = g.node(op, operands, attributes)
    for index, value in enumerate(node.results):
        g.output(f"o{index}", value)
    return g, node, values


def test_every_row() -> None:
    assert set(SAMPLES) == {name for name, row in TABLE.items() if not row.source}


@pytest.mark.parametrize(("op", "shapes", "attributes"), CASES)
def test_shape_rule_is_numpys(op: str, shapes: Any, attributes: Any) -> None:
    g, node, values = build(op, shapes, attributes)
    verify(g)
    for output in interpret(g, values).items():
        index = int(output[0][1:])
        assert output[1].shape == node.results[index].type.shape


@pytest.mark.parametrize(("op", "shapes", "attributes"), CASES)
def test_text_round_trip(op: str, shapes: Any, attributes: Any) -> None:
    g, _, values = build(op, shapes, attributes)
    again = parse(to_text(g))
    verify(again)
    assert to_text(again) == to_text(g)
    for name, array in interpret(g, values).items():
        np.testing.assert_array_equal(interpret(again, values)[name], array)


@pytest.mark.parametrize(("op", "shapes", "attributes"), CASES)
def test_profile_arithmetic_rounds_once(op: str, shapes: Any, attributes: Any) -> None:
    g, _, values = build(op, shapes, attributes)
    stored = {name: value.astype(np.float16) for name, value in values.items()}
    stored = {n: v > 0 if values[n].dtype == bool else v for n, v in stored.items()}
    exact = interpret(g, stored)
    for name, array in interpret(g, stored, arithmetic=Arithmetic("fp16")).items():
        np.testing.assert_array_equal(array, exact[name].astype(np.float16))


@pytest.mark.parametrize(("op", "shapes", "attributes"), CASES)
def test_gradient_is_the_slope(op: str, shapes: Any, attributes: Any) -> None:
    g, node, values = build(op, shapes, attributes)
    if node.row.gradient is None:
        pytest.skip(f"{op} has no gradient of its own")
    random = np.random.RandomState(1)
    seeds = {}
    for index, value in enumerate(node.results):
        seeds[f"d{index}"] = random.standard_normal(value.type.shape)
    dys = [g.input(name, "fp32", seed.shape) for name, seed in seeds.items()]
    gradients = node.row.gradient(g, node, dys[0] if len(dys) == 1 else dys)
    assert len(gradients) == len(node.operands)
    for index, gradient in enumerate(gradients):
        if gradient is not None:
            g.output(f"g{index}", gradient)
    verify(g)
    results = interpret(g, values | seeds)
    for index, gradient in enumerate(gradients):
        if gradient is not None:
            name = f"i{index}"
            expected = slope(g, values | seeds, seeds, name)
            found = summed_to(results[f"g{index}"], expected.shape)
            np.testing.assert_allclose(found, expected, rtol=1e-6, atol=1e-7, err_msg=name)


def slope(g: Graph, values: dict[str, Any], seeds: dict[str, Any], name: str) -> np.ndarray:
    """Central differences of sum(dy * result) by every element of the input."""

    def loss(at: np.ndarray) -> float:
        results = interpret(g, values | {name: at})
        return sum(float((results[f"o{d[1:]}"] * seed).sum()) for d, seed in seeds.items())

    step = 1e-5
    result = np.zeros(values[name].shape)
    for index in np.ndindex(*result.shape):
        moved = np.zeros(result.shape)
        moved[index] = step
        result[index] = (loss(values[name] + moved) - loss(values[name] - moved)) / (2 * step)
    return result


def summed_to(array: np.ndarray, shape: tuple[int, ...]) -> np.ndarray:
    array = array.sum(axis=tuple(range(array.ndim - len(shape))))
    kept = tuple(i for i, n in enumerate(shape) if n == 1 and array.shape[i] != 1)
    return array.sum(axis=kept, keepdims=True)


@pytest.mark.parametrize(("op", "shapes", "attributes"), CASES)
@pytest.mark.parametrize("program", ["1.0", "1.3"])
def test_mil_line_or_composite(op: str, shapes: Any, attributes: Any, program: str) -> None:
    g, node, _ = build(op, shapes, attributes)
    if node.row.composite:
        assert node.row.mil is None
        return
    assert node.row.mil is not None
    lines = to_mil(g, {"program": program, "opset": "ios18"}).split("\n")
    (line,) = [line for line in lines if f" = {node.row.mil.op}(" in line]
    assert line.strip().startswith(f"tensor<{node.results[0].type.dtype}, [")
    # Every argument is a name: no literal stands inside the parentheses.
    inside = line[line.index("(") + 1 : line.index(")[")]
    assert '"' not in inside and "tensor<" not in inside and "[" not in inside


REFUSED = [
    ("add", [(2, 3), (4,)], {}, "do not broadcast"),
    ("matmul", [(2, 3), (4, 5)], {}, "inner lengths differ: 3 of"),
    ("linear", [(1, 3, 1, 4), (5, 4, 1, 1)], {}, "does not take the channels of"),
    ("reshape", [(2, 3)], {"shape": (7,)}, "has not as many elements as"),
    ("transpose", [(2, 3)], {"perm": (0, 0)}, "does not order"),
    ("split", [(2, 3)], {"axis": 1, "sizes": (1, 1)}, "do not make up axis 1"),
    ("concat", [(2, 3), (3, 3)], {"axis": 1}, "outside axis 1"),
    ("slice", [(2, 3)], {"begin": (0, 2), "size": (2, 2)}, "do not lie inside"),
    ("reduce_sum", [(2, 3)], {"axes": (2,)}, "axis 2 is outside 2 axes"),
    ("reduce_sum", [(2, 3)], {"axes": (1, -1)}, "repeat"),
    ("softmax", [(2, 3)], {}, "needs the attribute axis"),
    ("exp", [(2, 3)], {"base": 2}, "has no attribute base"),
    ("exp", [(2, 3), (2, 3)], {}, "takes x, got 2"),
    ("dequantize", [(4, 6), (3, 1)], {}, "do not cut int8 .4, 6. into equal blocks"),
    ("dequantize_axis", [(4, 6), (4,)], {"axis": 1}, "a scale for each index of axis 1"),
    ("rope", [(1, 5, 4), (1, 2, 4), (1, 2, 4)], {}, "does not turn the halves"),
    ("attention", [(2, 3, 4, 5), (2, 1, 4, 7)], {"scale": 1.0}, "for each segment, got 1"),
]


@pytest.mark.parametrize(("op", "shapes", "attributes", "message"), REFUSED)
def test_shape_rule_refuses(op: str, shapes: Any, attributes: Any, message: str) -> None:
    with pytest.raises(ShapeError, match=message) as error:
        build(op, shapes, attributes)
    assert str(error.value).startswith(op)


def test_dtypes_do_not_mix() -> None:
    g = Graph()
    x, y = g.input("x", "fp16", (2,)), g.input("y", "fp32", (2,))
    with pytest.raises(ShapeError, match="add: expected operands of one dtype, got fp16 and fp32"):
        g.add(x, y)


def test_numbers_take_the_dtype_of_their_neighbour() -> None:
    g = Graph()
    x = g.input("x", "fp16", (2,))
    assert g.mul(2.0, x).type == TensorType("fp16", (2,))
