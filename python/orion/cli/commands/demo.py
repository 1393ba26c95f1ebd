"""Stories, a model trained on them, resumed, adapted and asked: the whole way in about a minute."""

import argparse
import contextlib
import tempfile
from pathlib import Path

from orion.cli import options
from orion.cli.plain_json import plain_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "--output",
        "-o",
        type=options.path,
        metavar="DIR",
        help="keep the files here (default: nowhere)",
    )
    parser.add_argument(
        "--iters", type=int, metavar="N", help="steps of the first training (default: 300)"
    )
    options.add_device(parser)
    parser.set_defaults(device="sim")
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import print_table, say
    from orion.demo import ITERS, Report, demo

    report = Report()
    with contextlib.ExitStack() as stack:
        place = arguments.output or Path(stack.enter_context(tempfile.TemporaryDirectory()))
        iters = ITERS if arguments.iters is None else arguments.iters
        for message in demo(place, arguments.device, iters, report, cache_dir=arguments.cache_dir):
            say(message)
    if arguments.json:
        print(plain_json(report.to_json()))
    else:
        print_table(("what", "value"), report.rows())
    return 0
