"""Model families, one file each, named by their `model_type`; nothing lists them."""

from __future__ import annotations

import importlib
import pkgutil
from typing import Any

from ..errors import OrionError


def find(model_type: str) -> Any:
    """The module of a family: Config, read_config, build, head, tables, shapes, rename, TINY."""
    known = sorted(module.name for module in pkgutil.iter_modules(__path__))
    if model_type not in known:
        raise OrionError(f"model type {model_type!r} is not known; known: {', '.join(known)}")
    return importlib.import_module(f"{__name__}.{model_type}")
