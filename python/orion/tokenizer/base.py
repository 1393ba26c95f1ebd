"""What every tokenizer can do, whatever its file; and the one of a model that has none."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from ..errors import OrionError, UsageError
from .stream import TokenStream


class Tokenizer(ABC):
    """Text to ids and back. `vocabulary` is one more than its largest id."""

    files: tuple[Path, ...] = ()
    vocabulary: int
    # The token that texts begin with, and those that end them.
    begin: int | None = None
    ends: tuple[int, ...] = ()
    # How a conversation becomes one text, in Jinja; None when the model has no such form.
    chat_template: str | None = None
    # The texts of special tokens by what the files call them: bos_token, eos_token and others.
    special: dict[str, str] = {}  # noqa: RUF012 - never changed, only replaced
    # What a user should know of it.
    note = ""
    has_text = True
    # A file whose models pad their vocabularies may hold fewer tokens than the model has.
    may_be_padded = True

    @abstractmethod
    def encode(self, text: str, bos: bool = True) -> list[int]:
        """Ids of `text`, with `bos` after the token with which the model's texts begin, if any.

        Special tokens spelled in the text become their ids.
        """

    @abstractmethod
    def stream(self, skip_special: bool = True) -> TokenStream:
        """A detokeniser to push ids into, one at a time."""

    def decode(self, ids: Sequence[int], skip_special: bool = True) -> str:
        """Text of `ids`, which is what they stream."""
        stream = self.stream(skip_special)
        return "".join([*(stream.push(token) for token in ids), stream.flush()])

    def check(self, vocabulary: int) -> None:
        """OrionError unless this can be the tokenizer of a model with so many tokens."""
        names = ", ".join(str(path) for path in self.files[:1])
        if self.vocabulary > vocabulary or (
            self.vocabulary < vocabulary and not self.may_be_padded
        ):
            raise OrionError(
                f"{names}: holds {self.vocabulary} tokens, but the model beside it has a"
                f" vocabulary of {vocabulary}; use the tokenizer that the model was trained with"
            )
        known = range(vocabulary)
        self.begin = self.begin if self.begin in known else None
        self.ends = tuple(end for end in self.ends if end in known)
        if self.files and self.vocabulary < vocabulary:
            self.note = (
                f"{self.files[0].name} holds {self.vocabulary} tokens of the model's {vocabulary};"
                " the others are taken for padding and have no text"
            )


class IdsOnly(Tokenizer):
    """Of a model that came without one: ids pass, text does not."""

    has_text = False
    vocabulary = 0

    def __init__(self, begin: int | None = None, ends: tuple[int, ...] = ()) -> None:
        self.begin, self.ends = begin, ends

    def encode(self, text: str, bos: bool = True) -> list[int]:
        raise UsageError(
            "the model has no tokenizer, so it takes no text: give token ids (--prompt-ids 1,2,3),"
            " or put its tokenizer.json, vocab.json with merges.txt, or tokenizer.model beside it"
        )

    def stream(self, skip_special: bool = True) -> TokenStream:
        return TokenStream(lambda _previous, _token: b"")


def without_surrogates(text: str) -> str:
    """Half a surrogate pair, which no UTF-8 can hold, counts as U+FFFD for each of its bytes."""
    return text.encode("utf-8", "surrogatepass").decode("utf-8", "replace")
