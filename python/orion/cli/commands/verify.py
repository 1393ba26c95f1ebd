"""Compare a model on a device with a reference: its expected.npz, or token ids."""

import argparse
from dataclasses import replace
from typing import TYPE_CHECKING

from orion.cli import options
from orion.cli.plain_json import plain_json
from orion.errors import UsageError

if TYPE_CHECKING:
    from orion.verify import LogitsReport, Report


def add_arguments(parser: argparse.ArgumentParser) -> None:
    options.add_model(parser)
    parser.add_argument(
        "--ids",
        type=options.path,
        metavar="FILE",
        help="JSON: cases of prompt_ids, new_ids and the margin of each choice"
        " (default: expected.npz in the model's directory)",
    )
    parser.add_argument(
        "--margin",
        type=options.distance,
        help="with --ids: compare where the reference's two best are further apart than this"
        " (default: 0.03 where the device computes in fp16, else 0)",
    )
    parser.add_argument(
        "--tolerance",
        type=options.distance,
        help="without --ids: the largest difference of logits"
        " (default: 2e-2 where the device computes in fp16, else 2e-4)",
    )
    options.add_device(parser)
    options.add_weights(parser)
    options.add_json(parser)
    options.add_trace(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.opening import open_device, open_model
    from orion.cli.screen import print_table, say, say_trace, working
    from orion.runtime import default_cache_dir
    from orion.verify import (
        CacheWatch,
        read_cases,
        read_reference,
        verify,
        verify_gradients,
        verify_logits,
    )

    check_options(arguments)
    by_ids = arguments.ids is not None
    cases = read_cases(arguments.ids) if by_ids else []
    reference = None if by_ids else read_reference(arguments.model)
    watch = CacheWatch(arguments.cache_dir or default_cache_dir())
    device = open_device(arguments)
    report: Report | LogitsReport
    try:
        model = open_model(arguments, device)
        with working("Comparing"):
            if reference is None:
                report = verify(model, cases, arguments.margin)
            else:
                # Narrower weights than the checkpoint's have other gradients.
                compares = bool(reference.gradients) and arguments.weights == "auto"
                found = (
                    verify_gradients(
                        device, arguments.model, reference.input_ids, reference.gradients
                    )
                    if compares
                    else None
                )
                report = verify_logits(model, reference, arguments.tolerance, found)
    finally:
        say_trace(device)
    report = replace(report, healed=watch.rebuilt())
    if arguments.json:
        print(plain_json(report.to_json()))
    else:
        print_table(*report.table())
    for entry in report.healed:
        say(f"a cache entry that was damaged, or made by another version, was rebuilt: {entry}")
    for line in report.failures():
        say(line)
    return 0 if report.passed else 1


def check_options(arguments: argparse.Namespace) -> None:
    if arguments.ids is None and arguments.margin is not None:
        raise UsageError("--margin is for --ids; without it, give --tolerance.")
    if arguments.ids is not None and arguments.tolerance is not None:
        raise UsageError("--tolerance is for expected.npz; with --ids, give --margin.")
