"""What the library knows of chips and OS versions, as plain dictionaries."""

import json
from typing import Any

from orion.runtime.abi import encode_text, library, take_text


def profile(name: str) -> dict[str, Any]:
    """Every field of the profile called `name`, as `m4-macos15` or `cpu`."""
    found: dict[str, Any] = json.loads(take_text(library().orion_profile_json, encode_text(name)))
    return found


def profile_names() -> list[str]:
    names: list[str] = json.loads(take_text(library().orion_profile_names))
    return names
