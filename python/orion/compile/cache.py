"""Bundles kept between runs: found by what they are made of, checked, rebuilt when damaged."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from .. import models, tokenizer, weights
from ..errors import OrionError
from ..files import lock, remove_leftovers
from ..weights import locate
from ..weights.checkpoint import CONFIG
from .identity import Identities
from .names import FORMAT, MANIFEST, SEAL
from .options import AdapterRoom, Options

# The rooms of this package that a bundle's bytes depend on.
COMPILER_ROOMS = ("compile", "ir", "mil", "models", "passes", "tokenizer", "weights")


def cached_bundle(
    model_path: str | Path,
    profile_json: Mapping[str, Any],
    cache_dir: str | Path,
    weights: str = "auto",
    *,
    layers_per_program: int | None = None,
    adapters: AdapterRoom | None = None,
) -> tuple[Path, bool]:
    """A bundle of the model for the profile, and whether it had to be made now.

    Safe with several processes at once: one makes it, the others wait and take it.
    """
    options = Options(weights, layers_per_program, adapters)
    options.check(profile_json)
    source = locate(model_path)
    room = Path(cache_dir) / "bundles"
    identities = Identities(room / "identity")
    directory = room / bundle_key(source, profile_json, options, identities)
    if is_intact(directory, identities):
        return directory, False
    # Most runs find their bundle, and need nothing that makes one.
    from .driver import write_bundle

    with lock(room / f"{directory.name}.lock"):
        remove_leftovers(directory)
        if is_intact(directory, identities):
            return directory, False
        write_bundle(source, profile_json, directory, options)
    return directory, True


def bundle_key(
    model_path: Path, profile: Mapping[str, Any], options: Options, identities: Identities
) -> str:
    """Digest over all a bundle is made of: files, profile, options, and the compiler itself."""
    files = dict.fromkeys([*weights.files(model_path), *tokenizer_files(model_path)])
    try:
        digests = [(path.name, identities.sha256(path)) for path in files]
    except OSError as error:
        raise OrionError(f"{error.filename}: cannot be read: {error.strerror}") from None
    parts = {
        "format": FORMAT,
        "files": digests or str(model_path),
        "profile": profile,
        "options": options.to_json(),
        "compiler": compiler_digest(),
        "family": family_digest(model_path),
    }
    text = json.dumps(parts, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


def tokenizer_files(path: Path) -> tuple[Path, ...]:
    return () if weights.presets.is_preset(path) else tokenizer.find_files(path)


def compiler_digest() -> str:
    """Digest of this package's compiling code: another version of it makes other bundles."""
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for room in COMPILER_ROOMS:
        for path in sorted((package / room).rglob("*.py")):
            digest.update(str(path.relative_to(package)).encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()


def family_digest(model_path: Path) -> str | None:
    """Of the file that reads this model, where it is not this package's."""
    try:
        kind = json.loads((model_path / CONFIG).read_text(encoding="utf-8"))["model_type"]
    except (OSError, ValueError, KeyError, TypeError):
        return None  # whoever reads the model says what is wrong
    return models.digest(str(kind))


def is_intact(directory: Path, identities: Identities) -> bool:
    """Whether a bundle is there and every byte of it is what was written."""
    try:
        text = (directory / MANIFEST).read_bytes()
        if (directory / SEAL).read_text(encoding="ascii").strip() != hashlib.sha256(
            text
        ).hexdigest():
            return False
        return all(
            (directory / name).stat().st_size == row["bytes"]
            and identities.sha256(directory / name) == row["sha256"]
            for name, row in json.loads(text)["files"].items()
        )
    except (OSError, ValueError):
        return False
