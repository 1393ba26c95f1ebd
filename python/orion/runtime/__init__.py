"""Orion's library from Python: devices, tensors, programs and sessions over the C interface."""

from orion.runtime.caches import cache_entries, default_cache_dir, file_sha256
from orion.runtime.checking import Finding, check
from orion.runtime.device import Device
from orion.runtime.doctor import examine
from orion.runtime.profiles import profile, profile_names
from orion.runtime.program import Port, Program
from orion.runtime.session import Reader, Sequence, Session
from orion.runtime.tensor import Tensor

__all__ = [
    "Device",
    "Finding",
    "Port",
    "Program",
    "Reader",
    "Sequence",
    "Session",
    "Tensor",
    "cache_entries",
    "check",
    "default_cache_dir",
    "examine",
    "file_sha256",
    "profile",
    "profile_names",
]
