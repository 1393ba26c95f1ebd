"""Measure speed beside the machine's own limits, and beside peers."""

import argparse

from orion.bench.arguments import add_arguments

__all__ = ["add_arguments", "run"]


def run(arguments: argparse.Namespace) -> int:
    from orion.bench import command

    return command.run(arguments)
