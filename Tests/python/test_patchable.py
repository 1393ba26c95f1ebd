"""Programs with a weight file of their own: written in place, reloaded, and what that shows."""

from pathlib import Path

import mil_text
import numpy as np
import pytest

from orion.errors import UsageError
from orion.mil.blob import BlobWriter
from orion.runtime import Device, Program

SHAPE = (1, 4, 1, 32)
DEVICES = ("cpu", "sim", "sim:paper")


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    writer = BlobWriter()
    writer.add("w", np.arange(1, 5, dtype=np.float16), "fp16")
    path = tmp_path / "weights.bin"
    with path.open("wb") as file:
        writer.write(file)
    return path


TEXT = mil_text.program(
    [("x", "fp16", SHAPE)],
    '            tensor<fp16, [1, 4, 1, 1]> w = const()[name = string("w"), val ='
    ' tensor<fp16, [1, 4, 1, 1]>(BLOBFILE(path = string("@model_path/weights.bin"),'
    " offset = uint64(64)))];\n"
    '            tensor<fp16, [1, 4, 1, 32]> y = mul(x = x, y = w)[name = string("y")];\n',
    ["y"],
)


def column(program: Program) -> list[float]:
    result = program.run({"x": np.ones(SHAPE, np.float16)})["y"]
    return [float(value) for value in result[0, :, 0, 0]]


@pytest.mark.parametrize("name", DEVICES)
def test_a_reload_does_what_the_canary_says(name: str, weights: Path) -> None:
    device = Device(name)
    program = Program(device, TEXT, weights, patchable=True)
    with program.weights() as view:
        assert view.dtype == np.uint8 and view.size == weights.stat().st_size
        view[128:136] = np.array([9, 8, 7, 6], np.float16).view(np.uint8)
    with pytest.raises(ValueError, match="read-only"):
        view[0] = 1
    assert column(program) == [1, 2, 3, 4]
    compiles = device.counters()["compiles"]
    program.reload()
    expected = {"effective": [9, 8, 7, 6], "stale": [1, 2, 3, 4]}
    assert column(program) == expected[device.canary("reload")]
    assert device.counters()["compiles"] <= compiles + 1  # the canary's own
    assert device.canary("reload") == ("stale" if name == "sim" else "effective")
    # Others that use the file see nothing of it.
    assert column(Program(device, TEXT, weights)) == [1, 2, 3, 4]


@pytest.mark.parametrize("name", DEVICES)
def test_wrong_use_is_refused(name: str, weights: Path) -> None:
    device = Device(name)
    shared = Program(device, TEXT, weights)
    with pytest.raises(UsageError, match="compile it as patchable"):
        shared.reload()
    with pytest.raises(UsageError, match="compile it as patchable"), shared.weights():
        pass
    with pytest.raises(UsageError, match="there is no one weight file"):
        Program(device, TEXT, patchable=True)
    program = Program(device, TEXT, weights, patchable=True)
    with program.weights():
        with pytest.raises(UsageError, match="already locked"), program.weights():
            pass
        with pytest.raises(UsageError, match="unlock them before reloading"):
            program.reload()
    program.reload()
    with pytest.raises(UsageError, match="no canary"):
        device.canary("sing")
