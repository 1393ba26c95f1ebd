"""llama2.c's tokenizer files (`tok*.bin`), and ids and text exactly as its run.c makes them.

File: int32 length of the longest piece; then per token fp32 score, int32 length, the piece's bytes.
Tokens 0, 1, 2 are unknown, begin, end; 3 to 258 are the bytes, for characters that no piece holds.
The pieces and scores become a SentencePiece BPE, which merges as run.c does: best score first, the
leftmost of equals.
"""

from __future__ import annotations

import re
import struct
from functools import cached_property
from pathlib import Path

import sentencepiece

from ..errors import OrionError
from .base import Tokenizer, without_surrogates
from .proto import BYTE, CONTROL, NORMAL, UNKNOWN, bpe_model
from .stream import TokenStream

BEGIN, END = 1, 2
FIRST_BYTE = 3
FIRST_PIECE = FIRST_BYTE + 256
PIECE_BYTES_MAX = 1 << 16
BYTE_PIECE = re.compile(rb"<0x([0-9A-Fa-f]{2})>\Z")


class Llama2cTokenizer(Tokenizer):
    """Pieces and scores by id. `encode` and `decode` are run.c's."""

    begin = BEGIN
    # run.c stops at the begin token: its models learnt stories laid end to end, each after one.
    ends = (BEGIN, END)
    may_be_padded = False

    def __init__(self, path: Path, pieces: tuple[bytes, ...], scores: tuple[float, ...]) -> None:
        self.path = path
        self.pieces = pieces
        self.scores = scores
        self.files = (path,)
        self.vocabulary = len(pieces)

    def encode(self, text: str, bos: bool = True) -> list[int]:
        clean = without_surrogates(text)
        ids = self._bpe.encode(clean) if clean else []
        return [BEGIN, *ids] if bos else ids

    def stream(self, skip_special: bool = True) -> TokenStream:
        """The marks have no text; the space that follows a begin token is not part of it."""
        return TokenStream(self.bytes_after)

    def bytes_after(self, previous: int | None, token: int) -> bytes:
        """What `token` adds to the text when it follows `previous`."""
        if not 0 <= token < self.vocabulary:
            raise OrionError(
                f"token {token} is outside the vocabulary of {self.path.name}, 0 to"
                f" {self.vocabulary - 1}"
            )
        if token in (BEGIN, END):
            return b""
        piece = self.pieces[token]
        if previous == BEGIN and piece.startswith(b" "):
            piece = piece[1:]
        byte = BYTE_PIECE.match(piece)
        return bytes([int(byte[1], 16)]) if byte else piece

    @cached_property
    def _bpe(self) -> sentencepiece.SentencePieceProcessor:
        pieces = [piece.decode("utf-8") for piece in self.pieces]
        # SentencePiece wants each piece once and these under its own names.
        pieces[:FIRST_PIECE] = ["<unk>", "<s>", "</s>", *(f"<0x{i:02X}>" for i in range(256))]
        kinds = [UNKNOWN, CONTROL, CONTROL] + [BYTE] * 256
        kinds += [NORMAL] * (len(pieces) - FIRST_PIECE)
        model = bpe_model(list(zip(pieces, self.scores, kinds, strict=True)))
        return sentencepiece.SentencePieceProcessor(model_proto=model)


def read(path: Path) -> Llama2cTokenizer:
    """OrionError when the file is no such tokenizer or is cut short."""
    try:
        data = path.read_bytes()
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    pieces: list[bytes] = []
    scores: list[float] = []
    position = 4
    while position < len(data):
        where = f"{path}: is no llama2.c tokenizer or is cut short: token {len(pieces)}"
        if len(data) - position < 8:
            raise OrionError(f"{where} takes 8 bytes and a piece, {len(data) - position} are left")
        score, length = struct.unpack_from("<fi", data, position)
        position += 8
        if not 0 <= length <= min(PIECE_BYTES_MAX, len(data) - position):
            raise OrionError(
                f"{where} says its piece has {length} bytes, {len(data) - position} are left"
            )
        pieces.append(data[position : position + length])
        scores.append(score)
        position += length
    check(path, pieces)
    return Llama2cTokenizer(path, tuple(pieces), tuple(scores))


def check(path: Path, pieces: list[bytes]) -> None:
    """What run.c takes for granted."""
    if len(pieces) <= FIRST_PIECE:
        raise OrionError(
            f"{path}: is no llama2.c tokenizer: expected more than {FIRST_PIECE} tokens (3 marks,"
            f" 256 bytes, pieces), found {len(pieces)}"
        )
    for byte, piece in enumerate(pieces[FIRST_BYTE:FIRST_PIECE]):
        if piece.upper() != b"<0X%02X>" % byte:
            raise OrionError(
                f"{path}: is no llama2.c tokenizer: token {byte + FIRST_BYTE} is {piece!r},"
                f" expected <0x{byte:02X}>"
            )
    first = {b"<unk>": 0, b"<s>": BEGIN, b"</s>": END}
    first |= {b"<0x%02X>" % byte: FIRST_BYTE + byte for byte in range(256)}
    for token, piece in enumerate(pieces[FIRST_PIECE:], FIRST_PIECE):
        if not piece or first.setdefault(piece, token) != token:
            problem = f"is token {first[piece]} again" if piece else "is empty"
            raise OrionError(
                f"{path}: token {token}, {piece!r}, {problem}; every piece stands once"
            )
        try:
            piece.decode("utf-8")
        except UnicodeDecodeError:
            raise OrionError(f"{path}: token {token}, {piece!r}, is not UTF-8") from None
    if b" " not in first:
        raise OrionError(f"{path}: has no token for a space, with which every text begins")
