"""What MIL texts take on chips, predicted by the library; nothing runs, and no weight is read."""

import json
import os
from collections.abc import Iterable
from typing import Any

from orion.runtime.abi import encode_text, library, take_text


def estimate_text(
    text: str | bytes,
    *,
    profiles: Iterable[str] | None = None,
    model_dir: str | os.PathLike[str] | None = None,
) -> list[dict[str, Any]]:
    """For each profile its name, `compile_seconds`, and the functions with times and work.

    `profiles` and `model_dir` as for `check`. OrionError tells all faults of a text that is not
    well formed.
    """
    encoded = text.encode("utf-8", "surrogatepass") if isinstance(text, str) else text
    names = None if profiles is None else ",".join(profiles)
    directory = None if model_dir is None else os.fspath(model_dir)
    found: list[dict[str, Any]] = json.loads(
        take_text(
            library().orion_estimate,
            encoded,
            len(encoded),
            encode_text(directory),
            encode_text(names),
        )
    )
    return found
