"""A device: the engine, its double in software, or this machine's processor."""

import json
import os
from ctypes import byref, c_uint64, sizeof
from typing import Any

from orion.errors import UsageError
from orion.runtime.abi import DeviceOptions, encode_text, library, take_text
from orion.runtime.handle import Owned

# orion_device_options.route
ROUTES = {None: 0, "client": 1, "memory": 2}


class Device(Owned):
    """An open device: `cpu`, `sim`, `sim:PROFILE`, `ane` or `auto`.

    `cpu:PROFILE` is the host with that profile's arithmetic and none of its rules.
    `route` is how programs reach a Neural Engine: `client`, `memory` (a model in memory), or None:
    $ORION_ANE_ROUTE, else `client`.
    `fail_call` makes the n-th call of the private framework fail, to see how callers bear it.
    """

    _noun = "device"

    def __init__(
        self,
        name: str = "auto",
        *,
        cache_dir: str | os.PathLike[str] | None = None,
        trace: bool = False,
        fail_call: int = 0,
        threads: int = 0,
        route: str | None = None,
    ) -> None:
        if route not in ROUTES:
            raise UsageError(f"There is no route {route!r}; there are client and memory.")
        options = DeviceOptions(
            struct_size=sizeof(DeviceOptions),
            trace=int(trace),
            cache_directory=encode_text(None if cache_dir is None else os.fspath(cache_dir)),
            fail_call=fail_call,
            threads=threads,
            route=ROUTES[route],
        )
        opened = c_uint64()
        library().orion_device_open(encode_text(name), byref(options), byref(opened))
        self._own(opened.value, library().orion_device_close)
        facts = json.loads(take_text(library().orion_device_json, self.handle))
        self.name: str = facts["name"]
        self.kind: str = facts["kind"]
        self.profile: str = facts["profile"]
        self.route: str = facts["route"]
        self.reason: str = facts.get("reason") or ""

    def counters(self) -> dict[str, Any]:
        """compiles, cache_hits, loads, unloads, evals, loaded_programs, virtual_s since opening."""
        counted: dict[str, Any] = json.loads(
            take_text(library().orion_device_counters, self.handle)
        )
        return counted

    def follow(self, faults: str) -> None:
        """Makes things go wrong on a simulated device, as `load@3=error:6/0x50004`; "" ends that.

        docs/simulator.md has the form. ORION_SIM_FAULTS does the same for devices that are opened.
        """
        library().orion_device_faults(self.handle, encode_text(faults))

    def take_trace(self) -> list[str]:
        """The calls of the private framework recorded since the last time, in order."""
        return take_text(library().orion_device_trace, self.handle).splitlines()

    def canary(self, name: str = "reload") -> str:
        """What a small program shows of the device: `effective` or `stale` for `reload`.

        `reload`: whether weights written in place take effect when their program is reloaded.
        """
        seen: dict[str, str] = json.loads(
            take_text(library().orion_device_canary, self.handle, encode_text(name))
        )
        return seen[name]

    def __enter__(self) -> "Device":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Device {self.name} ({self.profile}{', closed' if self.closed else ''})>"
