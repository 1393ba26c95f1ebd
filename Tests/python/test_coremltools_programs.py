"""Programs that coremltools saves, printed as text: on cpu they give what they mean."""

import contextlib
import io
import logging
import re
from pathlib import Path
from typing import Any

import numpy as np
import op_oracle
import pytest
from coremltools_flow import EXAMPLES
from coremltools_programs import Example, build_block, np_block, weights
from coremltools_text import Printed, convert, print_model

from orion.errors import OrionError
from orion.runtime import Device, Program

Array = np.ndarray


@pytest.fixture(scope="module")
def tools() -> Any:
    return op_oracle.load()


@pytest.fixture(scope="module")
def mb(tools: Any) -> Any:
    """coremltools' builder."""
    from coremltools.converters.mil import Builder

    return Builder


@contextlib.contextmanager
def quiet() -> Any:
    """coremltools draws bars on stderr."""
    logging.disable(logging.WARNING)
    try:
        with contextlib.redirect_stderr(io.StringIO()), contextlib.redirect_stdout(io.StringIO()):
            yield
    finally:
        logging.disable(logging.NOTSET)


def program_of(tools: Any, mb: Any, case: Example) -> Any:

    specs = [mb.TensorSpec(shape=shape) for shape in case.inputs.values()]
    target = getattr(tools.target, case.target)
    return mb.program(input_specs=specs, opset_version=target)(
        named(case.build(mb), list(case.inputs))
    )


def named(function: Any, names: list[str]) -> Any:
    """The builder takes the names of the inputs from the function's code."""
    code = f"lambda {', '.join(names)}: function({', '.join(names)})"
    return eval(code, {"function": function})


def printed(tools: Any, mb: Any, case: Example, directory: Path) -> Printed:
    with quiet():
        target = getattr(tools.target, case.target)
        return convert(program_of(tools, mb, case), directory, target=target)


def drawn(shapes: dict[str, tuple[int, ...]], seed: int) -> dict[str, Array]:
    random = np.random.default_rng(seed)
    return {name: random.uniform(-2, 2, shape).astype(np.float32) for name, shape in shapes.items()}


def assert_near(got: Array, wanted: Array, bound: float) -> None:
    assert got.shape == wanted.shape
    if got.dtype.kind != "f":
        np.testing.assert_array_equal(got, wanted)
        return
    largest = float(np.abs(wanted).max(initial=1e-6))
    np.testing.assert_allclose(got, wanted, rtol=0, atol=bound * largest)


@pytest.mark.parametrize("case", EXAMPLES, ids=lambda case: case.name)
def test_a_program_means_what_it_says(tools: Any, mb: Any, case: Example, tmp_path: Path) -> None:
    text = printed(tools, mb, case, tmp_path)
    program = Program(Device("cpu"), text.text, text.weights)
    for seed in (1, 2):
        given = drawn(case.inputs, seed)
        results = program.run(given)
        wanted = case.meaning({name: value.astype(np.float64) for name, value in given.items()})
        assert len(results) == len(wanted)
        for got, expected in zip(results.values(), wanted, strict=True):
            assert_near(got, np.asarray(expected), case.bound)


def test_both_dialects_are_one_program(tools: Any, mb: Any, tmp_path: Path) -> None:
    case = next(case for case in EXAMPLES if case.name == "loop_over_a_layer")
    target = getattr(tools.target, case.target)
    with quiet():
        model = tools.convert(
            program_of(tools, mb, case),
            convert_to="mlprogram",
            minimum_deployment_target=target,
            skip_model_load=True,
            compute_precision=tools.precision.FLOAT32,
        )
    given = drawn(case.inputs, 3)
    results = []
    for dialect in ("1.0", "1.3"):
        text = print_model(model, tmp_path / dialect, dialect)
        results.append(Program(Device("cpu"), text.text, text.weights).run(given))
    for first, second in zip(results[0].values(), results[1].values(), strict=True):
        np.testing.assert_array_equal(first, second)


def test_functions_share_a_weight_file(tools: Any, mb: Any, tmp_path: Path) -> None:
    from coremltools.converters.mil.mil import Function
    from coremltools.converters.mil.mil import Program as Built

    w = weights(60, 16, 16)
    built = Built()
    for name, rows in (("prompt", 4), ("step", 1)):
        with Function(
            {"x": mb.placeholder(shape=(rows, 16))}, opset_version=tools.target.iOS18
        ) as f:
            y = mb.linear(x=f.inputs["x"], weight=w)
            f.set_outputs([mb.relu(x=y) if name == "step" else y])
        built.add_function(name, f)
    built.default_function_name = "prompt"
    built.export_as_multifunction = True
    with quiet():
        text = convert(built, tmp_path, target=tools.target.iOS18)
    assert text.text.count("func ") == 2
    for name, rows in (("prompt", 4), ("step", 1)):
        program = Program(Device("cpu"), text.text, text.weights, function=name)
        x = drawn({"x": (rows, 16)}, 5)["x"]
        got = next(iter(program.run([x]).values()))
        wanted = x @ w.T
        assert_near(got, np.maximum(wanted, 0) if name == "step" else wanted, 1e-5)


def stateful(tools: Any, mb: Any, tmp_path: Path) -> Printed:
    """A cache of keys into which each call writes a row, and what is attended to."""
    from coremltools.converters.mil.mil import types

    specs = [
        mb.TensorSpec(shape=(1, 4), dtype=types.fp16),
        mb.TensorSpec(shape=(1,), dtype=types.int32),
        mb.StateTensorSpec(shape=(6, 4), dtype=types.fp16),
    ]

    @mb.program(input_specs=specs, opset_version=tools.target.iOS18)
    def program(x: Any, at: Any, kv: Any) -> Any:
        held = mb.read_state(input=kv)
        place = mb.cast(x=mb.equal(x=np.arange(6, dtype=np.int32), y=at), dtype="fp16")
        row = mb.mul(x=mb.expand_dims(x=place, axes=[1]), y=x)
        new = mb.coreml_update_state(state=kv, value=mb.add(x=held, y=row))
        return mb.matmul(x=new, y=x, transpose_y=True)

    with quiet():
        return convert(program, tmp_path, target=tools.target.iOS18)


def test_a_state_stays_with_its_program(tools: Any, mb: Any, tmp_path: Path) -> None:
    text = stateful(tools, mb, tmp_path)
    assert "write_state(" in text.text and "state<tensor<fp16, [6, 4]>>" in text.text
    device = Device("cpu")
    program, other = Program(device, text.text), Program(device, text.text)
    assert [(s.name, s.dtype, s.shape) for s in program.states] == [("kv", "fp16", (6, 4))]
    random = np.random.default_rng(6)
    held = np.zeros((6, 4))
    for step in range(4):
        x = random.integers(-4, 4, (1, 4)).astype(np.float16)
        held[step] += x[0]
        got = program.run({"x": x, "at": np.array([step], np.int32)})
        np.testing.assert_array_equal(next(iter(got.values())), held @ x.T)
    np.testing.assert_array_equal(program.read_state("kv"), held)
    np.testing.assert_array_equal(other.read_state("kv"), 0)
    other.write_state("kv", program.read_state("kv"))
    np.testing.assert_array_equal(other.read_state("kv"), held)
    program.reset_states()
    np.testing.assert_array_equal(program.read_state("kv"), 0)


def test_a_state_is_refused_by_the_engine(tools: Any, mb: Any, tmp_path: Path) -> None:
    with pytest.raises(OrionError, match="kv"):
        Program(Device("sim"), stateful(tools, mb, tmp_path).text)


def test_sizes_left_open_are_those_by_default(tools: Any, mb: Any, tmp_path: Path) -> None:
    """Shapes that a program computes are known once its sizes are."""
    from coremltools.converters.mil.mil import get_new_symbol

    length = get_new_symbol()

    def build(x: Any) -> Any:
        rows = mb.gather(x=mb.shape(x=x), indices=np.int32(0), axis=0)
        flat = mb.concat(values=(mb.expand_dims(x=rows, axes=[0]), np.array([8], np.int32)), axis=0)
        return mb.add(x=mb.reshape(x=x, shape=flat), y=np.float32(1))

    with quiet():
        program = mb.program(
            input_specs=[mb.TensorSpec(shape=(length, 2, 4))], opset_version=tools.target.iOS17
        )(build)
        text = convert(
            program,
            tmp_path,
            target=tools.target.iOS17,
            inputs=[tools.TensorType("x", shape=(tools.RangeDim(1, 9, default=5), 2, 4))],
        ).text
    assert "tensor<fp32, [?, 2, 4]> x" in text
    x = drawn({"x": (5, 2, 4)}, 7)["x"]
    got = Program(Device("cpu"), text).run([x])
    np.testing.assert_array_equal(next(iter(got.values())), x.reshape(5, 8) + 1)
    wide = drawn({"x": (9, 2, 4)}, 9)["x"]
    got = Program(Device("cpu"), text, shapes={"x": (9, 2, 4)}).run([wide])
    np.testing.assert_array_equal(next(iter(got.values())), wide.reshape(9, 8) + 1)
    with pytest.raises(OrionError, match=r"`x` is tensor<fp32, \[\?, 2, 4\]>, which \[9, 8\]"):
        Program(Device("cpu"), text, shapes={"x": (9, 8)})
    without = re.sub(r"\[FlexibleShapeInformation.*\] {", "{", text)
    with pytest.raises(OrionError, match=r"dimension 0 of `x` is `\?`.*default shapes"):
        Program(Device("cpu"), without)


def test_half_precision_programs_run(tools: Any, mb: Any, tmp_path: Path) -> None:

    specs = [mb.TensorSpec(shape=(1, 8, 16))]
    with quiet():
        program = mb.program(input_specs=specs, opset_version=tools.target.iOS17)(build_block(mb))
        text = convert(
            program, tmp_path, target=tools.target.iOS17, precision=tools.precision.FLOAT16
        )
    from coremltools_programs import block_parts

    x = drawn({"x": (1, 8, 16)}, 8)["x"].astype(np.float16)
    got = next(iter(Program(Device("cpu"), text.text, text.weights).run([x]).values()))
    assert_near(got.astype(np.float64), np_block(x.astype(np.float64), block_parts()), 5e-3)
