"""Devices, tensors and programs from Python: what they do, and what they say when used wrongly."""

from pathlib import Path

import numpy as np
import pytest

from orion.errors import OrionError, UsageError
from orion.runtime import (
    Device,
    Session,
    Tensor,
    file_sha256,
    profile,
    profile_names,
)
from orion.runtime.abi import library

SHAPE = (1, 4, 2, 32)
DEVICES = ("cpu", "sim")


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


@pytest.mark.parametrize("shape", [(1,) * 6, (0, 4), (-1, 4), (1 << 40, 1 << 40)])
def test_a_shape_no_tensor_has_is_an_error(device: Device, shape: tuple[int, ...]) -> None:
    with pytest.raises(OrionError):
        Tensor(device, shape)


def test_an_unknown_type_is_named() -> None:
    with pytest.raises(UsageError, match="fp8"):
        Tensor(Device("cpu"), SHAPE, "fp8")


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


def test_a_missing_bundle_is_named(cpu: Device, tmp_path: Path) -> None:
    with pytest.raises(OrionError, match="nowhere"):
        Session(cpu, tmp_path / "nowhere")


def test_zero_bytes_do_not_cut_names() -> None:
    with pytest.raises(UsageError, match="zero byte"):
        Device("cpu\0sim")


def test_a_files_hash_is_sha256(tmp_path: Path) -> None:
    path = tmp_path / "abc"
    path.write_bytes(b"abc")
    assert file_sha256(path) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    with pytest.raises(OrionError, match="nothing-here"):
        file_sha256(tmp_path / "nothing-here")
