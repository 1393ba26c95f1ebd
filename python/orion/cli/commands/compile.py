"""Compile a checkpoint to a bundle."""

import argparse
import json

from orion.cli import options
from orion.cli.plain_json import plain_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "--output",
        "-o",
        required=True,
        type=options.path,
        metavar="DIR",
        help="the bundle to write",
    )
    options.add_device(parser)
    options.add_weights(parser)
    options.add_layers(parser)
    options.add_adapter_room(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import say_device, working
    from orion.compile import bundle
    from orion.runtime import Device, profile

    with Device(arguments.device, cache_dir=arguments.cache_dir) as device:
        say_device(device, arguments.device)
        facts = profile(device.profile)
    with working(f"Compiling {arguments.model}"):
        bundle(
            arguments.model,
            facts,
            arguments.output,
            weights=arguments.weights,
            layers_per_program=arguments.layers_per_program,
            adapters=options.adapter_room_of(arguments),
        )
    manifest = json.loads((arguments.output / "manifest.json").read_text())
    if arguments.json:
        print(plain_json({"bundle": str(arguments.output), **_facts(manifest)}))
    else:
        print(arguments.output)
    return 0


def _facts(manifest: dict) -> dict:
    kept = ("format", "profile", "weights", "model_type", "vocabulary", "context", "parameters")
    return {
        **{name: manifest[name] for name in kept},
        "programs": [program["name"] for program in manifest["programs"]],
    }
