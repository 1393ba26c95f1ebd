"""Programs from Python: arrays in and out, threads, failures, counters, the trace."""

import threading
from pathlib import Path

import mil_text
import numpy as np
import pytest

from orion.errors import OrionError, UsageError
from orion.runtime import Device, Program, Tensor, cache_entries, profile

SHAPE = (1, 4, 2, 32)
DEVICES = ("cpu", "sim")


def doubling(dtype: str = "fp16") -> str:
    """x + x, and x + x + y."""
    inputs = [("x", dtype, SHAPE), ("y", dtype, SHAPE)]
    body = mil_text.call("add", {"x": "%x", "y": "%x"}, [("twice", dtype, SHAPE)])
    body += mil_text.call("add", {"x": "%twice", "y": "%y"}, [("more", dtype, SHAPE)])
    return mil_text.program(inputs, body, ["twice", "more"])


@pytest.fixture(params=DEVICES)
def device(request: pytest.FixtureRequest) -> Device:
    return Device(request.param)


@pytest.fixture
def cpu() -> Device:
    return Device("cpu")


@pytest.mark.parametrize("by_name", [True, False])
def test_a_program_runs_on_arrays(device: Device, by_name: bool) -> None:
    program = Program(device, doubling())
    assert [port.name for port in program.inputs] == ["x", "y"]
    assert [port.shape for port in program.outputs] == [SHAPE, SHAPE]
    x, y = np.random.default_rng(1).normal(size=(2, *SHAPE)).astype(np.float16)
    for _ in range(3):
        results = program.run({"y": y, "x": x} if by_name else [x, y])
        np.testing.assert_array_equal(results["twice"], x + x)
        np.testing.assert_array_equal(results["more"], (x + x) + y)
    assert device.counters()["evals"] == 3


def test_results_are_copies(cpu: Device) -> None:
    program = Program(cpu, doubling())
    first = program.run([np.ones(SHAPE)] * 2)["twice"]
    program.run([np.zeros(SHAPE)] * 2)
    assert (first == 2).all()


def test_a_program_is_shared_by_threads(device: Device) -> None:
    program = Program(device, doubling())
    wrong: list[int] = []

    def work(number: int) -> None:
        for _ in range(20):
            result = program.run([np.full(SHAPE, number), np.zeros(SHAPE)])
            if not (result["more"] == 2 * number).all():
                wrong.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


@pytest.mark.parametrize(
    ("arrays", "expected"),
    [
        ([np.zeros(SHAPE)], "takes 2 inputs"),
        ({"x": np.zeros(SHAPE)}, "y is missing"),
        ({"x": np.zeros(SHAPE), "y": np.zeros(SHAPE), "z": 1}, "there is no z"),
        ([np.zeros(SHAPE), np.zeros((1, 4))], r"Input y takes the shape \[1, 4, 2, 32\]"),
        ([np.zeros(SHAPE), np.zeros(SHAPE, complex)], "holds fp16, not complex128"),
    ],
)
def test_arrays_that_do_not_fit_are_named(cpu: Device, arrays: object, expected: str) -> None:
    program = Program(cpu, doubling())
    with pytest.raises(UsageError, match=expected):
        program.run(arrays)  # type: ignore[arg-type]


def test_a_tensor_of_another_size_is_refused(device: Device) -> None:
    program = Program(device, doubling())
    right = [Tensor(device, SHAPE) for _ in range(3)]
    for wrong in (Tensor(device, (1, 4, 2, 64)), Tensor(device, SHAPE, "fp32")):
        with pytest.raises(OrionError):
            program.evaluate([right[0], wrong], right[1:])
        with pytest.raises(OrionError):
            program.evaluate(right[:2], [right[2], wrong])
    with pytest.raises(OrionError):
        program.evaluate(right[:1], right[1:])


def test_a_tensor_of_another_device_is_refused() -> None:
    program = Program(Device("sim"), doubling())
    foreign = [Tensor(Device("cpu"), SHAPE) for _ in range(4)]
    with pytest.raises(OrionError):
        program.evaluate(foreign[:2], foreign[2:])


def test_a_text_that_is_no_program_says_where(device: Device) -> None:
    text = doubling().replace("add(x = x", "add(x = nothing")
    with pytest.raises(OrionError, match=r"model.mil:\d+:\d+.*nothing"):
        Program(device, text)


def test_a_function_that_is_not_there_is_named(device: Device) -> None:
    with pytest.raises(OrionError, match="other"):
        Program(device, doubling(), function="other")


def test_a_failing_call_is_an_error_that_names_it() -> None:
    """Every call of the table fails in turn; the last run sees none fail."""
    with Device("sim", trace=True) as device:
        Program(device, doubling()).run([np.ones(SHAPE)] * 2)
        calls = len(device.take_trace())
    assert calls > 20
    failures = 0
    for number in range(1, calls + 1):
        try:
            with Device("sim", fail_call=number) as device:
                result = Program(device, doubling()).run([np.ones(SHAPE)] * 2)
        except OrionError as error:
            failures += 1
            assert str(error)
        else:
            assert (result["twice"] == 2).all(), number
    assert failures > calls / 2


def test_the_trace_is_taken_once() -> None:
    with Device("sim", trace=True) as device:
        Program(device, doubling()).run([np.ones(SHAPE)] * 2)
        assert any("evaluate" in line for line in device.take_trace())
        assert device.take_trace() == []


def test_counters_tell_a_compile_from_a_hit(tmp_path: Path) -> None:
    for name in DEVICES:
        with Device(name, cache_dir=tmp_path) as device:
            program = Program(device, doubling())
            assert device.counters()["compiles"] == 1
            program.close()
        with Device(name, cache_dir=tmp_path) as device:
            program = Program(device, doubling())
            counted = device.counters()
            assert (counted["compiles"], counted["cache_hits"]) == (0, 1)
            assert counted["loaded_programs"] == 1
    assert sum(entry["bytes"] for entry in cache_entries(tmp_path)) > 0


def test_the_engines_clock_runs_on_its_own() -> None:
    with Device("sim") as device:
        program = Program(device, doubling())
        before = device.counters()["virtual_s"]
        for _ in range(10):
            program.run([np.ones(SHAPE)] * 2)
        spent = device.counters()["virtual_s"] - before
    assert spent >= 10 * profile("m4-macos15")["cost"]["dispatch_seconds"]
