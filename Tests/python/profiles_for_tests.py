"""Profiles as values, cut down to what the compiler reads: its tests need no Swift library."""

from __future__ import annotations

from typing import Any

LIMITS = {
    "axis_width_max": 65536,
    "axis_channels_max": 65536,
    "conv_input_channels_max": 65536,
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

COST = {
    "dispatch_seconds": 95e-6,
    "compile_seconds": 25e-3,
    "compile_seconds_per_byte": 7.8e-9,
    "load_seconds": 2e-3,
    "unload_seconds": 0.5e-3,
    "matmul_flops": 5.4e12,
    "conv_flops": 9.5e12,
    "weight_bytes": 80e9,
    "input_bytes": 11.1e9,
    "output_bytes": 6e9,
    "softmax_elements": 9.3e9,
    "norm_elements": 1.21e9,
    "uneven_slowdown": 1.58,
    "fast_width_multiple": 64,
    "slowdown": 1.56,
    "program_slowdown": 1.0,
    "op_bytes_max": 4 << 20,
    "program_bytes_max": 32 << 20,
    "watts": 3.2,
}
OP_KINDS = {"softmax": ["softmax"], "norm": ["layer_norm"], "free": ["reshape", "expand_dims"]}

M4: dict[str, Any] = {
    "name": "m4-macos15",
    "dialect": {"program": "1.3", "opset": "ios18"},
    "limits": LIMITS,
    "arithmetic": {"storage": "fp16", "mac_overflows_at": 32768.0, "hides_nan": False},
    "cost": COST,
    "op_kinds": OP_KINDS,
    "refused_ops": [
        {"op": op, "rule": "no-path"}
        for op in ("gather", "reduce_argmax", "scatter", "cumsum", "band_part", "identity")
    ]
    + [{"op": "rsqrt", "rule": "no-rsqrt"}],
    "preferences": {
        "emits_concat": False,
        "emits_rsqrt": False,
        "scales_norms": True,
        "caches_rows": False,
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
    | {"conv_input_channels_max": 1 << 30}
    | {"width_min": 1, "width_multiple": 1, "rank_max": 8}
    | {"loaded_programs_max": 1 << 20, "address_space_bytes": 1 << 46},
    "arithmetic": {"storage": "declared", "mac_overflows_at": None, "hides_nan": False},
    "cost": COST
    | dict.fromkeys(("dispatch_seconds", "input_bytes", "output_bytes", "watts"), 0.0)
    | {"matmul_flops": 150e9, "conv_flops": 150e9, "weight_bytes": 30e9, "uneven_slowdown": 1.0}
    | {"op_bytes_max": 1 << 46, "program_bytes_max": 1 << 46},
    "op_kinds": OP_KINDS,
    "refused_ops": [],
    "preferences": {
        "emits_concat": True,
        "emits_rsqrt": True,
        "scales_norms": False,
        "caches_rows": True,
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
    "limits": LIMITS
    | {"axis_channels_max": 128, "axis_width_max": 64, "conv_input_channels_max": 96},
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
