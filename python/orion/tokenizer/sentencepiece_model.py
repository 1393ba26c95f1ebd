"""tokenizer.model through `sentencepiece`, with the special tokens of the files beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import sentencepiece

from ..errors import OrionError
from .base import Tokenizer, without_surrogates
from .proto import integer, message
from .settings import Added, Settings
from .stream import PieceStream, TokenStream


class SentencePieceTokenizer(Tokenizer):
    """The library takes text for text; `added` tokens are looked for before it is asked."""

    def __init__(
        self, library: sentencepiece.SentencePieceProcessor, settings: Settings, path: Path
    ) -> None:
        self.library = library
        self.files = (path, *settings.files)
        self.chat_template = settings.chat_template
        self._size = library.vocab_size()
        self._added = self.added_tokens(settings)
        self.vocabulary = max([self._size - 1, *self._added]) + 1
        self.special = {
            "bos_token": library.id_to_piece(library.bos_id()) if library.bos_id() >= 0 else "",
            "eos_token": library.id_to_piece(library.eos_id()) if library.eos_id() >= 0 else "",
            **settings.special,
        }
        begin, ends = settings.marks()
        own_begin, own_end = self.id_of("bos_token"), self.id_of("eos_token")
        self.begin = begin if own_begin is None else own_begin
        self.ends = tuple(dict.fromkeys([*ends, *([] if own_end is None else [own_end])]))
        self._add_bos = settings.add_bos is not False and self.begin is not None
        # Models after the first Llama 2 put a space before the text alone, not behind each mark.
        self._is_legacy = settings.boolean("legacy") is not False

    def added_tokens(self, settings: Settings) -> dict[int, Added]:
        found = settings.added()
        for text in settings.special.values():
            token = self.library.piece_to_id(text)
            if self.library.id_to_piece(token) == text:
                found.setdefault(token, Added(text))
        for token, row in found.items():
            if token < self._size and self.library.id_to_piece(token) != row.content:
                raise OrionError(
                    f"{settings.directory}: the added token {row.content!r} has id {token}, which"
                    f" is {self.library.id_to_piece(token)!r} in tokenizer.model"
                )
        return found

    def id_of(self, name: str) -> int | None:
        text = self.special.get(name)
        for token, row in self._added.items():
            if row.content == text:
                return token
        token = self.library.piece_to_id(text) if text else self.library.unk_id()
        return None if token == self.library.unk_id() else int(token)

    def encode(self, text: str, bos: bool = True) -> list[int]:
        ids = [self.begin] if bos and self._add_bos and self.begin is not None else []
        text = without_surrogates(text)
        tokens = {row.content: token for token, row in self._added.items()}
        place = 0
        for found in self._marks.finditer(text) if self._marks else ():
            ids += self._encode_part(text[place : found.start()], place)
            ids.append(tokens[found[0]])
            place = found.end()
        return ids + self._encode_part(text[place:], place)

    def _encode_part(self, text: str, place: int) -> list[int]:
        if not text:
            return []
        library = self.library if self._is_legacy or place == 0 else self._continuing
        return list(library.encode(text))

    def stream(self, skip_special: bool = True) -> TokenStream:
        silent = self._controls
        if skip_special:
            silent |= {token for token, row in self._added.items() if row.special}
        else:
            silent -= self._added.keys()
        return PieceStream(self._decode, self._byte, self._anchor, silent)

    def _decode(self, ids: Sequence[int]) -> str:
        """The library's text; added tokens stand for themselves."""
        text, run = "", []
        for token in ids:
            if 0 <= token < self._size and token not in self._added:
                run.append(token)
                continue
            if token < 0:
                raise OrionError(f"token {token}: ids are 0 or more")
            # An id of a padded vocabulary has no text.
            content = self._added[token].content if token in self._added else ""
            text += self.library.decode(run) + content
            run = []
        return text + (self.library.decode(run) if run else "")

    def _byte(self, token: int) -> int | None:
        if not 0 <= token < self._size or not self.library.is_byte(token):
            return None
        return int(self.library.id_to_piece(token)[3:5], 16)

    @cached_property
    def _controls(self) -> frozenset[int]:
        return frozenset(filter(self.library.is_control, range(self._size)))

    @cached_property
    def _marks(self) -> re.Pattern[str] | None:
        texts = sorted((row.content for row in self._added.values()), key=len, reverse=True)
        return re.compile("|".join(map(re.escape, texts))) if texts else None

    @cached_property
    def _continuing(self) -> sentencepiece.SentencePieceProcessor:
        """The same vocabulary without the space before the text."""
        no_space = message(3, integer(3, False))  # what stands later in a message wins
        library = sentencepiece.SentencePieceProcessor()
        library.LoadFromSerializedProto(self.library.serialized_model_proto() + no_space)
        return library

    @cached_property
    def _anchor(self) -> int:
        for token in range(self._size):
            text = self.library.decode([token])
            if text.isascii() and text.isalnum():
                return token
        raise OrionError(f"{self.files[0]}: has no token with a letter or a digit")


def read(path: Path) -> SentencePieceTokenizer:
    """OrionError when the file is no SentencePiece model or is damaged."""
    try:
        content = path.read_bytes()
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    library = sentencepiece.SentencePieceProcessor()
    try:
        library.LoadFromSerializedProto(content)
        count = library.vocab_size()
    except (RuntimeError, OSError) as error:
        reason = str(error).strip().split("\n")[0]
        raise OrionError(f"{path}: is no SentencePiece model: {reason}") from None
    if count == 0:
        raise OrionError(f"{path}: is no SentencePiece model: it holds no piece")
    return SentencePieceTokenizer(library, Settings(path.parent), path)
