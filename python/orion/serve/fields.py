"""The fields of requests, as rows, and what fits them; knows no model."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

from orion.serve.problem import Problem, wrong

STOPS_MAX, STOP_LENGTH_MAX, SCORES_MAX = 16, 1024, 20


def is_text(value: Any) -> bool:
    return isinstance(value, str)


def is_flag(value: Any) -> bool:
    return isinstance(value, bool)


def whole(least: int, most: int) -> Callable[[Any], bool]:
    return lambda value: type(value) is int and least <= value <= most


def number(least: float, most: float, *, is_open: bool = False) -> Callable[[Any], bool]:
    def fits(value: Any) -> bool:
        if isinstance(value, bool) or not isinstance(value, (int, float)):
            return False
        return least <= value <= most and not (is_open and value == least)

    return fits


def is_ids(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(type(each) is int for each in value)


def is_prompt(value: Any) -> bool:
    if isinstance(value, str) or is_ids(value):
        return True
    if not isinstance(value, list) or not value:
        return False
    return all(isinstance(each, str) for each in value) or all(map(is_ids, value))


def is_stop(value: Any) -> bool:
    strings = value if isinstance(value, list) else [value]
    return len(strings) <= STOPS_MAX and all(
        isinstance(string, str) and 0 < len(string) <= STOP_LENGTH_MAX for string in strings
    )


def is_stream_options(value: Any) -> bool:
    known = {"include_usage", "include_obfuscation"}
    return isinstance(value, dict) and set(value) <= known and all(map(is_flag, value.values()))


def is_messages(value: Any) -> bool:
    return isinstance(value, list) and bool(value)


def is_anything(_value: Any) -> bool:
    return True


COMPLETION, CHAT = "completion", "chat"
BOTH = (COMPLETION, CHAT)

# Name, routes, what fits, what is expected. null is as good as absent.
ROWS: tuple[tuple[str, tuple[str, ...], Callable[[Any], bool], str], ...] = (
    ("model", BOTH, is_text, "the name of a model, as /v1/models gives it"),
    ("prompt", (COMPLETION,), is_prompt, "a text, a list of token ids, or a list of either"),
    ("messages", (CHAT,), is_messages, "a list of at least one message"),
    ("max_tokens", BOTH, whole(1, 1 << 31), "a whole number, 1 or more"),
    ("max_completion_tokens", (CHAT,), whole(1, 1 << 31), "a whole number, 1 or more"),
    ("temperature", BOTH, number(0, 100), "a number from 0 to 100"),
    ("top_p", BOTH, number(0, 1, is_open=True), "a number over 0 and at most 1"),
    ("top_k", BOTH, whole(0, (1 << 31) - 1), "a whole number, 0 (all tokens) or more"),
    ("min_p", BOTH, number(0, 1), "a number from 0 to 1"),
    ("repetition_penalty", BOTH, number(0, 100, is_open=True), "a number over 0, up to 100"),
    ("seed", BOTH, whole(-(1 << 63), (1 << 64) - 1), "a whole number of 64 bits"),
    (
        "stop",
        BOTH,
        is_stop,
        f"a text, or at most {STOPS_MAX}, of 1 to {STOP_LENGTH_MAX} characters",
    ),
    ("n", BOTH, whole(1, 1 << 31), "a whole number, 1 or more"),
    # How many of the likeliest tokens come with each one's logarithm of the probability.
    ("logprobs", (COMPLETION,), whole(0, SCORES_MAX), f"a whole number from 0 to {SCORES_MAX}"),
    ("logprobs", (CHAT,), is_flag, "true or false"),
    ("top_logprobs", (CHAT,), whole(0, SCORES_MAX), f"a whole number from 0 to {SCORES_MAX}"),
    ("stream", BOTH, is_flag, "true or false"),
    ("stream_options", BOTH, is_stream_options, 'an object such as {"include_usage": true}'),
    # They say who asks and why, and change nothing.
    ("user", BOTH, is_text, "a string"),
    ("metadata", BOTH, is_anything, "an object"),
    ("safety_identifier", BOTH, is_text, "a string"),
)
FIELDS = {
    route: {name: (fits, says) for name, routes, fits, says in ROWS if route in routes}
    for route in BOTH
}

# Fields of which only the value that changes nothing is taken: routes, values.
NEUTRAL: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {
    "best_of": ((COMPLETION,), (1,)),
    "echo": ((COMPLETION,), (False,)),
    "suffix": ((COMPLETION,), ("",)),
    "presence_penalty": (BOTH, (0, 0.0)),
    "frequency_penalty": (BOTH, (0, 0.0)),
    "logit_bias": (BOTH, ({},)),
    "response_format": ((CHAT,), ({"type": "text"},)),
    "modalities": ((CHAT,), (["text"],)),
    "tools": ((CHAT,), ([],)),
    "tool_choice": ((CHAT,), ("none",)),
    "store": ((CHAT,), (False,)),
}


def checked(given: dict[str, Any], route: str) -> dict[str, Any]:
    """The fields that are not null, each known on this route and of its kind."""
    fields = {}
    for name, value in given.items():
        if name not in FIELDS[route] and route not in NEUTRAL.get(name, ((),))[0]:
            raise unknown(name)
        if value is None:
            continue
        if name in FIELDS[route]:
            fits, expected = FIELDS[route][name]
            if not fits(value):
                raise wrong(name, f"{name} is {expected}; got {shortly(value)}.")
            fields[name] = value
        elif not any(type(value) is type(same) and value == same for same in NEUTRAL[name][1]):
            allowed = json.dumps(NEUTRAL[name][1][0])
            message = f"{name} is not supported but for {allowed}; got {shortly(value)}."
            raise wrong(name, message, "unsupported_parameter")
    return fields


def unknown(name: str, place: str = "") -> Problem:
    shown = place + name[:64].encode("utf-8", "replace").decode()
    return wrong(shown, f"Unknown field {shown!r}.", "unknown_parameter")


def shortly(value: Any) -> str:
    try:
        text = json.dumps(value)
    except RecursionError:
        return "what is too deep to show"
    return text if len(text) <= 64 else f"{text[:60]} ..."
