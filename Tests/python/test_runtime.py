"""Devices, tensors and programs from Python: what they do, and what they say when used wrongly."""

import threading
from pathlib import Path

import mil_text
import numpy as np
import pytest

from orion.errors import OrionError, UsageError
from orion.runtime import (
    Device,
    Program,
    Session,
    Tensor,
    cache_entries,
    file_sha256,
    profile,
    profile_names,
)
from orion.runtime.abi import library

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


def test_profiles_are_rows_with_limits_and_preferences() -> None:
    assert {"cpu", "m4-macos15"} <= set(profile_names())
    engine = profile("m4-macos15")
    assert engine["preferences"]["decode_columns"] == 32
    assert engine["limits"]["row_alignment_bytes"] == 64
    assert profile("cpu")["preferences"]["activation"] == "fp32"


def test_an_unknown_profile_is_named_with_the_known_ones() -> None:
    with pytest.raises(UsageError, match=r"m9.*m4-macos15"):
        profile("m9")


@pytest.mark.parametrize(
    ("name", "kind", "profile_name"),
    [("cpu", "cpu", "cpu"), ("sim", "sim", "m4-macos15"), ("sim:m4-macos15", "sim", "m4-macos15")],
)
def test_a_device_says_what_it_is(name: str, kind: str, profile_name: str) -> None:
    with Device(name) as device:
        assert (device.kind, device.profile) == (kind, profile_name)
        assert device.route


def test_auto_says_why() -> None:
    with Device("auto") as device:
        assert device.kind in ("ane", "cpu")
        assert device.reason


@pytest.mark.parametrize("name", ["gpu", "sim:m9", "", "cpu:1"])
def test_an_unknown_device_is_a_usage_error_that_names_it(name: str) -> None:
    with pytest.raises(UsageError) as failure:
        Device(name)
    assert name in str(failure.value)


def test_a_closed_device_is_refused_and_closing_twice_is_not(cpu: Device) -> None:
    cpu.close()
    cpu.close()
    with pytest.raises(UsageError, match="closed"):
        cpu.counters()


@pytest.mark.parametrize("dtype", ["fp16", "fp32", "int32", "int8", "uint8", "bool"])
def test_a_tensor_keeps_what_is_written(cpu: Device, dtype: str) -> None:
    tensor = Tensor(cpu, (2, 3, 5), dtype)
    values = np.arange(30).reshape(2, 3, 5) % 2
    with tensor as view:
        assert not view.any()
        view[...] = values
    with tensor as view:
        np.testing.assert_array_equal(view, values)


def test_rows_lie_at_the_devices_alignment() -> None:
    tensor = Tensor(Device("sim"), (1, 2, 3, 5), "fp16")
    with tensor as view:
        assert view.strides == (6 * 64, 3 * 64, 64, 2)


def test_a_view_cannot_be_written_after_its_block(device: Device) -> None:
    tensor = Tensor(device, SHAPE)
    with tensor as view:
        view[...] = 1
    with pytest.raises(ValueError, match="read-only"):
        view[...] = 2
    with pytest.raises(UsageError, match="inside a block"):
        _ = tensor.view


def test_a_tensor_is_held_once_at_a_time(cpu: Device) -> None:
    tensor = Tensor(cpu, SHAPE)
    with tensor as view, pytest.raises(UsageError, match="do not nest"), tensor:
        pass
    assert view.shape == SHAPE


def test_memory_outlives_the_tensor_object(device: Device) -> None:
    def numbers() -> np.ndarray:
        tensor = Tensor(device, SHAPE)
        with tensor as view:
            view[...] = 3
        return view

    views = [numbers() for _ in range(50)]
    assert all((view == 3).all() for view in views)


@pytest.mark.parametrize("shape", [(), (1,) * 6, (0, 4), (-1, 4), (1 << 40, 1 << 40)])
def test_a_shape_no_tensor_has_is_an_error(device: Device, shape: tuple[int, ...]) -> None:
    with pytest.raises(OrionError):
        Tensor(device, shape)


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(UsageError, match="fp8"):
        Tensor(Device("cpu"), SHAPE, "fp8")


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


@pytest.mark.parametrize("handle", [0, 1 << 63, 12345 << 32 | 7])
def test_a_handle_that_is_none_is_refused(handle: int) -> None:
    for name in ("orion_device_close", "orion_tensor_free", "orion_program_free"):
        with pytest.raises(OrionError):
            getattr(library(), name)(handle)


def test_a_stale_handle_is_refused(cpu: Device) -> None:
    tensor = Tensor(cpu, SHAPE)
    stale = tensor.handle
    tensor.close()
    newer = Tensor(cpu, SHAPE)
    with pytest.raises(OrionError):
        library().orion_tensor_unlock(stale)
    with pytest.raises(OrionError):
        library().orion_tensor_free(stale)
    with newer as view:
        assert view.shape == SHAPE


def test_a_handle_of_another_kind_is_refused(cpu: Device) -> None:
    with pytest.raises(OrionError):
        library().orion_tensor_free(cpu.handle)
    with pytest.raises(OrionError):
        library().orion_session_close(Tensor(cpu, SHAPE).handle)


def test_a_text_that_is_no_program_says_where(device: Device) -> None:
    text = doubling().replace("add(x = x", "add(x = nothing")
    with pytest.raises(OrionError, match=r"model.mil:\d+:\d+.*nothing"):
        Program(device, text)


def test_a_function_that_is_not_there_is_named(device: Device) -> None:
    with pytest.raises(OrionError, match="other"):
        Program(device, doubling(), function="other")


def test_a_missing_bundle_is_named(cpu: Device, tmp_path: Path) -> None:
    with pytest.raises(OrionError, match="nowhere"):
        Session(cpu, tmp_path / "nowhere")


def test_zero_bytes_do_not_cut_names() -> None:
    with pytest.raises(UsageError, match="zero byte"):
        Device("cpu\0sim")


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
            Program(device, doubling())
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


def test_a_files_hash_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(OrionError, match="nothing-here"):
        file_sha256(tmp_path / "nothing-here")
