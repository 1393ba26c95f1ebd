"""Make token files to train on, from text, lines of JSON, or small stories of our own."""

import argparse

from orion.cli import options
from orion.cli.plain_json import plain_json

STORIES = 4000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        "files",
        nargs="*",
        type=options.path,
        metavar="FILE",
        help=".txt or .jsonl; any file with --bytes",
    )
    parser.add_argument(
        "--output",
        "-o",
        required=True,
        type=options.path,
        metavar="DIR",
        help="the directory to write",
    )
    kind = parser.add_mutually_exclusive_group(required=True)
    kind.add_argument(
        "--model", metavar="PATH", help="use the tokenizer of this model or directory"
    )
    kind.add_argument("--bytes", action="store_true", help="bytes as tokens, a vocabulary of 256")
    kind.add_argument(
        "--stories",
        type=options.whole(1),
        nargs="?",
        const=STORIES,
        metavar="N",
        help=f"write N small stories (default: {STORIES}) and learn a tokenizer from them",
    )
    parser.add_argument(
        "--valid",
        type=float,
        metavar="SHARE",
        help="the last share of the tokens is for validation (default: 0.1, of stories 0.05)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the stories (default: 0)")
    parser.add_argument(
        "--vocabulary",
        type=int,
        metavar="N",
        help="pieces of the stories' tokenizer (default: 512)",
    )
    options.add_json(parser)


def run(arguments: argparse.Namespace) -> int:
    from orion.cli.screen import say, working
    from orion.data import make_data, make_stories
    from orion.errors import UsageError

    is_stories = arguments.stories is not None
    if is_stories == bool(arguments.files):
        raise UsageError("Give files with --model or --bytes, or --stories alone.")
    with working(f"Writing {arguments.output}"):
        if is_stories:
            given = {
                "count": arguments.stories,
                "vocabulary": arguments.vocabulary,
                "valid": arguments.valid,
            }
            chosen = {name: value for name, value in given.items() if value is not None}
            made = make_stories(arguments.output, seed=arguments.seed, **chosen)
        else:
            share = 0.1 if arguments.valid is None else arguments.valid
            made = make_data(arguments.files, arguments.output, model=arguments.model, valid=share)
    say(
        f"{made.train:,} tokens to train on, {made.valid:,} to validate, vocabulary"
        f" {made.vocabulary}"
    )
    print(plain_json(made.to_json()) if arguments.json else arguments.output)
    return 0
