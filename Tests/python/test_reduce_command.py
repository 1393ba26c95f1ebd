"""`orion reduce`: rules, errors and wrong numbers survive while the program shrinks."""

import json
from argparse import Namespace
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from types import SimpleNamespace

import pytest

from orion.cli.commands.reduce import choose_judge
from orion.diagnose.failure import Error, Numbers, Rules
from orion.diagnose.reduce import reduce
from orion.errors import OrionError
from orion.runtime import Device

Orion = Callable[..., SimpleNamespace]
TYPE = "tensor<fp16, [1, 64, 1, 64]>"


def chain(count: int, odd: dict[int, str], constants: str = "") -> str:
    lines = [constants]
    for index in range(count):
        x = f"v{index - 1}" if index else "x"
        call = odd.get(index, "relu(x = {x})" if index % 2 else "add(x = {x}, y = half)")
        lines.append(f"{TYPE} v{index} = {call.format(x=x)};")
    body = "\n".join(lines)
    return (
        f"program(1.3) {{ func main<ios18>({TYPE} x) {{\nfp16 half = const()[val = fp16(0.5)];\n"
        f"{body}\n}} -> (v{count - 1}); }}"
    )


def test_five_hundred_ops_with_a_broken_rule_become_one(orion: Orion, tmp_path: Path) -> None:
    path = tmp_path / "long.mil"
    path.write_text(chain(500, {333: "gelu(x = {x})"}))
    done = orion("reduce", path, "--json", "--output", tmp_path / "small.mil")
    assert done.code == 0, done.err
    facts = json.loads(done.out)
    assert facts["operations"] == 1
    assert facts["suspects"] == ["gelu"]
    assert facts["text"].count("gelu(") == 1
    assert (tmp_path / "small.mil").read_text() == facts["text"]
    assert "suspected rule: gelu" in done.err


def test_the_error_of_a_device_survives() -> None:
    text = chain(40, {17: "rsqrt(epsilon = half, x = {x})"})
    with Device("sim") as device:
        found = reduce(text, Error(device, "main", 0))
    assert found.failure.kind == "error"
    assert found.text.count(" = ") < 10
    assert "rsqrt(" in found.text
    assert found.suspects(["m4-macos15"])[0].rule == "no-rsqrt"


def test_numbers_that_differ_between_devices_survive() -> None:
    # The engine's products overflow where the host's do not.
    constants = "fp16 big = const()[val = fp16(1000.0)];\nbool no = const()[val = bool(false)];"
    odd = {9: "mul(x = {x}, y = big)", 11: "matmul(x = {x}, y = {x}, transpose_x = no,"}
    odd[11] = "mul(x = {x}, y = big)"
    text = chain(20, odd, constants)
    with Device("cpu") as host, Device("sim") as engine:
        found = reduce(
            text.replace("fp16", "fp32"), Numbers((engine, host), 1e-2, Error(engine, "main", 0))
        )
    assert found.failure.kind == "numbers"
    assert found.text.count("mul(") <= 2
    assert "relu" not in found.text or found.text.count("relu") < 3


def test_what_does_not_fail_is_refused(orion: Orion, tmp_path: Path) -> None:
    path = tmp_path / "good.mil"
    path.write_text(chain(3, {}))
    done = orion("reduce", path)
    assert done.code == 1
    assert "does not fail" in done.err
    assert orion("reduce", path, "--compare", "cpu").code == 2


def test_a_misspelt_rule_is_none_that_is_kept(orion: Orion, tmp_path: Path) -> None:
    path = tmp_path / "good.mil"
    path.write_text(chain(3, {}))
    done = orion("reduce", path, "--rule", "minimum-surfaces")
    assert (done.code, done.out) == (2, "")
    assert "minimum-surfaces" in done.err and "minimum-surface," in done.err


def test_rules_are_those_of_the_devices_profile() -> None:
    asked = Namespace(
        device="sim:m1-macos15", profile=None, cache_dir=None, rule=["dialect"], compare=None,
        weights=None, path=Path("x.mil"), function="main", seed=0, tolerance=0.01,
    )  # fmt: skip
    with ExitStack() as stack:
        assert choose_judge(asked, stack)[1] == "m1-macos15"


def test_a_fault_of_the_judge_comes_out() -> None:
    class Faulty:
        calls = 0

        def failure(self, text: str) -> object:
            self.calls += 1
            if self.calls > 3:
                raise OrionError("the judge is out")
            return Rules(["m4-macos15"]).failure(text)

    with pytest.raises(OrionError, match="the judge is out"):
        reduce(chain(9, {4: "gelu(x = {x})"}), Faulty())  # type: ignore[arg-type]
