"""MIL files as commands are given them: single files, or all programs of a bundle."""

import json
from dataclasses import dataclass
from pathlib import Path

from orion.errors import OrionError, UsageError
from orion.files import no_utf8


@dataclass(frozen=True)
class Source:
    """A text, where it is, and what it is for: `profile` is the bundle's, or None."""

    path: Path
    text: bytes
    profile: str | None = None

    @property
    def directory(self) -> Path:
        """Where the text's `@model_path` is."""
        return self.path.parent

    def string(self) -> str:
        try:
            return self.text.decode("utf-8")
        except UnicodeDecodeError as error:
            raise OrionError(no_utf8(self.path, error)) from error


def read_sources(path: Path) -> list[Source]:
    """The text at `path`; for a directory the programs of its manifest, or its `model.mil`."""
    if path.is_file():
        return [Source(path, path.read_bytes())]
    if not path.is_dir():
        raise UsageError(f"{path}: no such file; give a MIL file or a bundle's directory.")
    manifest = path / "manifest.json"
    if manifest.is_file():
        return _bundle(manifest)
    if (path / "model.mil").is_file():
        return [Source(path / "model.mil", (path / "model.mil").read_bytes())]
    raise UsageError(f"{path}: neither a manifest.json nor a model.mil is there.")


def _bundle(manifest: Path) -> list[Source]:
    try:
        content = json.loads(manifest.read_text(encoding="utf-8"))
        files = list(dict.fromkeys(program["file"] for program in content["programs"]))
        profile = content["profile"]
    except (ValueError, KeyError, TypeError) as error:
        raise OrionError(f"{manifest}: not the manifest of a bundle ({error!r}).") from error
    return [
        Source(manifest.parent / name, (manifest.parent / name).read_bytes(), profile)
        for name in files
    ]


def read_source(path: Path) -> Source:
    """The only text at `path`."""
    sources = read_sources(path)
    if len(sources) > 1:
        names = ", ".join(source.path.name for source in sources)
        raise UsageError(f"{path} holds several programs; give one of its files: {names}.")
    return sources[0]
