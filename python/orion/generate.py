"""A model on a device, from text to text; knows no architecture and prints nothing."""

import json
import math
import os
import secrets
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion.errors import UsageError
from orion.runtime import Device, Session, default_cache_dir, profile

if TYPE_CHECKING:
    from orion.tokenizer import Tokenizer, TokenStream

# Tokens drawn by one call of the library: more, and Python is less of a step; fewer, and Ctrl-C
# acts sooner.
STREAM_CHUNK = 16
BATCH_CHUNK = 64


@dataclass(frozen=True)
class Sampling:
    """How the next token is drawn: `temp` 0 takes the likeliest, the rest narrow the choice.

    `seed` None draws a seed.
    """

    temp: float = 0.0
    top_p: float = 1.0
    top_k: int = 0
    min_p: float = 0.0
    repetition_penalty: float = 1.0
    seed: int | None = None

    def __post_init__(self) -> None:
        rows = (
            ("temp", self.temp, 0 <= self.temp < math.inf, "0 or more"),
            ("top_p", self.top_p, 0 < self.top_p <= 1, "over 0 and at most 1"),
            ("top_k", self.top_k, 0 <= self.top_k < 1 << 31, "0 (all tokens) or more"),
            ("min_p", self.min_p, 0 <= self.min_p <= 1, "from 0 to 1"),
            (
                "repetition_penalty",
                self.repetition_penalty,
                0 < self.repetition_penalty < math.inf,
                "over 0",
            ),
            ("seed", self.seed, self.seed is None or 0 <= self.seed < 1 << 64, "from 0 to 2^64-1"),
        )
        for name, value, fits, expected in rows:
            if not fits:
                raise UsageError(f"{name} is {expected}, not {value}.")

    def apply(self, session: Session) -> None:
        session.set_sampling(
            temperature=self.temp,
            top_k=self.top_k,
            top_p=self.top_p,
            min_p=self.min_p,
            repetition_penalty=self.repetition_penalty,
            seed=secrets.randbits(64) if self.seed is None else self.seed,
        )


@dataclass(frozen=True)
class Piece:
    """What came since the piece before: the prompt first, then new tokens."""

    text: str
    ids: list[int]
    seconds: float
    # `length`, `end` or `context` on the last piece.
    finish: str | None = None


@dataclass(frozen=True)
class Result:
    """A finished generation. Counters count since the device was opened."""

    prompt: str
    prompt_ids: list[int]
    new_ids: list[int]
    # The prompt and its continuation.
    text: str
    # `length`: as many tokens as asked for; `end`: the model ended; `context`: no room is left.
    finish: str
    device: str
    profile: str
    route: str
    compiles: int
    cache_hits: int
    loads: int
    evals: int
    loaded_programs: int
    prefill_s: float
    decode_s: float
    # The simulator's clock.
    virtual_s: float

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Model:
    """A bundle opened on a device, with its tokenizer."""

    def __init__(
        self, device: Device, bundle: Path, source: Path, *, closes_device: bool = False
    ) -> None:
        self.device = device
        self._closes_device = closes_device
        self.bundle = bundle
        self.source = source
        self.session = Session(device, bundle)

    @cached_property
    def tokenizer(self) -> "Tokenizer":
        from orion import tokenizer

        return tokenizer.load(self.bundle, vocabulary=self.session.vocabulary)

    def encode(self, prompt: str | Sequence[int]) -> list[int]:
        """Token ids of a text; ids pass as they are."""
        if not isinstance(prompt, str):
            return list(prompt)
        try:
            prompt.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(f"The prompt is no UTF-8 text: {error.reason}.") from None
        return self.tokenizer.encode(prompt)

    def generate(
        self, prompt: str | Sequence[int], max_tokens: int = 100, **sampling: Any
    ) -> Result:
        """The prompt's continuation by up to `max_tokens`; `sampling`: as class Sampling."""
        pieces = list(self.stream(prompt, max_tokens, chunk=BATCH_CHUNK, **sampling))
        return self.result(prompt, pieces)

    def result(self, prompt: str | Sequence[int], pieces: Sequence[Piece]) -> Result:
        """The pieces of one `stream`, all in all."""
        counters = self.device.counters()
        first, rest = pieces[0], pieces[1:]
        return Result(
            prompt=prompt if isinstance(prompt, str) else first.text,
            prompt_ids=first.ids,
            new_ids=[token for piece in rest for token in piece.ids],
            text="".join(piece.text for piece in pieces),
            finish=pieces[-1].finish or "length",
            device=self.device.name,
            profile=self.device.profile,
            route=self.device.route,
            compiles=counters["compiles"],
            cache_hits=counters["cache_hits"],
            loads=counters["loads"],
            evals=counters["evals"],
            loaded_programs=counters["loaded_programs"],
            prefill_s=first.seconds,
            decode_s=sum(piece.seconds for piece in rest),
            virtual_s=counters["virtual_s"],
        )

    def stream(
        self,
        prompt: str | Sequence[int],
        max_tokens: int = 100,
        *,
        chunk: int = STREAM_CHUNK,
        **sampling: Any,
    ) -> Iterator[Piece]:
        """The prompt as one piece, then the continuation, `chunk` tokens at a time."""
        how = Sampling(**sampling)
        if max_tokens < 0:
            raise UsageError(f"max_tokens is 0 or more, not {max_tokens}.")
        ids = self.encode(prompt)
        if not ids:
            raise UsageError("The prompt has no tokens; give at least one.")
        return self._stream(ids, max_tokens, chunk, how)

    def _stream(
        self, ids: list[int], max_tokens: int, chunk: int, sampling: Sampling
    ) -> Iterator[Piece]:
        decoder = self.tokenizer.stream()
        begun = time.perf_counter()
        self.session.reset()
        sampling.apply(self.session)
        self.session.feed(ids)
        seconds = time.perf_counter() - begun
        left, finish = max_tokens, None if max_tokens else "length"
        text = _text(decoder, ids, finish)
        yield Piece(text, ids, seconds, finish)
        while finish is None:
            begun = time.perf_counter()
            new, reason = self.session.generate(min(chunk, left))
            left -= len(new)
            finish = None if reason == "length" and left else reason
            # The end token says that the text is over; it is no part of it.
            text = _text(decoder, new[:-1] if reason == "end" else new, finish)
            yield Piece(text, new, time.perf_counter() - begun, finish)

    def close(self) -> None:
        """Gives the device its programs back, and closes a device that `load` opened."""
        self.session.close()
        if self._closes_device:
            self.device.close()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def _text(decoder: "TokenStream", ids: Sequence[int], finish: str | None) -> str:
    """What `ids` add to the text; at the end also what waited for the rest of a character."""
    text = "".join(map(decoder.push, ids))
    return text + decoder.flush() if finish else text


def load(
    path: str | os.PathLike[str],
    device: str | Device = "auto",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    trace: bool = False,
    weights: str = "auto",
) -> Model:
    """Opens a checkpoint, or a bundle made of one, on a device; compiles what is not cached yet.

    `weights`: their type on the device, "fp32", "fp16", "int8" or "auto".
    """
    opened = (
        device if isinstance(device, Device) else Device(device, cache_dir=cache_dir, trace=trace)
    )
    source = Path(path)
    bundle = source
    if (source / "manifest.json").is_file():
        _check_weights(source, weights)
    else:
        from orion.compile import cached_bundle

        directory = Path(cache_dir) if cache_dir is not None else default_cache_dir()
        bundle, _fresh = cached_bundle(source, profile(opened.profile), directory, weights)
    return Model(opened, bundle, source, closes_device=opened is not device)


def _check_weights(bundle: Path, wanted: str) -> None:
    """A bundle has the weights that it has."""
    if wanted == "auto":
        return
    try:
        found = json.loads((bundle / "manifest.json").read_text(encoding="utf-8")).get("weights")
    except (OSError, ValueError, AttributeError):
        return  # opening it says what is wrong
    if found != wanted:
        raise UsageError(
            f"{bundle}: is a bundle with weights {found}, not {wanted}; compile the checkpoint"
            f" with --weights {wanted}"
        )
