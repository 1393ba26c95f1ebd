"""Tokens of a session as text, in pieces, up to an end; knows neither prompt nor model."""

import time
from collections.abc import Iterator

from orion.generate.result import Piece
from orion.runtime import Session
from orion.tokenizer import StopStrings, TokenStream

# Tokens drawn by one call of the library: more, and Python is less of a step; fewer, and Ctrl-C
# acts sooner.
STREAM_CHUNK = 16
BATCH_CHUNK = 64
# How long a piece should take at most, where tokens come slowly.
PIECE_SECONDS = 0.1


def continuation(
    session: Session,
    decoder: TokenStream,
    max_tokens: int,
    chunk: int,
    stops: StopStrings,
    *,
    least: int = 1,
) -> Iterator[Piece]:
    """What the session says after what it read, in pieces; it may have read on past the last.

    `least`: tokens of a piece, where more come in one step.
    """
    left, size, finish = max_tokens, least, None
    while finish is None:
        begun = time.perf_counter()
        new, reason = session.generate(min(size, left))
        left -= len(new)
        finish = None if reason == "length" and left else reason
        new, text, finish = told(new, finish, decoder, stops)
        seconds = time.perf_counter() - begun
        # Few tokens at a time where they come slowly, so that they are seen as they come.
        size = max(least, min(chunk, int(len(new) * PIECE_SECONDS / max(seconds, 1e-9))))
        yield Piece(text, new, seconds, finish)


def told(
    new: list[int], finish: str | None, decoder: TokenStream, stops: StopStrings
) -> tuple[list[int], str, str | None]:
    """The tokens up to a stop string, their text, and why it is over, when it is."""
    text = ""
    # The end token says that the text is over; it is no part of it.
    for count, token in enumerate(new[:-1] if finish == "end" else new, 1):
        text += stops.push(decoder.push(token))
        if stops.is_over:
            return new[:count], text, "stop"
    if finish is not None:
        text += stops.push(decoder.flush())
        finish = "stop" if stops.is_over else finish
        text += stops.flush()
    return new, text, finish
