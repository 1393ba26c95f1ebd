"""`python -m orion.bench CASE...` is `orion bench CASE...`."""

from __future__ import annotations

import argparse
import sys

from ..errors import OrionError
from . import arguments, command


def main() -> int:
    parser = argparse.ArgumentParser(prog="bench", description=command.__doc__)
    arguments.add_arguments(parser)
    try:
        return command.run(parser.parse_args())
    except OrionError as error:
        print(f"bench: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
