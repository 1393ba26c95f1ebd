"""Make an adapter part of its model, as a Hugging Face checkpoint."""

import argparse

from orion.cli import options
from orion.cli.plain_json import plain_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "--adapter-path",
        required=True,
        type=options.path,
        metavar="DIR",
        help="a low-rank adapter in PEFT's form",
    )
    parser.add_argument(
        *("--save-path", "--output", "-o"),
        required=True,
        type=options.path,
        metavar="DIR",
        help="the directory to write",
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import say, working
    from orion.fuse import fuse

    with working(f"Fusing {arguments.adapter_path} into {arguments.model}"):
        report = fuse(arguments.model, arguments.adapter_path, arguments.save_path)
    say(f"{report.tensors} tensors, {report.parameters:,} parameters, {report.bytes:,} bytes")
    facts = {
        "output": str(report.directory),
        "tensors": report.tensors,
        "parameters": report.parameters,
        "bytes": report.bytes,
    }
    print(plain_json(facts) if arguments.json else report.directory)
    return 0
