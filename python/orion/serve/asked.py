"""A request read from its body: what is asked, with every field right by itself; knows no model."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any, NoReturn

from orion.generate import Sampling
from orion.serve.fields import CHAT, COMPLETION, FIELDS, checked
from orion.serve.problem import wrong
from orion.serve.settings import Limits


@dataclass(frozen=True)
class Asked:
    """What a request wants, of each of its prompts `count` texts."""

    route: str
    model: str
    # Texts or token ids; of a conversation one, its messages.
    prompts: list[Any]
    count: int
    max_tokens: int
    sampling: Sampling
    stop: tuple[str, ...]
    is_streamed: bool
    with_usage: bool
    # How many likeliest tokens come with each token's score; None: no scores.
    alternatives: int | None


def read(body: bytes, route: str, limits: Limits) -> Asked:
    """The request in `body`; a Problem names the first field that is wrong."""
    fields = checked(parse(body), route)
    asked_for = "prompt" if route == COMPLETION else "messages"
    for name in ("model", asked_for):
        if name not in fields:
            message = f"{name} is missing: {FIELDS[route][name][1]}."
            raise wrong(name, message, "missing_required_parameter")
    prompts = prompts_of(fields[asked_for], route)
    stop = fields.get("stop", [])
    return Asked(
        route,
        fields["model"],
        prompts,
        texts_wanted(fields, len(prompts), limits),
        tokens_wanted(fields, limits),
        Sampling(
            temp=float(fields.get("temperature", 1.0)),
            top_p=float(fields.get("top_p", 1.0)),
            top_k=fields.get("top_k", 0),
            min_p=float(fields.get("min_p", 0.0)),
            repetition_penalty=float(fields.get("repetition_penalty", 1.0)),
            seed=fields["seed"] % (1 << 64) if "seed" in fields else None,
        ),
        (stop,) if isinstance(stop, str) else tuple(stop),
        fields.get("stream", False),
        fields.get("stream_options", {}).get("include_usage", False),
        scores_wanted(fields, route),
    )


def parse(body: bytes) -> dict[str, Any]:
    """The JSON object in `body`."""
    try:
        value = json.loads(body, parse_constant=refuse_constant)
    except (ValueError, RecursionError) as error:
        raise wrong(None, f"The body is no JSON: {error}.", "invalid_json") from None
    if not isinstance(value, dict):
        raise wrong(None, "The body is a JSON object.", "invalid_json")
    return value


def refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is no number of JSON")


def prompts_of(value: Any, route: str) -> list[Any]:
    is_one = route == CHAT or isinstance(value, str) or isinstance(value[0], int)
    return [value] if is_one else value


def texts_wanted(fields: dict[str, Any], prompts: int, limits: Limits) -> int:
    count: int = fields.get("n", 1)
    if prompts * count > limits.choices:
        name = "n" if count > 1 else "prompt"
        message = f"A request may ask for {limits.choices} texts here; got {prompts * count}."
        raise wrong(name, message)
    return count


def tokens_wanted(fields: dict[str, Any], limits: Limits) -> int:
    name = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    count: int = fields.get(name, limits.default_tokens)
    if count > limits.max_tokens:
        raise wrong(name, f"{name} is at most {limits.max_tokens} here; got {count}.")
    return count


def scores_wanted(fields: dict[str, Any], route: str) -> int | None:
    if route == COMPLETION:
        count: int | None = fields.get("logprobs")
        return count
    if fields.get("logprobs"):
        return int(fields.get("top_logprobs", 0))
    if fields.get("top_logprobs"):
        raise wrong("top_logprobs", "top_logprobs goes with logprobs, which must be true.")
    return None
