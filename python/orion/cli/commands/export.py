"""Write a model for others: a bundle for a device, or safetensors with their config."""

import argparse

from orion.cli import options
from orion.cli.plain_json import plain_json

FORMATS = ("bundle", "safetensors")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "--output",
        "-o",
        required=True,
        type=options.path,
        metavar="DIR",
        help="the directory to write",
    )
    parser.add_argument(
        "--format",
        choices=FORMATS,
        default="bundle",
        help="bundle: programs and weights that `orion generate --model` and Swift open;"
        " safetensors: the checkpoint as Hugging Face keeps one (default: bundle)",
    )
    options.add_device(parser)
    options.add_weights(parser)
    options.add_layers(parser)
    options.add_adapter_room(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    facts = FACTS[arguments.format](arguments)
    print(plain_json(facts) if arguments.json else arguments.output)
    return 0


def export_safetensors(arguments: argparse.Namespace) -> dict[str, object]:
    from orion.cli.screen import say, working
    from orion.errors import UsageError
    from orion.export import export_checkpoint

    of_bundles = {
        "--weights": arguments.weights != "auto",
        "--layers-per-program": arguments.layers_per_program is not None,
        "--adapter-rank": arguments.adapter_rank is not None,
        "--adapter-targets": arguments.adapter_targets is not None,
    }
    asked = [name for name, is_asked in of_bundles.items() if is_asked]
    if asked:
        raise UsageError(
            f"{' and '.join(asked)}: of bundles alone; safetensors keep the checkpoint's own dtypes"
            " and layers"
        )
    with working(f"Exporting {arguments.model}"):
        report = export_checkpoint(arguments.model, arguments.output)
    say(f"{report.tensors} tensors, {report.parameters:,} parameters, {report.bytes:,} bytes")
    return {
        "format": "safetensors",
        "output": str(report.directory),
        "tensors": report.tensors,
        "parameters": report.parameters,
        "bytes": report.bytes,
    }


def export_bundle(arguments: argparse.Namespace) -> dict[str, object]:
    from orion.cli.screen import say, say_device, working
    from orion.compile import bundle
    from orion.runtime import Device, profile

    with Device(arguments.device, cache_dir=arguments.cache_dir) as device:
        say_device(device, arguments.device)
        facts = profile(device.profile)
    with working(f"Exporting {arguments.model}"):
        report = bundle(
            arguments.model,
            facts,
            arguments.output,
            weights=arguments.weights,
            layers_per_program=arguments.layers_per_program,
            adapters=options.adapter_room_of(arguments),
        )
    say(
        f"{report.programs} programs, {report.parameters:,} parameters, {report.weight_bytes:,}"
        f" bytes of weights in {report.weights}, {report.seconds:.3g} s"
    )
    return {
        "format": "bundle",
        "output": str(report.directory),
        "profile": report.profile,
        "weights": report.weights,
        "programs": report.programs,
        "parameters": report.parameters,
        "bytes": report.weight_bytes,
        "seconds": report.seconds,
    }


FACTS = {"bundle": export_bundle, "safetensors": export_safetensors}
