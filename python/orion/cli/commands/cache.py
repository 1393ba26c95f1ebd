"""Show what the cache holds, or clear it; what is missing is compiled again."""

import argparse
from typing import Any

from orion.cli import options
from orion.cli.plain_json import plain_json


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "what", nargs="?", choices=("list", "clear"), default="list", help="list (default) or clear"
    )
    parser.add_argument(
        "kinds",
        nargs="*",
        metavar="KIND",
        help="clear these alone: bundles, models, cpu, sim, identity (default: all)",
    )
    options.add_cache(parser)
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.errors import OrionError, UsageError
    from orion.runtime import cache_entries, default_cache_dir
    from orion.runtime.caches import clear_cache

    if arguments.kinds and arguments.what == "list":
        raise UsageError("Kinds are for `orion cache clear`.")
    directory = arguments.cache_dir or default_cache_dir()
    if directory.exists() and not directory.is_dir():
        raise OrionError(f"{directory}: not a directory; name the cache's with --cache-dir.")
    facts: dict[str, Any] = {"directory": str(directory)}
    if arguments.what == "clear":
        facts["freed"] = clear_cache(arguments.cache_dir, arguments.kinds)
    facts["entries"] = cache_entries(arguments.cache_dir)
    print(plain_json(facts) if arguments.json else "\n".join(lines(facts)))
    return 0


def lines(facts: dict[str, Any]) -> list[str]:
    freed = [f"freed {facts['freed']:,} bytes"] if "freed" in facts else []
    rows = [
        f"  {entry['kind']:16} {entry['bytes']:>14,} bytes in {entry['files']} files"
        for entry in facts["entries"]
    ]
    return [*freed, facts["directory"], *(rows or ["  nothing"])]
