"""What this machine has: framework, classes and messages, routes, caches, canaries, probes.

Each message of the framework is held against the type that is known of it. `--probes` asks the
engine what is not known for every chip and system; `--json` gives a report that can be shared.
"""

import argparse
from typing import Any

from orion.cli import options
from orion.cli.plain_json import plain_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_device(parser)
    options.add_json(parser)
    parser.add_argument(
        "--probes", action="store_true", help="ask the engine small questions too (some seconds)"
    )


def run(arguments: argparse.Namespace) -> int:
    from orion.runtime import examine

    report = examine(arguments.device, cache_dir=arguments.cache_dir, probes=arguments.probes)
    print(plain_json(report) if arguments.json else "\n".join(_lines(report)))
    return 0 if report["passed"] else 1


def _lines(report: dict[str, Any]) -> list[str]:
    machine = report["machine"]
    lines = [
        f"device {report['device']}: {'passed' if report['passed'] else 'FAILED'}",
        f"chip {machine['chip']}, OS build {machine['os_build']}, profile {machine['profile']}",
        *_framework(report["framework"]),
    ]
    for route in report["routes"]:
        state = f"works, reload {route['reload']}" if route["works"] else route["reason"]
        lines.append(f"route {route['route']}: {state}")
    canaries = report["canaries"]
    told = canaries.get("error") or f"{canaries['device']}: reload {canaries['reload']}"
    lines.append(f"canaries, {told}")
    lines += [f"cache {entry['kind']}: {entry['bytes']:,} bytes" for entry in report["caches"]]
    for probe in report["probes"]:
        seen = {
            key: value for key, value in probe.items() if key not in ("id", "route", "question")
        }
        lines.append(
            f"probe {probe.get('id', '?')} ({probe['route']}): {probe.get('question', '')}"
        )
        lines.append(f"  {', '.join(f'{key} {value}' for key, value in seen.items())}")
    return lines + [f"note: {note}" for note in report["notes"]]


def _framework(framework: dict[str, Any]) -> list[str]:
    if "classes" not in framework:
        return ["framework: none"]
    missing = [entry["name"] for entry in framework["classes"] if not entry["found"]]
    messages = framework["messages"]
    states = {
        state: [entry for entry in messages if entry["state"] == state]
        for state in ("same", "changed", "absent")
    }
    counts = ", ".join(f"{len(entries)} {state}" for state, entries in states.items())
    lines = [f"framework: {framework['name']}", f"messages: {counts}"]
    if missing:
        lines.append(f"classes not found: {', '.join(missing)}")
    for entry in states["changed"]:
        lines.append(f"  {entry['message']}: expected {entry['expected']}, found {entry['found']}")
    for entry in states["absent"]:
        needed = f", needed by {', '.join(entry['needed_by'])}" if entry["needed_by"] else ""
        lines.append(f"  {entry['message']}: absent{needed}")
    device = framework["device"]
    return [*lines, f"it says: {', '.join(f'{key} {value}' for key, value in device.items())}"]
