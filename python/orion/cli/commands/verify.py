"""Compare a model on a device with reference token ids."""

import argparse
import json
from pathlib import Path

from orion.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "--ids",
        required=True,
        type=Path,
        metavar="FILE",
        help="JSON: cases of prompt_ids, new_ids and the margin of each choice",
    )
    parser.add_argument(
        "--margin",
        type=float,
        help="compare where the reference's two best are further apart than this"
        " (default: 0.03 where the device computes in fp16, else 0)",
    )
    options.add_device(parser)
    options.add_weights(parser)
    options.add_json(parser)
    options.add_trace(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import print_table, say, say_device, say_trace, working
    from orion.generate import load
    from orion.runtime import Device
    from orion.verify import read_cases, verify

    cases = read_cases(arguments.ids)
    device = Device(arguments.device, cache_dir=arguments.cache_dir, trace=arguments.trace)
    say_device(device, arguments.device)
    try:
        with working(f"Opening {arguments.model}"):
            model = load(
                arguments.model,
                device,
                cache_dir=arguments.cache_dir,
                weights=arguments.weights,
            )
        with working(f"Comparing {len(cases)} cases"):
            report = verify(model, cases, arguments.margin)
    finally:
        say_trace(device)
    if arguments.json:
        print(json.dumps(report.to_json()))
    else:
        print_table(*report.table())
    for line in report.failures():
        say(line)
    return 0 if report.equal else 1
