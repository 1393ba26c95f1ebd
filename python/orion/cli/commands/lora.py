"""Train a low-rank adapter beside a model, which stays as it is."""

import argparse

from orion.cli.commands import train


def add_arguments(parser: argparse.ArgumentParser) -> None:
    train.add_arguments(parser)
    train.add_flags(parser, train.ADAPTER_FLAGS)


def run(arguments: argparse.Namespace) -> int:
    return train.train(arguments, with_adapters=True)
