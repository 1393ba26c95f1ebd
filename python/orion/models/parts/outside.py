"""Families that live outside of this package: registered by a program, or by what is installed.

    orion.models.register("my_type", my_module)

or in the pyproject.toml of a package, so that `orion` on the command line knows them too:

    [project.entry-points."orion.models"]
    my_type = "my_package.my_module"
"""

from __future__ import annotations

import hashlib
import inspect
from importlib.metadata import EntryPoint, entry_points
from pathlib import Path
from types import ModuleType

from ...errors import OrionError, UsageError

GROUP = "orion.models"
# What a family has to have; docs/architecture.md says what each is for.
NEEDED = (
    *("read_config", "build", "head", "tables", "shapes"),
    *("rename", "restore", "checkpoint_place"),
)

_registered: dict[str, ModuleType] = {}


def register(model_type: str, family: ModuleType) -> None:
    """UsageError names what the module lacks."""
    missing = [name for name in NEEDED if not callable(getattr(family, name, None))]
    if missing:
        raise UsageError(
            f"{getattr(family, '__name__', family)}: as the family of {model_type!r} it has to"
            f" have {', '.join(NEEDED)}, and it lacks {', '.join(missing)}"
        )
    _registered[model_type] = family


def installed() -> dict[str, EntryPoint]:
    return {point.name: point for point in entry_points(group=GROUP)}


def names() -> list[str]:
    return sorted({*_registered, *installed()})


def find(model_type: str) -> ModuleType | None:
    """None when nobody brought it."""
    if model_type not in _registered and (point := installed().get(model_type)):
        try:
            family = point.load()
        except (ImportError, AttributeError) as error:
            raise OrionError(
                f"model type {model_type!r}: the installed {point.value} cannot be imported:"
                f" {error}"
            ) from None
        register(model_type, family)
    return _registered.get(model_type)


def digest(model_type: str) -> str | None:
    """Of the family's source, of which bundles are made; None where nobody brought it."""
    family = find(model_type)
    if family is None:
        return None
    file = inspect.getsourcefile(family)
    return hashlib.sha256(Path(file).read_bytes() if file else b"").hexdigest()
