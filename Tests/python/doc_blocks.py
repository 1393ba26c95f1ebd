"""The code blocks of a page of the documentation; runs nothing."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

# A block that another test or script runs says so in the line above it.
TESTED_BY = re.compile(r"<!-- tested by: (.+?) -->\s*$")
FENCE = re.compile(r"^```(.*)$")


@dataclass(frozen=True)
class Block:
    page: Path
    line: int
    language: str
    text: str
    tested_by: str | None = None

    def place(self) -> str:
        return f"{self.page.name}:{self.line}"


def blocks(page: Path) -> Iterator[Block]:
    """All fenced blocks; a fence that is never closed is an error."""
    lines = page.read_text().splitlines()
    place = 0
    while place < len(lines):
        opening = FENCE.match(lines[place])
        if not opening:
            assert not re.match(r"^ {4}(orion|scripts|import|\$) ", lines[place]), (
                f"{page.name}:{place + 1}: an indented block has no language; fence it"
            )
            place += 1
            continue
        end = next((i for i in range(place + 1, len(lines)) if lines[i] == "```"), None)
        assert end is not None, f"{page.name}:{place + 1}: a block without an end"
        above = TESTED_BY.search(lines[place - 1]) if place else None
        yield Block(
            page,
            place + 1,
            opening[1].strip(),
            "\n".join(lines[place + 1 : end]) + "\n",
            above[1] if above else None,
        )
        place = end + 1
