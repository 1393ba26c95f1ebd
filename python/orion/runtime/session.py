"""A bundle opened on a device, and its sequences: ids in, ids or logits out; knows no text."""

import json
import os
from abc import ABC, abstractmethod
from array import array
from collections.abc import Sequence as Row
from ctypes import POINTER, byref, c_float, c_int32, c_size_t, c_uint32, c_uint64, cast, sizeof
from typing import Any

import numpy as np

from orion.errors import UsageError
from orion.runtime.abi import Sampling, Speculation, encode_text, library, take_text
from orion.runtime.device import Device
from orion.runtime.handle import Owned

# Why `generate` returned, by the number the C interface gives.
FINISHED = ("length", "end", "context")


class Reader(Owned, ABC):
    """What reads tokens and draws the next ones: a sequence, or a session's first one."""

    vocabulary: int

    @property
    @abstractmethod
    def _handles(self) -> tuple[int, int]:
        """Of the session and of the sequence."""

    def reset(self) -> None:
        """Forgets all that was read."""
        library().orion_sequence_reset(*self._handles)

    def truncate(self, length: int) -> None:
        """Forgets all but the first `length` tokens."""
        if length < 0:
            raise UsageError(f"A length is 0 or more, not {length}.")
        library().orion_sequence_truncate(*self._handles, length)

    def feed(self, tokens: Row[int], logits: int = 0) -> np.ndarray:
        """Reads `tokens`; returns [logits, vocabulary] in fp32, for the last `logits` of them."""
        packed = self._packed(tokens)
        ids = (c_int32 * len(packed)).from_buffer(packed)
        rows = np.empty((logits, self.vocabulary), np.float32)
        target = cast(rows.ctypes.data, POINTER(c_float)) if logits else None
        library().orion_session_feed(*self._handles, ids, len(packed), target, logits)
        return rows

    def _packed(self, tokens: Row[int]) -> "array[int]":
        try:
            return array("i", tokens)
        except (TypeError, OverflowError) as error:
            raise UsageError(
                f"Token ids are whole numbers below {self.vocabulary}: {error}."
            ) from None

    def set_sampling(
        self,
        *,
        temperature: float = 0.0,
        top_k: int = 0,
        top_p: float = 1.0,
        min_p: float = 0.0,
        repetition_penalty: float = 1.0,
        seed: int = 0,
    ) -> None:
        """How the next tokens are drawn; temperature 0 takes the likeliest. Restarts the dice."""
        if not (0 <= top_k < 1 << 32 and 0 <= seed < 1 << 64):
            raise UsageError(f"top_k {top_k} and seed {seed} must not be negative or over 64 bits.")
        sampling = Sampling(
            struct_size=sizeof(Sampling),
            temperature=temperature,
            top_k=top_k,
            top_p=top_p,
            min_p=min_p,
            repetition_penalty=repetition_penalty,
            seed=seed,
        )
        library().orion_sequence_sampling(*self._handles, byref(sampling))

    def set_speculation(self, draft_max: int, ngram_max: int = 3, ngram_min: int = 1) -> None:
        """How many tokens are guessed at once from what the sequence held before; 0: none.

        The tokens that come out are the same; right guesses save steps.
        """
        for value in (draft_max, ngram_max, ngram_min):
            if not 0 <= value < 1 << 32:
                raise UsageError(f"Counts of guessed tokens are 0 or more, not {value}.")
        speculation = Speculation(sizeof(Speculation), draft_max, ngram_max, ngram_min)
        library().orion_sequence_speculation(*self._handles, byref(speculation))

    def set_adapter(self, name: str | None) -> None:
        """What the sequence, which must be empty, is read with: an open adapter, or none."""
        library().orion_sequence_adapter(*self._handles, encode_text(name))

    def generate(self, capacity: int) -> tuple[list[int], str]:
        """Up to `capacity` new tokens, and why it stopped: `length`, `end` or `context`."""
        tokens = (c_int32 * capacity)()
        count, finished = c_size_t(), c_uint32()
        library().orion_session_generate(
            *self._handles, capacity, tokens, byref(count), byref(finished)
        )
        return tokens[: count.value], FINISHED[finished.value]

    def counters(self) -> dict[str, int]:
        """steps, drafted, accepted and tokens since it was opened, and its length now."""
        return json.loads(take_text(library().orion_sequence_counters, *self._handles))

    def __exit__(self, *_exception: object) -> None:
        self.close()


class Session(Reader):
    """The model of a bundle, and the first of the sequences it reads.

    Calls on one session and its sequences must not overlap; `cancel` alone may come from another
    thread.
    """

    _noun = "session"

    def __init__(self, device: Device, bundle: str | os.PathLike[str]) -> None:
        opened = c_uint64()
        library().orion_session_open(device.handle, encode_text(os.fspath(bundle)), byref(opened))
        self._own(opened.value, library().orion_session_close, owner=device)
        self._first = self._open_sequence()
        self.facts: dict[str, Any] = json.loads(
            take_text(library().orion_session_json, self.handle)
        )
        self.vocabulary: int = self.facts["vocabulary"]
        self.context: int = self.facts["context"]

    @property
    def _handles(self) -> tuple[int, int]:
        return self.handle, self._first

    def _open_sequence(self) -> int:
        opened = c_uint64()
        library().orion_sequence_open(self.handle, byref(opened))
        return opened.value

    def sequence(self) -> "Sequence":
        """A new, empty sequence beside the others; `facts["slots"]` tokens fit into all of them."""
        return Sequence(self, self._open_sequence())

    def feed_batch(self, texts: Row[Row[int]], sequences: "Row[Sequence]") -> None:
        """Each of the sequences reads its text; a step reads of as many as it has room for."""
        count = len(sequences)
        if len(texts) != count:
            raise UsageError(f"There are {len(texts)} texts for {count} sequences.")
        handles = (c_uint64 * count)(*[sequence.handle for sequence in sequences])
        counts = (c_size_t * count)(*[len(text) for text in texts])
        packed = self._packed([token for text in texts for token in text])
        ids = (c_int32 * len(packed)).from_buffer(packed)
        library().orion_session_feed_batch(self.handle, count, handles, counts, ids)

    def generate_batch(
        self, capacity: int, sequences: "Row[Sequence]"
    ) -> list[tuple[list[int], str]]:
        """What `generate` gives for each of the sequences, one step of the device for all."""
        count = len(sequences)
        handles = (c_uint64 * count)(*[sequence.handle for sequence in sequences])
        tokens = (c_int32 * (count * capacity))()
        counts, finished = (c_size_t * count)(), (c_uint32 * count)()
        library().orion_session_generate_batch(
            self.handle, count, handles, capacity, tokens, counts, finished
        )
        return [
            (tokens[row * capacity : row * capacity + counts[row]], FINISHED[finished[row]])
            for row in range(count)
        ]

    def open_adapter(self, name: str, directory: str | os.PathLike[str]) -> None:
        """Reads an adapter in PEFT's form and keeps it under `name`; compiles nothing."""
        library().orion_adapter_open(
            self.handle, encode_text(name), encode_text(os.fspath(directory))
        )

    def close_adapter(self, name: str) -> None:
        """Forgets the name; sequences that the adapter reads keep it until they change."""
        library().orion_adapter_close(self.handle, encode_text(name))

    def cancel(self) -> None:
        """Makes a running `feed` or `generate` fail soon; from any thread."""
        library().orion_session_cancel(self.handle)

    def __enter__(self) -> "Session":
        return self


class Sequence(Reader):
    """One of the texts that a session reads side by side. It ends with its session."""

    _noun = "sequence"

    def __init__(self, session: Session, handle: int) -> None:
        self.session = session
        self.vocabulary = session.vocabulary

        def close(handle: int) -> None:
            if not session.closed:
                library().orion_sequence_close(session.handle, handle)

        self._own(handle, close, owner=session)

    @property
    def _handles(self) -> tuple[int, int]:
        return self.session.handle, self.handle

    def __enter__(self) -> "Sequence":
        return self
