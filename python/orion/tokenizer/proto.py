"""Writes SentencePiece's model message: pieces and scores become a BPE without training one.

Field numbers are those of sentencepiece_model.proto; only what differs from its defaults is
written.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence

# Kinds of piece.
NORMAL, UNKNOWN, CONTROL, BYTE = 1, 2, 3, 6

BPE = 2


def bpe_model(pieces: Sequence[tuple[str, float, int]]) -> bytes:
    """A BPE over (piece, score, kind); it puts a space before the text and changes nothing else."""
    body = b"".join(
        message(1, text(1, piece) + float32(2, score) + integer(3, kind))
        for piece, score, kind in pieces
    )
    unknown, begin, end, padding = 0, 1, 2, -1
    trainer = (
        integer(3, BPE)
        + integer(4, len(pieces))
        + integer(35, True)  # byte_fallback
        + integer(40, unknown)
        + integer(41, begin)
        + integer(42, end)
        + integer(43, padding)
    )
    normalizer = (
        text(1, "identity")
        + integer(3, True)  # add_dummy_prefix
        + integer(4, False)  # remove_extra_whitespaces
        + integer(5, False)  # escape_whitespaces
    )
    return body + message(2, trainer) + message(3, normalizer)


def varint(value: int) -> bytes:
    value &= (1 << 64) - 1  # negative numbers are written as 64 bits
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def message(number: int, body: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(body)) + body


def text(number: int, value: str) -> bytes:
    return message(number, value.encode("utf-8"))


def float32(number: int, value: float) -> bytes:
    return varint(number << 3 | 5) + struct.pack("<f", value)
