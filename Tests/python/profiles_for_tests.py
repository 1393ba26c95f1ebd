"""Profiles as values, cut down to what the compiler reads: its tests need no Swift library."""

from __future__ import annotations

from typing import Any

LIMITS = {
    "axis_width_max": 65536,
    "axis_channels_max": 65536,
    "matmul_inner_max": 32768,
    "rank_max": 5,
    "width_min": 32,
    "width_multiple": 32,
    "takes_float32_io": True,
    "loaded_programs_max": 127,
    "address_space_bytes": 4 << 30,
}
BUCKETS = {
    "prompt_buckets": [32, 64, 128, 256, 512, 1024],
    "cache_buckets": [128, 256, 512, 1024, 2048, 4096],
}

M4: dict[str, Any] = {
    "name": "m4-macos15",
    "dialect": {"program": "1.3", "opset": "ios18"},
    "limits": LIMITS,
    "arithmetic": {"storage": "fp16", "mac_overflows_at": 32768.0, "hides_nan": False},
    "cost": {"matmul_flops": 5.4e12, "weight_bytes": 80e9},
    "refused_ops": [
        {"op": op, "rule": "no-path"}
        for op in ("gather", "reduce_argmax", "scatter", "cumsum", "band_part", "identity")
    ]
    + [{"op": "rsqrt", "rule": "no-rsqrt"}],
    "preferences": {
        "emits_concat": False,
        "emits_rsqrt": False,
        "scales_norms": True,
        "activation": "fp16",
        "decode_columns": 32,
        "speculation_columns": 32,
    }
    | BUCKETS,
}

CPU: dict[str, Any] = {
    "name": "cpu",
    "dialect": {"program": "1.3", "opset": "ios18"},
    "limits": LIMITS
    | {"axis_width_max": 1 << 30, "axis_channels_max": 1 << 30, "matmul_inner_max": 1 << 30}
    | {"width_min": 1, "width_multiple": 1, "rank_max": 8}
    | {"loaded_programs_max": 1 << 20, "address_space_bytes": 1 << 46},
    "arithmetic": {"storage": "declared", "mac_overflows_at": None, "hides_nan": False},
    "cost": {"matmul_flops": 150e9, "weight_bytes": 30e9},
    "refused_ops": [],
    "preferences": {
        "emits_concat": True,
        "emits_rsqrt": True,
        "scales_norms": False,
        "activation": "fp32",
        "decode_columns": 1,
        "speculation_columns": 8,
    }
    | BUCKETS,
}

# The older dialect, with limits low enough to be met by small graphs.
NARROW: dict[str, Any] = M4 | {
    "name": "narrow",
    "dialect": {"program": "1.0", "opset": "ios16"},
    "limits": LIMITS | {"axis_channels_max": 128, "axis_width_max": 64},
}


def storing(profile: dict[str, Any], weights: str) -> dict[str, Any]:
    """The profile with weights of that type asked for, as the driver asks passes."""
    name = f"{profile['name']}-{weights}"
    return profile | {"name": name, "preferences": profile["preferences"] | {"weights": weights}}


def refusing(profile: dict[str, Any], *ops: str) -> dict[str, Any]:
    """The profile without these ops."""
    rows = [{"op": op, "rule": "no-path"} for op in ops]
    name = f"{profile['name']}-without-{'-'.join(ops)}"
    return profile | {"name": name, "refused_ops": [*profile["refused_ops"], *rows]}


def adapting(profile: dict[str, Any], rank: int, **places: tuple[str, int]) -> dict[str, Any]:
    """The profile with room for adapters in these modules; `__` stands for a dot."""
    rows = {module.replace("__", "."): place for module, place in places.items()}
    wanted = profile["preferences"] | {"adapters": {"rank": rank, "places": rows}}
    return profile | {"name": f"{profile['name'].split('-')[0]}-adapters", "preferences": wanted}


BY_NAME = {
    profile["name"]: profile
    for profile in (
        M4,
        CPU,
        NARROW,
        storing(CPU, "fp16"),
        storing(CPU, "int8"),
        storing(NARROW, "int8"),
        refusing(M4, "gelu"),
        refusing(M4, "gelu", "erf"),
        adapting(M4, 32, l__0__q=("l.0.q", 0), l__0__value=("l.0.qkv", 16)),
    )
}
