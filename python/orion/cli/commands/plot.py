"""Draw loss, learning rate, gradients and throughput of one or several runs as a PNG."""

import argparse
from pathlib import Path

from orion.cli import options


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "runs",
        nargs="+",
        type=options.path,
        metavar="RUN",
        help="directories that `orion train` wrote",
    )
    parser.add_argument(
        *("--output", "-o"),
        type=options.path,
        default=Path("plot.png"),
        metavar="FILE",
        help="the picture (default: plot.png)",
    )
    parser.add_argument(
        "--label", action="append", default=[], metavar="TEXT", help="a run's name, in their order"
    )


def run(arguments: argparse.Namespace) -> int:
    from orion.errors import UsageError
    from orion.train.plot import plot

    if len(arguments.label) > len(arguments.runs):
        raise UsageError("There are more labels than runs.")
    print(plot(arguments.runs, arguments.output, arguments.label))
    return 0
