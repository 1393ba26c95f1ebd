"""Several prompts continued side by side, a step of the device for all; prints nothing."""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from orion.generate.continuation import BATCH_CHUNK, told
from orion.generate.result import Piece, Result, guesses
from orion.generate.sampling import Sampling
from orion.runtime import Sequence as Tokens
from orion.runtime import Session
from orion.tokenizer import StopStrings, TokenStream

if TYPE_CHECKING:
    from orion.generate.model import Model


@dataclass
class Lane:
    """A prompt on its way to its continuation."""

    prompt: str | Sequence[int]
    ids: list[int]
    stops: StopStrings
    decoder: TokenStream
    # Of the prompt, then of what came.
    texts: list[str] = field(default_factory=list)
    new: list[int] = field(default_factory=list)
    finish: str | None = None
    speculation: dict[str, float] | None = None


def batch(
    model: "Model",
    prompts: Sequence[str | Sequence[int]],
    max_tokens: int = 100,
    *,
    stop: str | Sequence[str] = (),
    num_draft_tokens: int = 0,
    **sampling: Any,
) -> list[Result]:
    """What `model.generate` gives for each prompt, decoded together; options as there.

    With a seed, each prompt is drawn with this seed. Seconds are those of all the prompts that
    were read together: as many as the session has slots for.
    """
    from orion.generate.model import check_counts

    how = Sampling(**sampling)
    check_counts(max_tokens, num_draft_tokens)
    lanes = [
        Lane(prompt, model.prompt_ids(prompt), model.stop_strings(stop), model.tokenizer.stream())
        for prompt in prompts
    ]
    results = []
    model.session.reset()
    for group in groups(lanes, max_tokens, model.session):
        begun = time.perf_counter()
        readers = [model.session.sequence() for _ in group]
        try:
            for reader in readers:
                reader.set_adapter(model.adapter)
                how.apply(reader)
                reader.set_speculation(num_draft_tokens)
            model.session.feed_batch([lane.ids for lane in group], readers)
            for lane in group:
                lane.texts = ["".join(map(lane.decoder.push, lane.ids)), ""]
            read = time.perf_counter()
            decode(model.session, group, readers, max_tokens)
        finally:
            for reader in readers:
                reader.close()
        seconds = (read - begun, time.perf_counter() - read)
        results += [result(model, lane, seconds, num_draft_tokens > 0) for lane in group]
    return results


def groups(lanes: Sequence[Lane], max_tokens: int, session: Session) -> Iterator[list[Lane]]:
    """The prompts in order, as many at a time as have room for all their tokens."""
    group: list[Lane] = []
    taken = 0
    for lane in lanes:
        size = min(len(lane.ids) + max_tokens, session.context)
        if group and taken + size > session.facts["slots"]:
            yield group
            group, taken = [], 0
        group.append(lane)
        taken += size
    if group:
        yield group


def decode(
    session: Session, lanes: Sequence[Lane], readers: Sequence[Tokens], max_tokens: int
) -> None:
    before = [reader.counters() for reader in readers]
    left = max_tokens
    while live := [index for index, lane in enumerate(lanes) if lane.finish is None]:
        chunk = min(BATCH_CHUNK, left)
        left -= chunk
        found = session.generate_batch(chunk, [readers[index] for index in live])
        for index, (drawn, reason) in zip(live, found, strict=True):
            lane = lanes[index]
            finish = None if reason == "length" and left else reason
            new, text, lane.finish = told(drawn, finish, lane.decoder, lane.stops)
            lane.new += new
            lane.texts[1] += text
            lane.speculation = guesses(before[index], readers[index].counters())


def result(model: "Model", lane: Lane, seconds: tuple[float, float], is_guessed: bool) -> Result:
    speculation = lane.speculation if is_guessed else None
    pieces = [
        Piece(lane.texts[0], lane.ids, seconds[0]),
        Piece(lane.texts[1], lane.new, seconds[1], lane.finish, speculation),
    ]
    return model.result(lane.prompt, pieces)
