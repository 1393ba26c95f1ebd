"""`orion run`: inputs, outputs, arithmetic, every result on the way, the first that differs."""

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import mil_text
import numpy as np
import pytest

Orion = Callable[..., SimpleNamespace]
SHAPE = (1, 4, 1, 64)


@pytest.fixture
def program(tmp_path: Path) -> Path:
    """(x + y) * 1000 * 100 / 100000, with a narrow sum on the way: fp16 has no 100000."""
    inputs = [("x", "fp16", SHAPE), ("y", "fp16", SHAPE)]
    add = [("sum", "fp16", SHAPE)]
    body = mil_text.call("add", {"x": "%x", "y": "%y"}, add)
    body += mil_text.call("mul", {"x": "%sum", "y": 1000.0}, [("large", "fp16", SHAPE)])
    body += mil_text.call("mul", {"x": "%large", "y": 100.0}, [("larger", "fp16", SHAPE)])
    body += mil_text.call(
        "reduce_max",
        {"x": "%larger", "axes": [3], "keep_dims": True},
        [("peak", "fp16", (1, 4, 1, 1))],
    )
    body += mil_text.call("sub", {"x": "%larger", "y": "%peak"}, [("out", "fp16", SHAPE)])
    path = tmp_path / "model.mil"
    path.write_text(mil_text.program(inputs, body, ["out", "sum"]))
    return path


def test_inputs_and_outputs_are_files(orion: Orion, program: Path, tmp_path: Path) -> None:
    x, y = np.random.default_rng(3).normal(size=(2, *SHAPE)).astype(np.float32)
    np.save(tmp_path / "x.npy", x)
    np.savez(tmp_path / "more.npz", y=y, other=x)
    for device in ("cpu", "sim"):
        done = orion(
            *("run", program, "--device", device, "--input", f"x={tmp_path / 'x.npy'}"),
            *("--input", f"y={tmp_path / 'more.npz'}", "--output", tmp_path / "out.npz", "--json"),
        )
        assert done.code == 0, done.err
        facts = json.loads(done.out)
        assert [row["output"] for row in facts["outputs"]] == ["out", "sum"]
        with np.load(tmp_path / "out.npz") as outputs:
            assert (outputs["sum"] == x.astype(np.float16) + y.astype(np.float16)).all()


def test_random_inputs_repeat(orion: Orion, program: Path) -> None:
    first, again, other = (
        orion("run", program, "--device", "cpu", "--seed", seed, "--json").out for seed in (1, 1, 2)
    )
    assert first == again
    assert first != other


def test_fp32_arithmetic_does_not_round(orion: Orion, program: Path) -> None:
    for device in ("cpu", "sim"):
        arguments = ("run", program, "--device", device, "--json")
        own, wide = (
            json.loads(orion(*arguments, "--arith", arithmetic).out)["outputs"][0]
            for arithmetic in ("own", "fp32")
        )
        # 65504 is all that fp16 holds: infinity minus infinity.
        assert own["nan"] > 0
        assert wide["nan"] == 0


def test_every_result_is_dumped(orion: Orion, program: Path, tmp_path: Path) -> None:
    for device in ("cpu", "sim"):
        directory = tmp_path / device
        done = orion("run", program, "--device", device, "--dump", directory)
        assert done.code == 0, done.err
        rows = json.loads((directory / "index.json").read_text())
        assert [row["name"] for row in rows] == ["sum", "large", "larger", "peak", "out"]
        assert [row["op"] for row in rows] == ["add", "mul", "mul", "reduce_max", "sub"]
        arrays = {row["name"]: np.load(directory / row["file"]) for row in rows}
        assert (arrays["large"] == arrays["sum"] * np.float16(1000)).all()
        hidden = [row["name"] for row in rows if row["source"].startswith("computed")]
        # One column is narrower than a surface of the engine.
        assert hidden == ([] if device == "cpu" else ["peak"])
        assert ("cannot leave sim" in done.err) == (device == "sim")


def test_the_first_result_that_differs_is_named(orion: Orion, program: Path) -> None:
    arguments = ("run", program, "--device", "sim", "--json", "--compare")
    same = orion(*arguments, "sim:m5-macos26")
    assert same.code == 0, same.err
    done = orion("run", program, "--device", "cpu", "--arith", "fp32", "--json", "--compare", "sim")
    assert done.code == 1
    found = json.loads(done.out)["first_difference"]
    # What is infinite in fp16 comes out infinite from both; the difference of two is not.
    assert found["name"] == "out"
    assert found["op"] == "sub"
    line = program.read_text().splitlines()[found["line"] - 1]
    assert "out = sub" in line
    assert f"{program}:{found['line']}: `out`" in done.err
    wide = orion(
        *("run", program, "--device", "cpu", "--arith", "fp32"),
        *("--compare", "sim", "--tolerance", "inf"),
    )
    assert wide.code == 0


def test_the_report_is_json_whatever_the_numbers(orion: Orion, program: Path) -> None:
    """Where one device has a number and the other has none they are infinitely far apart."""
    done = orion(
        *("run", program, "--device", "cpu", "--arith", "fp32", "--compare", "sim", "--json")
    )
    told = json.loads(done.out, parse_constant=lambda word: pytest.fail(f"{word} is no JSON"))
    assert told["first_difference"]["distance"] is None
    assert "by inf" in done.err


@pytest.mark.parametrize(
    ("arguments", "part"),
    [
        (("--input", "z=/dev/null"), "/dev/null"),
        (("--input", "x.npy"), "x.npy"),
        (("--function", "other"), "other"),
        (("--output", "out.txt"), ".npz"),
        (("--output", "none/out.npz"), "there is no directory none"),
        (("--seed", "-1"), "whole number of 0 or more"),
        (("--compare", "sim", "--tolerance", "nan"), "number of 0 or more"),
        (("--tolerance", "-1"), "number of 0 or more"),
        (("--dump", "/dev/null"), "/dev/null"),
    ],
)
def test_wrong_use_is_told(
    orion: Orion, program: Path, arguments: tuple[str, ...], part: str
) -> None:
    done = orion("run", program, "--device", "cpu", *arguments)
    assert done.code in (1, 2)
    assert part in done.err
    assert "Traceback" not in done.err
