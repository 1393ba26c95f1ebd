"""A bundle opened on a device: token ids in, token ids or logits out; knows no text."""

import json
import os
from array import array
from collections.abc import Sequence
from ctypes import POINTER, byref, c_float, c_int32, c_size_t, c_uint32, c_uint64, cast, sizeof
from typing import Any

import numpy as np

from orion.errors import UsageError
from orion.runtime.abi import Sampling, encode_text, library, take_text
from orion.runtime.device import Device
from orion.runtime.handle import Owned

# Why `generate` returned, by the number the C interface gives.
FINISHED = ("length", "end", "context")


class Session(Owned):
    """The model of a bundle with the context it has read so far.

    Calls on one session must not overlap; `cancel` alone may come from another thread.
    """

    _noun = "session"

    def __init__(self, device: Device, bundle: str | os.PathLike[str]) -> None:
        opened = c_uint64()
        library().orion_session_open(device.handle, encode_text(os.fspath(bundle)), byref(opened))
        self._own(opened.value, library().orion_session_close, owner=device)
        self.facts: dict[str, Any] = json.loads(
            take_text(library().orion_session_json, self.handle)
        )
        self.vocabulary: int = self.facts["vocabulary"]
        self.context: int = self.facts["context"]

    def reset(self) -> None:
        """Forgets all that was read."""
        library().orion_session_reset(self.handle)

    def feed(self, tokens: Sequence[int], logits: int = 0) -> np.ndarray:
        """Reads `tokens`; returns [logits, vocabulary] in fp32, for the last `logits` of them."""
        try:
            packed = array("i", tokens)
        except (TypeError, OverflowError) as error:
            raise UsageError(
                f"Token ids are whole numbers below {self.vocabulary}: {error}."
            ) from None
        ids = (c_int32 * len(packed)).from_buffer(packed)
        rows = np.empty((logits, self.vocabulary), np.float32)
        target = cast(rows.ctypes.data, POINTER(c_float)) if logits else None
        library().orion_session_feed(self.handle, ids, len(packed), target, logits)
        return rows

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
        library().orion_session_sampling(self.handle, byref(sampling))

    def generate(self, capacity: int) -> tuple[list[int], str]:
        """Up to `capacity` new tokens, and why it stopped: `length`, `end` or `context`."""
        tokens = (c_int32 * capacity)()
        count, finished = c_size_t(), c_uint32()
        library().orion_session_generate(
            self.handle, capacity, tokens, byref(count), byref(finished)
        )
        return tokens[: count.value], FINISHED[finished.value]

    def cancel(self) -> None:
        """Makes a running `feed` or `generate` fail soon; from any thread."""
        library().orion_session_cancel(self.handle)

    def __enter__(self) -> "Session":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()
