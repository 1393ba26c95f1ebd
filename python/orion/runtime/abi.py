"""The C interface of orion_ane.h as ctypes rows, bound once; knows names and types, no meaning."""

import ctypes
import os
import sys
from collections.abc import Callable
from ctypes import (
    POINTER,
    Structure,
    byref,
    c_bool,
    c_char_p,
    c_double,
    c_float,
    c_int32,
    c_int64,
    c_size_t,
    c_uint32,
    c_uint64,
    c_void_p,
)
from functools import cache
from pathlib import Path
from typing import Any

from orion.errors import OrionError, UsageError

ABI_VERSION = 3
LIBRARY_NAME = f"libOrionANEShared{'.dylib' if sys.platform == 'darwin' else '.so'}"
ERROR_ARGUMENT = 1


class DeviceOptions(Structure):
    """orion_device_options."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("trace", c_uint32),
        ("cache_directory", c_char_p),
        ("fail_call", c_uint64),
        ("threads", c_uint32),
        ("route", c_uint32),
    )


class Sampling(Structure):
    """orion_sampling."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("temperature", c_float),
        ("top_k", c_uint32),
        ("top_p", c_float),
        ("min_p", c_float),
        ("repetition_penalty", c_float),
        ("seed", c_uint64),
    )


class Speculation(Structure):
    """orion_speculation."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("draft_max", c_uint32),
        ("ngram_max", c_uint32),
        ("ngram_min", c_uint32),
    )


class KernelMatrix(Structure):
    """orion_kernel_matrix."""

    _fields_ = (
        ("values", c_void_p),
        ("rows", c_size_t),
        ("columns", c_size_t),
        ("row_bytes", c_size_t),
        ("dtype", c_int32),
        ("reserved", c_uint32),
    )


class AdamWOptions(Structure):
    """orion_adamw_options."""

    _fields_ = (
        ("struct_size", c_uint32),
        ("gradient_scale", c_float),
        ("learning_rate", c_double),
        ("beta1", c_double),
        ("beta2", c_double),
        ("epsilon", c_double),
        ("weight_decay", c_double),
        ("step", c_uint64),
    )


STATUS = c_int32
# orion_judge.
JUDGE = ctypes.CFUNCTYPE(c_int32, c_void_p, c_void_p, c_size_t)
HANDLE = c_uint64
TEXT = c_char_p
TEXT_OUT = POINTER(c_char_p)
HANDLE_OUT = POINTER(c_uint64)
HANDLES = POINTER(c_uint64)
SHAPE = POINTER(c_int64)
TOKENS = POINTER(c_int32)
FLOATS = POINTER(c_float)
COUNTS = POINTER(c_size_t)
REASONS = POINTER(c_uint32)
MATRIX = POINTER(KernelMatrix)

# In the header's order: name, result, arguments.
FUNCTIONS: tuple[tuple[str, Any, tuple[Any, ...]], ...] = (
    ("orion_abi_version", c_uint32, ()),
    ("orion_last_error", c_char_p, ()),
    ("orion_text_free", None, (TEXT,)),
    ("orion_profile_json", STATUS, (TEXT, TEXT_OUT)),
    ("orion_profile_names", STATUS, (TEXT_OUT,)),
    ("orion_check", STATUS, (TEXT, c_size_t, TEXT, TEXT, TEXT_OUT)),
    ("orion_fix", STATUS, (TEXT, c_size_t, TEXT, TEXT, TEXT_OUT)),
    ("orion_estimate", STATUS, (TEXT, c_size_t, TEXT, TEXT, TEXT_OUT)),
    ("orion_shrink", STATUS, (TEXT, c_size_t, JUDGE, c_void_p, TEXT_OUT)),
    ("orion_expose", STATUS, (TEXT, c_size_t, TEXT, TEXT, TEXT_OUT)),
    ("orion_device_open", STATUS, (TEXT, POINTER(DeviceOptions), HANDLE_OUT)),
    ("orion_device_close", STATUS, (HANDLE,)),
    ("orion_device_json", STATUS, (HANDLE, TEXT_OUT)),
    ("orion_device_counters", STATUS, (HANDLE, TEXT_OUT)),
    ("orion_device_faults", STATUS, (HANDLE, TEXT)),
    ("orion_device_trace", STATUS, (HANDLE, TEXT_OUT)),
    ("orion_device_canary", STATUS, (HANDLE, TEXT, TEXT_OUT)),
    ("orion_doctor_json", STATUS, (TEXT, POINTER(DeviceOptions), c_uint32, TEXT_OUT)),
    ("orion_tensor_create", STATUS, (HANDLE, c_int32, c_uint32, SHAPE, HANDLE_OUT)),
    ("orion_tensor_free", STATUS, (HANDLE,)),
    ("orion_tensor_lock", STATUS, (HANDLE, c_uint32, POINTER(c_void_p), SHAPE)),
    ("orion_tensor_unlock", STATUS, (HANDLE,)),
    ("orion_mil_bind", STATUS, (TEXT, c_size_t, TEXT, TEXT, TEXT_OUT)),
    ("orion_program_compile", STATUS, (HANDLE, TEXT, c_size_t, TEXT, TEXT, HANDLE_OUT)),
    ("orion_program_compile_patchable", STATUS, (HANDLE, TEXT, c_size_t, TEXT, TEXT, HANDLE_OUT)),
    ("orion_program_weights_lock", STATUS, (HANDLE, POINTER(c_void_p), COUNTS)),
    ("orion_program_weights_unlock", STATUS, (HANDLE,)),
    ("orion_program_reload", STATUS, (HANDLE,)),
    ("orion_program_free", STATUS, (HANDLE,)),
    ("orion_program_json", STATUS, (HANDLE, TEXT_OUT)),
    ("orion_program_evaluate", STATUS, (HANDLE, c_uint32, HANDLES, c_uint32, HANDLES)),
    ("orion_program_cancel", STATUS, (HANDLE,)),
    ("orion_program_state_read", STATUS, (HANDLE, c_uint32, HANDLE)),
    ("orion_program_state_write", STATUS, (HANDLE, c_uint32, HANDLE)),
    ("orion_program_states_reset", STATUS, (HANDLE,)),
    ("orion_session_open", STATUS, (HANDLE, TEXT, HANDLE_OUT)),
    ("orion_session_close", STATUS, (HANDLE,)),
    ("orion_session_json", STATUS, (HANDLE, TEXT_OUT)),
    ("orion_sequence_open", STATUS, (HANDLE, HANDLE_OUT)),
    ("orion_sequence_close", STATUS, (HANDLE, HANDLE)),
    ("orion_sequence_reset", STATUS, (HANDLE, HANDLE)),
    ("orion_sequence_truncate", STATUS, (HANDLE, HANDLE, c_size_t)),
    ("orion_sequence_sampling", STATUS, (HANDLE, HANDLE, POINTER(Sampling))),
    ("orion_sequence_speculation", STATUS, (HANDLE, HANDLE, POINTER(Speculation))),
    ("orion_sequence_counters", STATUS, (HANDLE, HANDLE, TEXT_OUT)),
    ("orion_session_feed", STATUS, (HANDLE, HANDLE, TOKENS, c_size_t, FLOATS, c_size_t)),
    ("orion_session_feed_batch", STATUS, (HANDLE, c_size_t, HANDLES, COUNTS, TOKENS)),
    ("orion_session_generate", STATUS, (HANDLE, HANDLE, c_size_t, TOKENS, COUNTS, REASONS)),
    (
        "orion_session_generate_batch",
        STATUS,
        (HANDLE, c_size_t, HANDLES, c_size_t, TOKENS, COUNTS, REASONS),
    ),
    ("orion_session_cancel", STATUS, (HANDLE,)),
    ("orion_adapter_open", STATUS, (HANDLE, TEXT, TEXT)),
    ("orion_adapter_close", STATUS, (HANDLE, TEXT)),
    ("orion_sequence_adapter", STATUS, (HANDLE, HANDLE, TEXT)),
    (
        "orion_kernel_adamw",
        STATUS,
        (POINTER(AdamWOptions), c_size_t, FLOATS, FLOATS, FLOATS, FLOATS, MATRIX, COUNTS),
    ),
    ("orion_kernel_sum_of_squares", STATUS, (FLOATS, c_size_t, POINTER(c_double))),
    (
        "orion_kernel_accumulate",
        STATUS,
        (MATRIX, c_float, c_bool, FLOATS, c_size_t, POINTER(c_bool)),
    ),
    ("orion_kernel_convert", STATUS, (MATRIX, MATRIX, COUNTS)),
    (
        "orion_kernel_cross_entropy",
        STATUS,
        (c_size_t, MATRIX, MATRIX, c_size_t, TOKENS, c_float, POINTER(c_double), COUNTS),
    ),
    ("orion_kernel_embedding_gather", STATUS, (MATRIX, c_size_t, TOKENS, MATRIX)),
    (
        "orion_kernel_embedding_scatter_add",
        STATUS,
        (MATRIX, c_size_t, TOKENS, c_float, MATRIX, POINTER(c_bool)),
    ),
    ("orion_kernel_limits", STATUS, (TEXT_OUT,)),
    ("orion_cache_json", STATUS, (TEXT, TEXT_OUT)),
    ("orion_file_sha256", STATUS, (TEXT, TEXT_OUT)),
)


def library_path() -> Path:
    """The library that is loaded: ORION_ANE_LIBRARY, else the one the package ships."""
    named = os.environ.get("ORION_ANE_LIBRARY")
    return Path(named) if named else Path(__file__).parent.parent / "_lib" / LIBRARY_NAME


@cache
def library() -> Any:
    """The loaded library, every function declared; a failing status raises OrionError."""
    path = library_path()
    if not path.is_file():
        raise OrionError(
            f"Orion's library is not at {path}. Install the package (pip install ./python), or set"
            f" ORION_ANE_LIBRARY to a built {LIBRARY_NAME}."
        )
    try:
        loaded = ctypes.CDLL(str(path.resolve()))
    except OSError as error:
        raise OrionError(f"Orion's library {path} cannot be loaded: {error}") from error
    for name, result, arguments in FUNCTIONS:
        _declare(loaded, path, name, result, arguments)
    version = loaded.orion_abi_version()
    if version != ABI_VERSION:
        raise OrionError(
            f"Orion's library {path} speaks version {version} of the C interface; this package"
            f" speaks {ABI_VERSION}. Install both from the same source."
        )
    return loaded


def _declare(
    loaded: ctypes.CDLL, path: Path, name: str, result: Any, arguments: tuple[Any, ...]
) -> None:
    try:
        function = getattr(loaded, name)
    except AttributeError as error:
        raise OrionError(
            f"Orion's library {path} has no function {name}. Install both from the same source."
        ) from error
    function.restype = result
    function.argtypes = arguments
    if result is STATUS:
        function.errcheck = _raise_on_failure(loaded)


def _raise_on_failure(loaded: ctypes.CDLL) -> Callable[[int, Any, Any], None]:
    def check(status: int, function: Any, _arguments: Any) -> None:
        if status == 0:
            return
        message = (loaded.orion_last_error() or b"").decode("utf-8", "replace")
        kind = UsageError if status == ERROR_ARGUMENT else OrionError
        raise kind(message or f"{function.__name__} failed with status {status} and no message.")

    return check


def take_text(function: Callable[..., None], *arguments: Any) -> str:
    """Calls a function whose last parameter receives a text, and frees that text."""
    text = c_char_p()
    function(*arguments, byref(text))
    try:
        return (text.value or b"").decode("utf-8")
    finally:
        library().orion_text_free(text)


def encode_text(text: str | os.PathLike[str] | None) -> bytes | None:
    """UTF-8 for a `const char *`; a text with a zero byte in it cannot cross."""
    if text is None:
        return None
    encoded = (
        os.fsencode(text) if isinstance(text, os.PathLike) else text.encode("utf-8", "replace")
    )
    if b"\0" in encoded:
        raise UsageError(f"A zero byte cannot be part of a name or a path: {text!r}.")
    return encoded
