"""A conversation with a model: each turn reads only what is new; prints nothing."""

import contextlib
import time
from collections.abc import Iterator, Sequence
from typing import Any

from orion.errors import OrionError, UsageError
from orion.generate.continuation import STREAM_CHUNK, continuation
from orion.generate.model import NO_TEXT, Model
from orion.generate.result import Piece
from orion.generate.sampling import Sampling
from orion.tokenizer import StopStrings
from orion.tokenizer.chat import ChatTemplate


class Chat:
    """Messages so far, and the part of them that the session has read.

    Without a chat template the turns are one running text: the model continues what was said.
    """

    def __init__(
        self,
        model: Model,
        *,
        system: str | None = None,
        max_tokens: int = 256,
        stop: str | Sequence[str] = (),
        **sampling: Any,
    ) -> None:
        if not model.tokenizer.has_text:
            raise UsageError(f"{model.source}: {NO_TEXT}")
        if max_tokens < 1:
            raise UsageError(f"max_tokens is 1 or more, not {max_tokens}.")
        source = model.tokenizer.chat_template
        if system is not None and source is None:
            raise UsageError(
                f"{model.source}: has no chat template, and without one there is no place for a"
                " system prompt; put it into the first message"
            )
        self.model = model
        self.template = None if source is None else ChatTemplate(source)
        self.max_tokens = max_tokens
        self.stop = stop
        self._first = [] if system is None else [{"role": "system", "content": system}]
        self._is_interrupted = False
        StopStrings(stop)
        Sampling(**sampling).apply(model.session)
        self.reset()

    def reset(self) -> None:
        """Forgets all but the system prompt."""
        self.messages = list(self._first)
        self._forget()

    def _forget(self) -> None:
        """The next turn reads everything again."""
        self.model.session.reset()
        # What the session has read, special tokens and all; its ids.
        self._text = ""
        self._ids: list[int] = []

    def interrupt(self) -> None:
        """Ends the answer that is being given after its present piece; from a signal handler."""
        self._is_interrupted = True

    def ask(self, message: str) -> Iterator[Piece]:
        """What is read for the turn as a piece without text, then the answer's pieces.

        A turn that fails leaves the conversation as it was.
        """
        self._is_interrupted = False
        messages = [*self.messages, {"role": "user", "content": message}]
        text = self._rendered(messages)
        try:
            begun = time.perf_counter()
            new = self._unread(text)
            if not new:
                raise UsageError("The message has no tokens; say something.")
            self.model.session.feed(new)
            yield Piece("", new, time.perf_counter() - begun)
            answer, ids = "", []
            for piece in self._continuation():
                answer += piece.text
                ids += piece.ids
                yield piece
                if self._is_interrupted:
                    break
            self._ids += [*new, *ids]
            # The session may have read on past a stop string.
            self.model.session.truncate(len(self._ids))
        except BaseException:
            # Also when nobody wants the rest of the answer.
            with contextlib.suppress(OrionError):
                self._forget()
            raise
        self.messages = [*messages, {"role": "assistant", "content": answer}]
        self._text = text + self.model.tokenizer.decode(ids, skip_special=False)

    def _continuation(self) -> Iterator[Piece]:
        return continuation(
            self.model.session,
            self.model.tokenizer.stream(),
            self.max_tokens,
            STREAM_CHUNK,
            StopStrings(self.stop),
        )

    def _rendered(self, messages: Sequence[dict[str, str]]) -> str:
        if self.template is None:
            return "".join(message["content"] for message in messages)
        return self.template.render(
            messages=messages, add_generation_prompt=True, **self.model.tokenizer.special
        )

    def _unread(self, text: str) -> list[int]:
        """Ids of the part of `text` that the session has not read; it forgets what is not in it."""
        tokenizer = self.model.tokenizer
        if self._ids and text.startswith(self._text):
            return self._continued(text)
        ids = tokenizer.encode(text, bos=self.template is None)
        pairs = enumerate(zip(ids[:-1], self._ids, strict=False))
        shortest = min(len(ids) - 1, len(self._ids))
        same = next((place for place, (new, old) in pairs if new != old), max(shortest, 0))
        self.model.session.truncate(same)
        del self._ids[same:]
        return ids[same:]

    def _continued(self, text: str) -> list[int]:
        """Ids of what `text` has behind the part that was read, as the whole of it is cut.

        Many tokenizers put a space before a text, which does not belong in its middle. Where pieces
        reach over the end of the part, as in words that are glued, the rest is a text of its own.
        """
        tokenizer = self.model.tokenizer
        before, whole = (tokenizer.encode(part, bos=False) for part in (self._text, text))
        if whole[: len(before)] == before:
            return whole[len(before) :]
        return tokenizer.encode(text[len(self._text) :], bos=False)
