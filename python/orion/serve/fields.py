"""The fields of requests, as rows, and a request read from its body; knows no model."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NoReturn

from orion.generate import Sampling
from orion.serve.problem import Problem, wrong
from orion.serve.settings import Limits

STOPS_MAX, STOP_LENGTH_MAX = 16, 1024


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


def is_prompt(value: Any) -> bool:
    if isinstance(value, list) and len(value) == 1 and not isinstance(value[0], int):
        return is_prompt(value[0])
    return isinstance(value, str) or (
        isinstance(value, list) and bool(value) and all(type(token) is int for token in value)
    )


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

# name: routes, what fits, what is expected. null is as good as absent.
FIELDS: dict[str, tuple[tuple[str, ...], Callable[[Any], bool], str]] = {
    "model": (BOTH, is_text, "the name of a model, as /v1/models gives it"),
    "prompt": ((COMPLETION,), is_prompt, "one text, or one list of token ids"),
    "messages": ((CHAT,), is_messages, "a list of at least one message"),
    "max_tokens": (BOTH, whole(1, 1 << 31), "a whole number, 1 or more"),
    "max_completion_tokens": ((CHAT,), whole(1, 1 << 31), "a whole number, 1 or more"),
    "temperature": (BOTH, number(0, 100), "a number from 0 to 100"),
    "top_p": (BOTH, number(0, 1, is_open=True), "a number over 0 and at most 1"),
    "top_k": (BOTH, whole(0, (1 << 31) - 1), "a whole number, 0 (all tokens) or more"),
    "min_p": (BOTH, number(0, 1), "a number from 0 to 1"),
    "repetition_penalty": (BOTH, number(0, 100, is_open=True), "a number over 0, up to 100"),
    "seed": (BOTH, whole(-(1 << 63), (1 << 64) - 1), "a whole number of 64 bits"),
    "stop": (
        BOTH,
        is_stop,
        f"a text, or at most {STOPS_MAX}, of 1 to {STOP_LENGTH_MAX} characters",
    ),
    "stream": (BOTH, is_flag, "true or false"),
    "stream_options": (BOTH, is_stream_options, 'an object such as {"include_usage": true}'),
    # They say who asks and why, and change nothing.
    "user": (BOTH, is_text, "a string"),
    "metadata": (BOTH, is_anything, "an object"),
    "safety_identifier": (BOTH, is_text, "a string"),
}

# Fields of which only the value that changes nothing is taken: routes, values.
NEUTRAL: dict[str, tuple[tuple[str, ...], tuple[Any, ...]]] = {
    "n": (BOTH, (1,)),
    "best_of": ((COMPLETION,), (1,)),
    "echo": ((COMPLETION,), (False,)),
    "suffix": ((COMPLETION,), ("",)),
    "logprobs": (BOTH, (False,)),
    "top_logprobs": ((CHAT,), (0,)),
    "presence_penalty": (BOTH, (0, 0.0)),
    "frequency_penalty": (BOTH, (0, 0.0)),
    "logit_bias": (BOTH, ({},)),
    "response_format": ((CHAT,), ({"type": "text"},)),
    "modalities": ((CHAT,), (["text"],)),
    "tools": ((CHAT,), ([],)),
    "tool_choice": ((CHAT,), ("none",)),
    "store": ((CHAT,), (False,)),
}


@dataclass(frozen=True)
class Asked:
    """A request whose fields are right by themselves."""

    route: str
    model: str
    # A text, token ids, or messages.
    prompt: Any
    max_tokens: int
    sampling: Sampling
    stop: tuple[str, ...]
    is_streamed: bool
    with_usage: bool


def read(body: bytes, route: str, limits: Limits) -> Asked:
    """The request in `body`; a Problem names the first field that is wrong."""
    fields = checked(parse(body), route)
    asked_for = "prompt" if route == COMPLETION else "messages"
    for name in ("model", asked_for):
        if name not in fields:
            raise wrong(
                name, f"{name} is missing: {FIELDS[name][2]}.", "missing_required_parameter"
            )
    return Asked(
        route,
        fields["model"],
        fields[asked_for],
        tokens_wanted(fields, limits),
        Sampling(
            temp=float(fields.get("temperature", 1.0)),
            top_p=float(fields.get("top_p", 1.0)),
            top_k=fields.get("top_k", 0),
            min_p=float(fields.get("min_p", 0.0)),
            repetition_penalty=float(fields.get("repetition_penalty", 1.0)),
            seed=fields["seed"] % (1 << 64) if "seed" in fields else None,
        ),
        tuple([stop] if isinstance(stop := fields.get("stop", []), str) else stop),
        fields.get("stream", False),
        fields.get("stream_options", {}).get("include_usage", False),
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


def checked(given: dict[str, Any], route: str) -> dict[str, Any]:
    """The fields that are not null, each known on this route and of its kind."""
    fields = {}
    for name, value in given.items():
        known = FIELDS.get(name) or NEUTRAL.get(name)
        if known is None or route not in known[0]:
            raise unknown(name)
        if value is None:
            continue
        if name in FIELDS:
            _, fits, expected = FIELDS[name]
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
    text = json.dumps(value)
    return text if len(text) <= 64 else f"{text[:60]} ..."


def tokens_wanted(fields: dict[str, Any], limits: Limits) -> int:
    name = "max_completion_tokens" if "max_completion_tokens" in fields else "max_tokens"
    count: int = fields.get(name, limits.default_tokens)
    if count > limits.max_tokens:
        raise wrong(name, f"{name} is at most {limits.max_tokens} here; got {count}.")
    return count


def message_texts(messages: list[Any]) -> list[dict[str, str]]:
    """Each message as its role and one text; a Problem names the place of what is wrong."""
    return [message_text(message, f"messages[{place}]") for place, message in enumerate(messages)]


def message_text(message: Any, place: str) -> dict[str, str]:
    if not isinstance(message, dict):
        raise wrong(place, f"{place} is an object with role and content.")
    for name in message:
        if name not in ("role", "content", "name", "refusal"):
            raise unknown(name, f"{place}.")
    role, content = message.get("role"), message.get("content")
    if not isinstance(role, str) or role not in ROLES:
        expected = ", ".join(ROLES)
        raise wrong(f"{place}.role", f"{place}.role is one of {expected}; got {shortly(role)}.")
    if isinstance(content, list):
        content = "".join(part_text(part, f"{place}.content") for part in content)
    if not isinstance(content, str):
        raise wrong(f"{place}.content", f"{place}.content is a text; got {shortly(content)}.")
    return {"role": ROLES[role], "content": content}


def part_text(part: Any, place: str) -> str:
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        text: str = part["text"]
        return text
    raise wrong(place, f'{place}: parts are {{"type": "text", "text": ...}}; got {shortly(part)}.')


# As templates know them.
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}
