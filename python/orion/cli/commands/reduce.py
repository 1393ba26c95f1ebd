"""Shrink a failing MIL program to a smallest one that fails the same way, and name the rule."""

import argparse
from contextlib import ExitStack
from typing import TYPE_CHECKING

from orion.cli import options
from orion.cli.plain_json import plain_json

if TYPE_CHECKING:
    from orion.diagnose.reduce import Judge
    from orion.diagnose.sources import Source


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=options.path, help="a MIL file")
    parser.add_argument(
        "--device",
        help="run it there and keep the error, or what differs from --compare"
        " (default: keep the rules that it breaks)",
    )
    parser.add_argument("--compare", metavar="DEVICE", help="a device that gives other numbers")
    parser.add_argument(
        "--tolerance",
        type=options.distance,
        default=1e-2,
        help="with --compare: differences up to this are none (default: 0.01)",
    )
    parser.add_argument("--profile", help="whose rules (default: the device's, else m4-macos15)")
    parser.add_argument(
        "--rule", action="append", help="keep this rule broken, whatever its severity"
    )
    parser.add_argument("--function", default="main", help="the one that runs (default: main)")
    parser.add_argument("--weights", type=options.path, help="default: weights.bin beside the file")
    parser.add_argument(
        "--seed", type=options.whole(0), default=0, help="of the inputs (default: 0)"
    )
    parser.add_argument(
        *("--output", "-o"), type=options.path, metavar="FILE", help="write the program there too"
    )
    options.add_cache(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import say, working
    from orion.diagnose.failure import as_json
    from orion.diagnose.reduce import reduce
    from orion.diagnose.sources import read_source
    from orion.files import check_writable, write_file

    if arguments.output:
        check_writable(arguments.output)
    source = read_source(arguments.path)
    with ExitStack() as stack:
        judge, profile = choose_judge(arguments, stack)
        check_rules(arguments.rule or [], source, profile)
        with working(f"Reducing {source.path}"):
            found = reduce(source.string(), judge)
        suspects = found.suspects([profile])
    operations = count_operations(found.text)
    broken = [finding for finding in suspects if finding.severity != "note"] or suspects
    if arguments.json:
        facts = {
            "text": found.text,
            "operations": operations,
            "tries": found.tries,
            "failure": as_json(found.failure),
            "suspects": list(dict.fromkeys(finding.rule for finding in broken)),
        }
        print(plain_json(facts))
    else:
        print(found.text)
    if arguments.output:
        write_file(arguments.output, found.text.encode("utf-8"))
    say(f"{operations} operations left after {found.tries} tries; it still fails: ")
    say(f"  {found.failure.text}")
    if not broken:
        say(f"no rule of {profile} speaks of what is left: a fault that is not known yet")
    for finding in {finding.rule: finding for finding in reversed(broken)}.values():
        say(f"suspected rule: {finding.rule} ({finding.severity}): {finding.message}")
        say(f"  chips: {finding.chips}; evidence: {finding.evidence}")
    return 0


def count_operations(text: str) -> int:
    """Statements other than constants, as the printer lays them out."""
    return sum(
        " = " in line and "= const(" not in line and line.rstrip().endswith(";")
        for line in text.splitlines()
    )


def check_rules(asked: list[str], source: "Source", name: str) -> None:
    """A misspelt rule is not one that the program keeps."""
    from orion.errors import UsageError
    from orion.runtime import profile
    from orion.runtime.checking import check

    broken = {finding.rule for finding in check(source.text, profiles=[name])}
    known = [row["id"] for row in profile(name)["rules"]]
    for rule in asked:
        if rule not in known and rule not in broken:
            raise UsageError(
                f"No rule of {name} is called {rule!r}, and none that the program breaks; there"
                f" are {', '.join(known)}."
            )


def choose_judge(arguments: argparse.Namespace, stack: ExitStack) -> tuple["Judge", str]:
    """What failing means here, and the profile whose rules are suspected."""
    from orion.diagnose.failure import Error, Numbers, Rules
    from orion.errors import UsageError
    from orion.runtime import Device

    if arguments.compare and not arguments.device:
        raise UsageError("--compare needs --device, the one whose numbers are in doubt.")
    if arguments.device is None:
        profile = arguments.profile or "m4-macos15"
        return Rules([profile], arguments.rule), profile
    device = stack.enter_context(Device(arguments.device, cache_dir=arguments.cache_dir))
    profile = arguments.profile or device.profile
    if arguments.rule:
        return Rules([profile], arguments.rule), profile
    weights = arguments.weights or arguments.path.parent / "weights.bin"
    error = Error(
        device, arguments.function, arguments.seed, weights if weights.is_file() else None
    )
    if arguments.compare is None:
        return error, profile
    other = stack.enter_context(Device(arguments.compare, cache_dir=arguments.cache_dir))
    return Numbers((device, other), arguments.tolerance, error), profile
