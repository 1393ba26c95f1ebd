"""tokenizer.json, or vocab.json with merges.txt (byte-level BPE), through `tokenizers`."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Sequence
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import tokenizers
from tokenizers import decoders, models, normalizers, pre_tokenizers

from ..errors import OrionError
from .base import Tokenizer, without_surrogates
from .settings import Settings, read
from .stream import PieceStream, TokenStream

BYTE_PIECE = re.compile(r"<0x([0-9A-Fa-f]{2})>\Z")
GPT2_END = "<|endoftext|>"
QWEN_WORDS = (
    r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*"
    r"|\s*[\r\n]+|\s+(?!\S)|\s+"
)
# How a text is cut into words before merging, by tokenizer_class; None: as GPT-2 does.
WORDS: dict[str, str | None] = {
    "GPT2Tokenizer": None,
    "GPT2TokenizerFast": None,
    "Qwen2Tokenizer": QWEN_WORDS,
    "Qwen2TokenizerFast": QWEN_WORDS,
}


class HuggingFaceTokenizer(Tokenizer):
    """`library` does the work; the settings say what begins and ends a text."""

    def __init__(
        self,
        library: tokenizers.Tokenizer,
        settings: Settings,
        files: tuple[Path, ...],
        usual_end: str = "",
    ) -> None:
        self.library = library
        self.files = (*files, *settings.files)
        self.chat_template = settings.chat_template
        self.special = settings.special
        self.vocabulary = max(library.get_vocab(with_added_tokens=True).values(), default=-1) + 1
        begin, ends = settings.marks()
        named = library.token_to_id(settings.text("bos_token") or "")
        self.begin = begin if named is None else named
        end = library.token_to_id(settings.text("eos_token") or usual_end)
        self.ends = tuple(dict.fromkeys([*ends, *([] if end is None else [end])]))
        self._add_bos = settings.add_bos

    def encode(self, text: str, bos: bool = True) -> list[int]:
        by_library = bos and self._add_bos is None
        found = self.library.encode(without_surrogates(text), add_special_tokens=by_library)
        if bos and self._add_bos and self.begin is not None:
            return [self.begin, *found.ids]
        return list(found.ids)

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        known = [token for token in ids if self._piece(token) is not None]
        return str(self.library.decode(known, skip_special_tokens=skip_special))

    def stream(self, skip_special: bool = True) -> TokenStream:
        silent = self._special if skip_special else frozenset()
        if "ByteLevel" in self._decoders:
            return TokenStream(
                lambda _previous, token: b"" if token in silent else self._bytes(token)
            )
        decode: Callable[[Sequence[int]], str] = lambda ids: self.decode(ids, False)  # noqa: E731
        return PieceStream(decode, self._byte, self._anchor, silent)

    def _piece(self, token: int) -> str | None:
        """How the vocabulary spells the token; ids of a padded vocabulary have no text."""
        if token < 0:
            raise OrionError(f"token {token}: ids are 0 or more")
        return self.library.id_to_token(token) if token < self.vocabulary else None

    def _bytes(self, token: int) -> bytes:
        piece = self._piece(token) or ""
        try:
            return bytes(map(byte_characters().__getitem__, piece))
        except KeyError:
            # Written as it is: an added token with characters that stand for no byte.
            return piece.encode()

    def _byte(self, token: int) -> int | None:
        if "ByteFallback" not in self._decoders:
            return None
        found = BYTE_PIECE.match(self._piece(token) or "")
        return int(found[1], 16) if found else None

    @cached_property
    def _special(self) -> frozenset[int]:
        rows = self.library.get_added_tokens_decoder().items()
        return frozenset(token for token, added in rows if added.special)

    @cached_property
    def _decoders(self) -> frozenset[str]:
        """The kinds of step by which tokens become text."""
        if self.library.decoder is None:
            return frozenset()
        state = json.loads(self.library.decoder.__getstate__())
        return frozenset(row["type"] for row in [state, *state.get("decoders", [])])

    @cached_property
    def _anchor(self) -> int:
        for token in range(self.vocabulary):
            if token not in self._special and self._byte(token) is None:
                text = self.decode([token])
                if text.isalnum() and text.isascii():
                    return token
        raise OrionError(f"{self.files[0]}: has no token with a letter or a digit")


@cache
def byte_characters() -> dict[str, int]:
    """GPT-2's spelling of bytes: printable ones stand for themselves, others from U+0100 on."""
    plain = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
    rest = [byte for byte in range(256) if byte not in plain]
    return {chr(b): b for b in plain} | {chr(0x100 + i): b for i, b in enumerate(rest)}


def read_json(path: Path) -> HuggingFaceTokenizer:
    """OrionError when the file is no tokenizer or is damaged."""
    library = explained(path, lambda: tokenizers.Tokenizer.from_file(str(path)))
    # A file may ask for a fixed length, which is for training.
    library.no_truncation()
    library.no_padding()
    return HuggingFaceTokenizer(library, Settings(path.parent), (path,))


def read_vocabulary(vocabulary: Path, merges: Path) -> HuggingFaceTokenizer:
    """A byte-level BPE from GPT-2's two files."""
    for path in (vocabulary, merges):
        if not path.is_file():
            raise OrionError(f"{path}: there is no such file; the two belong together")
    settings = Settings(vocabulary.parent)
    kind = settings.config.get("tokenizer_class") or "GPT2Tokenizer"
    if kind not in WORDS:
        raise OrionError(
            f"{vocabulary}: belongs to a {kind}, whose rules do not stand in it; expected a"
            f" tokenizer.json, or one of {', '.join(WORDS)}"
        )
    pieces = read(vocabulary)
    missing = [byte for char, byte in byte_characters().items() if char not in pieces]
    if missing:
        raise OrionError(
            f"{vocabulary}: has no token for byte 0x{missing[0]:02X}; expected all 256 of a"
            " byte-level BPE"
        )
    model = explained(merges, lambda: models.BPE.from_file(str(vocabulary), str(merges)))
    library = tokenizers.Tokenizer(model)
    words = WORDS[kind]
    space = settings.boolean("add_prefix_space") or False
    level = pre_tokenizers.ByteLevel(add_prefix_space=space, use_regex=words is None)
    library.pre_tokenizer = level
    if words is not None:
        cut = pre_tokenizers.Split(tokenizers.Regex(words), "isolated")
        library.pre_tokenizer = pre_tokenizers.Sequence([cut, level])
        library.normalizer = normalizers.NFC()
    library.decoder = decoders.ByteLevel()
    add_tokens(library, settings, vocabulary)
    return HuggingFaceTokenizer(library, settings, (vocabulary, merges), GPT2_END)


def add_tokens(library: tokenizers.Tokenizer, settings: Settings, vocabulary: Path) -> None:
    """Tells the library which tokens it must not take apart, under the ids the files give them."""
    added = settings.added()
    texts = {*settings.special.values(), GPT2_END} - {row.content for row in added.values()}
    known = [text for text in sorted(texts) if library.token_to_id(text) is not None]
    library.add_special_tokens(known)
    for token, row in sorted(added.items()):
        flags = {"lstrip": row.lstrip, "rstrip": row.rstrip, "single_word": row.single_word}
        entry = tokenizers.AddedToken(
            row.content, special=row.special, normalized=row.normalized, **flags
        )
        (library.add_special_tokens if row.special else library.add_tokens)([entry])
        given = library.token_to_id(row.content)
        if given != token:
            raise OrionError(
                f"{vocabulary}: the added token {row.content!r} has id {token}, but the"
                f" vocabulary makes it {given}"
            )


def explained(path: Path, make: Callable[[], Any]) -> Any:
    """What `make` makes; the library's own faults come as one message."""
    try:
        return make()
    except (KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:  # a Rust panic is no Exception
        reason = str(error).strip().split("\n")[0][:200]
        raise OrionError(f"{path}: is no tokenizer that `tokenizers` reads: {reason}") from None
