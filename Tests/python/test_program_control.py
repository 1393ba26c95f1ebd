"""Programs that do not end by themselves, and weights under the names that texts give them."""

import os
import signal
import threading
from pathlib import Path

import mil_text
import numpy as np
import pytest

from orion.errors import OrionError, UsageError
from orion.mil.blob import BlobWriter
from orion.runtime import Device, Program

ENDLESS = """program(1.3)
{
    func main<ios18>(tensor<fp32, [4]> x) {
            tensor<fp32, [4]> y = while_loop(loop_vars = (x))
                test(tensor<fp32, [4]> a) {
                    bool more = equal(x = int32(1), y = int32(1));
                } -> (more) body(tensor<fp32, [4]> a) { tensor<fp32, [4]> b = relu(x = a); } -> (b);
        } -> (y);
}"""


def after(seconds: float, action: object, *arguments: object) -> threading.Timer:
    timer = threading.Timer(seconds, action, arguments)  # type: ignore[arg-type]
    timer.start()
    return timer


def test_an_endless_loop_is_cancelled() -> None:
    program = Program(Device("cpu"), ENDLESS)
    after(0.2, program.cancel)
    with pytest.raises(OrionError, match="cancelled before it was done"):
        program.run([np.zeros(4)])


def test_an_interrupt_ends_a_loop_in_the_main_thread() -> None:
    program = Program(Device("cpu"), ENDLESS)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        after(0.2, os.kill, os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            program.run([np.zeros(4)])
    finally:
        signal.signal(signal.SIGINT, before)


def test_a_cancelled_program_runs_again() -> None:
    text = ENDLESS.replace("equal(x = int32(1), y = int32(1))", "equal(x = n, y = int32(1))")
    text = text.replace("tensor<fp32, [4]> x)", "tensor<fp32, [4]> x, int32 n)")
    program = Program(Device("cpu"), text)
    after(0.2, program.cancel)
    with pytest.raises(OrionError, match="cancelled"):
        program.run({"x": np.zeros(4), "n": np.int32(1)})
    got = program.run({"x": -np.ones(4), "n": np.int32(0)})["y"]
    np.testing.assert_array_equal(got, -1)


def with_weights(*names: str) -> str:
    body, last = "", "x"
    for index, name in enumerate(names):
        kind = "tensor<fp32, [4]>"
        place = f'path = string("@model_path/{name}"), offset = uint64(64)'
        body += (
            f"            {kind} w{index} = const()[val = {kind}(BLOBFILE({place}))];\n"
            f"            {kind} y{index} = add(x = {last}, y = w{index});\n"
        )
        last = f"y{index}"
    return mil_text.program([("x", "fp32", (4,))], body, [last])


def write(path: Path, values: list[float]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    writer = BlobWriter()
    assert writer.add("w", np.array(values, np.float32), "fp32") == 64
    with path.open("wb") as file:
        writer.write(file)
    return path


@pytest.mark.parametrize("device", ["cpu", "sim"])
def test_one_file_stands_for_the_name_the_text_has(device: str, tmp_path: Path) -> None:
    path = write(tmp_path / "any.bin", [1, 2, 3, 4])
    if device == "cpu":
        program = Program(Device(device), with_weights("weights/weight.bin"), path)
        np.testing.assert_array_equal(program.run([np.ones(4)])["y0"], [2, 3, 4, 5])
        return
    shape = (1, 4, 1, 32)
    half = write(tmp_path / "half.bin", [0.0])
    with half.open("wb") as file:
        writer = BlobWriter()
        writer.add("w", np.ones((1, 4, 1, 1)), "fp16")
        writer.write(file)
    kind = "tensor<fp16, [1, 4, 1, 1]>"
    place = 'path = string("@model_path/weights/weight.bin"), offset = uint64(64)'
    body = f"            {kind} w = const()[val = {kind}(BLOBFILE({place}))];\n"
    body += mil_text.call("add", {"x": "%x", "y": "%w"}, [("y", "fp16", shape)])
    program = Program(Device(device), mil_text.program([("x", "fp16", shape)], body, ["y"]), half)
    np.testing.assert_array_equal(program.run([np.ones(shape)])["y"], 2)


def test_a_directory_stands_for_several(tmp_path: Path) -> None:
    write(tmp_path / "a.bin", [1, 2, 3, 4])
    write(tmp_path / "deep/b.bin", [10, 20, 30, 40])
    text = with_weights("a.bin", "deep/b.bin")
    program = Program(Device("cpu"), text, tmp_path)
    np.testing.assert_array_equal(program.run([np.zeros(4)])["y1"], [11, 22, 33, 44])
    write(tmp_path / "deep/b.bin", [0, 0, 0, 1])
    changed = Program(Device("cpu"), text, tmp_path)
    np.testing.assert_array_equal(changed.run([np.zeros(4)])["y1"], [1, 2, 3, 5])
    with pytest.raises(OrionError, match=r"names 2 \(a.bin, deep/b.bin\)"):
        Program(Device("cpu"), text, tmp_path / "a.bin")
    with pytest.raises(OrionError, match=r"c\.bin"):
        Program(Device("cpu"), with_weights("a.bin", "c.bin"), tmp_path)


def test_a_name_cannot_lead_out_of_the_directory(tmp_path: Path) -> None:
    path = write(tmp_path / "a.bin", [1, 2, 3, 4])
    with pytest.raises(OrionError, match=r"without `\.` and `\.\.`"):
        Program(Device("cpu"), with_weights("../a.bin"), path)


def test_states_are_called_by_name() -> None:
    kind = "tensor<fp32, [4]>"
    text = mil_text.program([("x", "fp32", (4,))], "", ["y"]).replace(
        "> x) {\n",
        f"> x, state<{kind}> kv) {{\n{kind} y = coreml_update_state(state = kv, value = x);",
    )
    program = Program(Device("cpu"), text)
    with pytest.raises(UsageError, match="states are kv; there is no k"):
        program.read_state("k")
    with pytest.raises(UsageError, match=r"takes the shape \[4\]"):
        program.write_state("kv", np.zeros(5))
