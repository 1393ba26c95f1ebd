"""JSON as every reader takes it: JSON has no word for infinity, nor for what is no number."""

import json
import math
from typing import Any


def plain_json(content: Any) -> str:
    """On one line; numbers that are not finite are null."""
    return json.dumps(finite(content), allow_nan=False)


def finite(content: Any) -> Any:
    if isinstance(content, float):
        return content if math.isfinite(content) else None
    if isinstance(content, dict):
        return {name: finite(value) for name, value in content.items()}
    if isinstance(content, (list, tuple)):
        return [finite(value) for value in content]
    return content
