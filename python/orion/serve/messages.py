"""The messages of a conversation, each as its role and one text; knows no template."""

from __future__ import annotations

from typing import Any

from orion.serve.fields import shortly, unknown
from orion.serve.problem import wrong

# As templates know them.
ROLES = {"system": "system", "developer": "system", "user": "user", "assistant": "assistant"}


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
