"""`python -m orion` is the `orion` command."""

import sys

from orion.cli.main import main

sys.exit(main())
