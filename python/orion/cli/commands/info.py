"""Show devices, profiles, a model, and what the cache holds."""

import argparse
import json
from pathlib import Path
from typing import Any

from orion.cli import options
from orion.cli.plain_json import plain_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser, required=False)
    options.add_device(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    facts = {
        **_package(),
        "devices": [_device(name, arguments.cache_dir) for name in _device_names()],
        "device": _device(arguments.device, arguments.cache_dir, strict=True),
        "cache": _cache(arguments.cache_dir),
    }
    if arguments.model:
        facts["model"] = _model(arguments.model)
    print(plain_json(facts) if arguments.json else "\n".join(_lines(facts)))
    return 0


def _package() -> dict[str, Any]:
    from orion import __version__
    from orion.runtime.abi import ABI_VERSION, library, library_path

    library()
    return {"version": __version__, "library": str(library_path()), "abi_version": ABI_VERSION}


def _device_names() -> list[str]:
    from orion.runtime import profile_names

    simulated = [f"sim:{name}" for name in profile_names() if name != "cpu"]
    return ["cpu", *simulated, "ane"]


def _device(name: str, cache_dir: Path | None, *, strict: bool = False) -> dict[str, Any]:
    """What opens under `name`, or why nothing does."""
    from orion.errors import OrionError
    from orion.runtime import Device

    try:
        with Device(name, cache_dir=cache_dir) as device:
            return {
                "name": device.name,
                "kind": device.kind,
                "profile": device.profile,
                "route": device.route,
                "reason": device.reason,
            }
    except OrionError as error:
        if strict:
            raise
        return {"name": name, "error": str(error)}


def _cache(cache_dir: Path | None) -> dict[str, Any]:
    from orion.runtime import cache_entries, default_cache_dir

    directory = cache_dir or default_cache_dir()
    return {"directory": str(directory), "entries": cache_entries(cache_dir)}


def _model(path: Path) -> dict[str, Any]:
    """Of a bundle what its manifest says, of a checkpoint its configuration."""
    manifest = path / "manifest.json"
    if manifest.is_file():
        content = json.loads(manifest.read_text())
        kept = (
            *("format", "profile", "weights", "model_type"),
            *("vocabulary", "context", "parameters"),
        )
        return {
            "bundle": str(path),
            **{name: content.get(name) for name in kept},
            "programs": {
                program["name"]: program.get("working_set") for program in content["programs"]
            },
        }
    from orion.weights import load

    checkpoint = load(path)
    facts = {"checkpoint": str(path), "parameters": checkpoint.parameters}
    return {**facts, **checkpoint.config}


def _lines(facts: dict[str, Any]) -> list[str]:
    lines = [f"orion {facts['version']}, library {facts['library']}", "", "devices"]
    width = max(len(device["name"]) for device in facts["devices"])
    for device in facts["devices"]:
        state = device.get("error") or f"profile {device['profile']}, route {device['route']}"
        lines.append(f"  {device['name']:{width}} {state}")
    chosen = facts["device"]
    lines += ["", f"this run: {chosen['name']} ({chosen['reason']})"]
    lines += ["", f"cache {facts['cache']['directory']}"]
    for entry in facts["cache"]["entries"]:
        lines.append(
            f"  {entry['kind']:16} {entry['bytes']:>12,} bytes in {entry['files']} files,"
            f" {entry['path']}"
        )
    if "model" in facts:
        lines += ["", "model"]
        told = {name: value for name, value in facts["model"].items() if name != "programs"}
        lines += [f"  {name:16} {value}" for name, value in told.items()]
        lines += _programs(facts["model"].get("programs", {}))
    return lines


def _programs(programs: dict[str, dict[str, Any] | None]) -> list[str]:
    """What each program of a bundle touches, in bytes."""
    lines = ["", "programs: bytes of weights, of activations at their most, of the largest op"]
    for name, working in programs.items():
        if working is None:
            lines.append(f"  {name}")
            continue
        sizes = (f"{working[key]:>14,}" for key in ("weights", "activations", "largest_op"))
        lines.append(f"  {name:24} {' '.join(sizes)}  {working['largest_op_name']}")
    return lines if programs else []
