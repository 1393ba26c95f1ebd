"""Tell what devices would refuse in a MIL program or get wrong; mend what needs no judgement."""

import argparse
import difflib
from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from orion.cli import options
from orion.cli.plain_json import plain_json
from orion.errors import UsageError

if TYPE_CHECKING:
    from orion.diagnose.sources import Source
    from orion.runtime.checking import Finding


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("path", type=options.path, help="a MIL file, or a bundle's directory")
    parser.add_argument(
        "--profile",
        help="names with commas between, or all"
        " (default: the bundle's for a bundle, else m4-macos15)",
    )
    parser.add_argument(
        "--fix",
        action="store_true",
        help="write the file with every mechanical fix made, and print the difference",
    )
    options.add_json(parser, "one JSON list of findings")


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import print_table, say
    from orion.diagnose.listing import messages, table
    from orion.diagnose.sources import read_sources
    from orion.runtime.checking import check

    found: list[dict[str, Any]] = []
    failed = False
    sources = read_sources(arguments.path)
    if arguments.fix and any(source.profile is not None for source in sources):
        raise UsageError(
            f"{arguments.path}: a bundle's files are sealed by its manifest; --fix takes a MIL"
            " file."
        )
    for given in sources:
        profiles = profiles_of(arguments.profile, given.profile)
        source = mend(given, profiles, quiet=arguments.json) if arguments.fix else given
        findings = check(source.text, profiles=profiles, model_dir=source.directory)
        failed |= any(finding.severity == "error" for finding in findings)
        if arguments.json:
            found += [_row(source, finding) for finding in findings]
            continue
        for line in messages(str(source.path), source.text, findings):
            print(line)
        if len(profiles) > 1:
            print_table(*table(findings, profiles))
        say(f"{source.path}: {summary(findings)} on {', '.join(profiles)}")
    if arguments.json:
        print(plain_json(found))
    return 1 if failed else 0


def profiles_of(asked: str | None, of_bundle: str | None) -> list[str]:
    from orion.runtime import profile_names

    known = profile_names()
    if asked == "all":
        return [name for name in known if name != "cpu"]
    return options.profiles_of(asked if asked is not None else of_bundle or "m4-macos15", known)


def summary(findings: list["Finding"]) -> str:
    counts = [
        (sum(finding.severity == kind for finding in findings), kind)
        for kind in ("error", "warning", "note")
    ]
    told = [f"{count} {kind}{'s' if count > 1 else ''}" for count, kind in counts if count]
    return ", ".join(told) or "nothing to say"


def _row(source: "Source", finding: "Finding") -> dict[str, Any]:
    return {"file": str(source.path), **asdict(finding)}


def mend(source: "Source", profiles: list[str], *, quiet: bool) -> "Source":
    """The source with its fixes made, in its file too; the difference goes to standard output."""
    from dataclasses import replace

    from orion.cli.screen import say
    from orion.files import write_file
    from orion.runtime.checking import fix

    before = source.string()
    after, outcomes = fix(before, profiles=profiles, model_dir=source.directory)
    for outcome in outcomes:
        if outcome.obstacle is not None:
            say(f"{source.path}:{outcome.line}: not done: {outcome.title}: {outcome.obstacle}")
    if after == before:
        say(f"{source.path}: nothing that can be mended without judgement")
        return source
    if not quiet:
        lines = difflib.unified_diff(
            before.splitlines(), after.splitlines(), str(source.path), "fixed", lineterm="", n=1
        )
        for line in lines:
            print(line)
    write_file(source.path, after.encode("utf-8"))
    made = sum(outcome.obstacle is None for outcome in outcomes)
    say(f"{source.path}: {made} fixes written")
    return replace(source, text=after.encode("utf-8"))
