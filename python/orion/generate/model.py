"""A model on a device, from text to text; knows no architecture and prints nothing."""

import json
import os
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

from orion.errors import UsageError
from orion.generate.continuation import BATCH_CHUNK, STREAM_CHUNK, continuation
from orion.generate.result import Piece, Response, Result, guesses
from orion.generate.sampling import Sampling
from orion.runtime import Device, Session, default_cache_dir, profile
from orion.tokenizer import StopStrings, Tokenizer
from orion.tokenizer import load as load_tokenizer

if TYPE_CHECKING:
    from orion.compile import AdapterRoom

NO_TEXT = (
    "has no tokenizer, so it takes and gives no text: give token ids (--prompt-ids 1,2,3), or put"
    " its tokenizer.json, vocab.json with merges.txt, or tokenizer.model there"
)


# As other packages call it.
FINISH_REASONS = {"end": "stop", "stop": "stop", "length": "length", "context": "length"}


class Model:
    """A bundle opened on a device, with its tokenizer."""

    def __init__(
        self, device: Device, bundle: Path, source: Path, *, closes_device: bool = False
    ) -> None:
        self.adapter: str | None = None
        self.device = device
        self._closes_device = closes_device
        self.bundle = bundle
        self.source = source
        self.session = Session(device, bundle)

    @cached_property
    def tokenizer(self) -> Tokenizer:
        return load_tokenizer(self.bundle, vocabulary=self.session.vocabulary)

    def open_adapter(self, name: str, path: str | os.PathLike[str]) -> None:
        """Keeps the adapter of a PEFT directory as `name`, beside others. Compiles nothing.

        The model must have been loaded with room for adapters of its rank and layers.
        """
        self.session.open_adapter(name, path)

    def close_adapter(self, name: str) -> None:
        """Forgets an adapter; the model alone answers where it was in use."""
        if self.adapter == name:
            self.use_adapter(None)
        self.session.close_adapter(name)

    def use_adapter(self, name: str | None) -> None:
        """With what the next prompts are read: an open adapter, or the model alone."""
        self.session.reset()
        self.session.set_adapter(name)
        self.adapter = name

    def encode(self, prompt: str | Sequence[int]) -> list[int]:
        """Token ids of a text; ids pass as they are."""
        if not isinstance(prompt, str):
            return list(prompt)
        try:
            prompt.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(f"The prompt is no UTF-8 text: {error.reason}.") from None
        if not self.tokenizer.has_text:
            raise UsageError(f"{self.source}: {NO_TEXT}")
        begin = self.tokenizer.begin
        # Nothing is a text too: one that begins.
        return self.tokenizer.encode(prompt) or ([] if begin is None else [begin])

    def generate(
        self, prompt: str | Sequence[int], max_tokens: int = 100, **sampling: Any
    ) -> Result:
        """The prompt's continuation by up to `max_tokens`; `sampling`: as class Sampling."""
        pieces = list(self.stream(prompt, max_tokens, chunk=BATCH_CHUNK, **sampling))
        return self.result(prompt, pieces)

    def generate_batch(
        self, prompts: Sequence[str | Sequence[int]], max_tokens: int = 100, **options: Any
    ) -> list[Result]:
        """What `generate` gives for each prompt, one step of the device for all of them."""
        from orion.generate.together import batch

        return batch(self, prompts, max_tokens, **options)

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
            speculation=pieces[-1].speculation,
        )

    def stream(
        self,
        prompt: str | Sequence[int],
        max_tokens: int = 100,
        *,
        stop: str | Sequence[str] = (),
        num_draft_tokens: int = 0,
        chunk: int = STREAM_CHUNK,
        **sampling: Any,
    ) -> Iterator[Piece]:
        """The prompt as one piece, then the continuation, up to `chunk` tokens at a time.

        The text ends before the first of the strings `stop`, of which no part is given. Up to
        `num_draft_tokens` tokens are guessed at once from what the text had before; right guesses
        save steps and change no token.
        """
        how = Sampling(**sampling)
        check_counts(max_tokens, num_draft_tokens)
        stops = self.stop_strings(stop)
        ids = self.prompt_ids(prompt)
        return self._stream(ids, max_tokens, chunk, stops, how, drafts=num_draft_tokens)

    def prompt_ids(self, prompt: str | Sequence[int]) -> list[int]:
        """At least one token to continue."""
        ids = self.encode(prompt)
        if not ids:
            raise UsageError("The prompt has no tokens; give at least one.")
        return ids

    def stop_strings(self, stop: str | Sequence[str]) -> StopStrings:
        stops = StopStrings(stop)
        if stops and not self.tokenizer.has_text:
            raise UsageError(f"{self.source}: {NO_TEXT}, and none of it can be a stop string")
        return stops

    def _stream(
        self,
        ids: list[int],
        max_tokens: int,
        chunk: int,
        stops: StopStrings,
        how: Sampling,
        *,
        drafts: int,
    ) -> Iterator[Piece]:
        decoder = self.tokenizer.stream()
        begun = time.perf_counter()
        self.session.reset()
        how.apply(self.session)
        self.session.set_speculation(drafts)
        before = self.session.counters()
        self.session.feed(ids)
        seconds = time.perf_counter() - begun
        text = "".join(map(decoder.push, ids))
        if not max_tokens:
            yield Piece(text + decoder.flush(), ids, seconds, "length")
            return
        yield Piece(text, ids, seconds)
        # In one call, or there is nothing to guess for.
        least = min(drafts + 1, chunk)
        for piece in continuation(self.session, decoder, max_tokens, chunk, stops, least=least):
            if piece.finish and drafts:
                found = guesses(before, self.session.counters())
                yield replace(piece, speculation=found)
            else:
                yield piece

    def close(self) -> None:
        """Gives the device its programs back, and closes a device that `load` opened."""
        self.session.close()
        if self._closes_device:
            self.device.close()

    def __enter__(self) -> "Model":
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()


def check_counts(max_tokens: int, num_draft_tokens: int) -> None:
    rows = (
        ("max_tokens", max_tokens, max_tokens >= 0, "0 or more"),
        ("num_draft_tokens", num_draft_tokens, 0 <= num_draft_tokens <= 1024, "0 to 1024"),
    )
    for name, value, fits, expected in rows:
        if not fits:
            raise UsageError(f"{name} is {expected}, not {value}.")


def load(
    path: str | os.PathLike[str],
    device: str | Device = "auto",
    *,
    cache_dir: str | os.PathLike[str] | None = None,
    trace: bool = False,
    weights: str = "auto",
    adapter_path: str | os.PathLike[str] | None = None,
    adapter_room: "AdapterRoom | None" = None,
) -> Model:
    """Opens a checkpoint, or a bundle made of one, on a device; compiles what is not cached yet.

    `weights`: their type on the device, "fp32", "fp16", "int8" or "auto". `adapter_path`: a PEFT
    directory whose adapter, open as "default", reads the prompts. `adapter_room`: for which layers
    and up to which rank adapters can be opened later; by default those of `adapter_path`.
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
        room = adapter_room or (room_for(adapter_path) if adapter_path is not None else None)
        facts = profile(opened.profile)
        bundle, _fresh = cached_bundle(source, facts, directory, weights, adapters=room)
    model = Model(opened, bundle, source, closes_device=opened is not device)
    if adapter_path is not None:
        model.open_adapter("default", adapter_path)
        model.use_adapter("default")
    return model


def room_for(*paths: str | os.PathLike[str]) -> "AdapterRoom":
    """What all these adapters need of a bundle."""
    from orion.compile import AdapterRoom
    from orion.weights import adapter

    adapters = [adapter.read(path) for path in map(Path, paths)]
    targets = sorted({target for each in adapters for target in each.targets})
    return AdapterRoom(max(each.largest_rank for each in adapters), tuple(targets))


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


def stream_generate(
    model: Model, prompt: str | Sequence[int], max_tokens: int = 256, **options: Any
) -> Iterator[Response]:
    """The continuation, a token at a time, under the names mlx_lm gives; options as `stream`."""
    pieces = model.stream(prompt, max_tokens, chunk=1, **options)
    first = next(pieces)
    begun = time.perf_counter()
    for count, piece in enumerate(pieces, 1):
        for token in piece.ids:
            yield Response(
                text=piece.text,
                token=token,
                prompt_tokens=len(first.ids),
                prompt_tps=len(first.ids) / max(first.seconds, 1e-9),
                generation_tokens=count,
                generation_tps=count / max(time.perf_counter() - begun, 1e-9),
                finish_reason=FINISH_REASONS.get(piece.finish or ""),
            )
