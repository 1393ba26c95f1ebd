"""What this machine has for programs, as the library finds it."""

import json
import os
from ctypes import byref, sizeof
from typing import Any

from orion.runtime.abi import DeviceOptions, encode_text, library, take_text


def examine(
    device: str = "auto",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    probes: bool = False,
) -> dict[str, Any]:
    """Framework, classes, messages, routes, caches, canaries and, when asked for, probes.

    `passed` says whether programs run on `device`; for `auto`, on the engine or on the processor.
    """
    options = DeviceOptions(
        struct_size=sizeof(DeviceOptions),
        cache_directory=encode_text(None if cache_dir is None else os.fspath(cache_dir)),
    )
    report: dict[str, Any] = json.loads(
        take_text(library().orion_doctor_json, encode_text(device), byref(options), int(probes))
    )
    return report
