"""Byte-level BPE written out plainly, as GPT-2 defines it; slow, and shares no code with Orion."""

from __future__ import annotations

import json
import unicodedata
from itertools import pairwise
from pathlib import Path

CONTRACTIONS = ("'s", "'t", "'re", "'ve", "'m", "'ll", "'d")
# White_Space of Unicode; str.isspace() has the separators 1C to 1F more.
SPACES = {*"\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000"}
SPACES |= {chr(code) for code in range(0x2000, 0x200B)}


def kind(character: str) -> str:
    """L letter, N number, S space, O other."""
    if character in SPACES:
        return "S"
    category = unicodedata.category(character)[0]
    return category if category in "LN" else "O"


def words(text: str) -> list[str]:
    """The pattern 's|'t|'re|'ve|'m|'ll|'d| ?L+| ?N+| ?other+|space+(?!not space)|space+ by hand."""
    found, place = [], 0
    while place < len(text):
        end = word_end(text, place)
        found.append(text[place:end])
        place = end
    return found


def word_end(text: str, place: int) -> int:
    for contraction in CONTRACTIONS:
        if text.startswith(contraction, place):
            return place + len(contraction)
    start = place + (text[place] == " " and place + 1 < len(text))
    if kind(text[start]) != "S":
        return run_end(text, start)
    end = run_end(text, place)
    # The last space of several belongs to the word that follows.
    return end - 1 if end < len(text) and end - place > 1 else end


def run_end(text: str, place: int) -> int:
    wanted = kind(text[place])
    while place < len(text) and kind(text[place]) == wanted:
        place += 1
    return place


class ReferenceBPE:
    def __init__(self, directory: Path) -> None:
        self.ids: dict[str, int] = json.loads((directory / "vocab.json").read_text())
        lines = (directory / "merges.txt").read_text().split("\n")[1:]
        pairs = [tuple(line.split(" ")) for line in lines if line]
        self.rank = {pair: rank for rank, pair in enumerate(pairs)}
        plain = [b for b in range(256) if chr(b).isprintable() and chr(b) != " "]
        rest = [b for b in range(256) if b not in plain]
        self.spelling = {b: chr(b) for b in plain} | {b: chr(256 + i) for i, b in enumerate(rest)}
        self.known: dict[str, list[int]] = {}

    def encode(self, text: str) -> list[int]:
        parts = text.split("<|endoftext|>")
        ids = [self.ids["<|endoftext|>"]] * 0
        for index, part in enumerate(parts):
            ids += [self.ids["<|endoftext|>"]] * (index > 0)
            for word in words(part):
                ids += self.word(word)
        return ids

    def word(self, word: str) -> list[int]:
        if word not in self.known:
            pieces = [self.spelling[byte] for byte in word.encode()]
            while len(pieces) > 1:
                pairs = list(pairwise(pieces))
                best = min(pairs, key=lambda pair: self.rank.get(pair, len(self.rank)))
                if best not in self.rank:
                    break
                merged, place = [], 0
                while place < len(pieces):
                    if tuple(pieces[place : place + 2]) == best:
                        merged.append("".join(best))
                        place += 2
                    else:
                        merged.append(pieces[place])
                        place += 1
                pieces = merged
            self.known[word] = [self.ids[piece] for piece in pieces]
        return self.known[word]
