"""From a checkpoint to a bundle: graphs by bucket, passes, MIL, one weight file, a manifest.

The programs of a bundle share `weights.bin`; the host reads its tables (embedding, rotations)
from there.
"""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .. import __version__, models, tokenizer, weights
from ..errors import OrionError, UsageError
from ..ir import Graph
from ..mil import BlobWriter, to_mil
from ..passes import run_passes
from ..weights import locate
from .buckets import steps
from .files import new_directory, sha256
from .manifest import Program, Step, manifest

MANIFEST = "manifest.json"
# Digest of the manifest, which lists the digests of all other files.
SEAL = "manifest.sha256"
WEIGHTS = "weights.bin"


@dataclass(frozen=True)
class BundleReport:
    directory: Path
    profile: str
    programs: int
    parameters: int
    weight_bytes: int
    seconds: float


@dataclass(frozen=True)
class Source:
    """A checkpoint with its family, its config as the family reads it, and its tokenizer."""

    checkpoint: weights.Checkpoint
    family: Any
    config: Any
    tokenizer: tokenizer.Tokenizer | None


def bundle(
    model_path: str | Path,
    profile_json: Mapping[str, Any],
    directory: str | Path,
    weights: str = "auto",
    layers_per_program: int | None = None,
) -> BundleReport:
    """Compiles a model for a profile into `directory`, which appears whole or not at all.

    `weights` is their dtype: "auto" is the profile's. OrionError names what is wrong with the
    model.
    """
    check_options(profile_json, weights)
    check_target(Path(directory))
    return write_bundle(locate(model_path), profile_json, Path(directory), layers_per_program)


def write_bundle(
    model_path: Path,
    profile_json: Mapping[str, Any],
    directory: Path,
    layers_per_program: int | None = None,
) -> BundleReport:
    """As `bundle`, in place of whatever `directory` is."""
    started = time.monotonic()
    source = read_source(model_path)
    programs, plan, head = make_programs(source, profile_json, layers_per_program)
    blob = BlobWriter()
    with new_directory(directory) as new:
        tables = add_tables(source, blob)
        for program in programs:
            text = to_mil(program.graph, profile_json["dialect"], blob, source.checkpoint.tensors)
            (new / program.file).write_text(text, encoding="utf-8")
        with (new / WEIGHTS).open("wb") as file:
            blob.write(file)
        for path in source.tokenizer.files if source.tokenizer else ():
            shutil.copyfile(path, new / path.name)
        content = manifest(facts(source, profile_json), tables, programs, plan, head)
        write_manifest(new, content)
        weight_bytes = (new / WEIGHTS).stat().st_size
    return BundleReport(
        directory,
        profile_json["name"],
        len(programs),
        source.checkpoint.parameters,
        weight_bytes,
        time.monotonic() - started,
    )


def check_options(profile: Mapping[str, Any], dtype: str) -> None:
    allowed = ("auto", profile["preferences"]["activation"])
    if dtype not in allowed:
        raise UsageError(
            f"weights {dtype!r} are not made for profile {profile['name']}: expected"
            f" {' or '.join(allowed)}"
        )


def check_target(directory: Path) -> None:
    """A directory is replaced only when it is a bundle or empty."""
    if not directory.exists() or (directory / MANIFEST).is_file():
        return
    if not directory.is_dir():
        raise UsageError(f"{directory}: is a file; name a directory for the bundle")
    if any(directory.iterdir()):
        raise UsageError(
            f"{directory}: holds other files and no bundle; name an empty or a new directory"
        )


def read_source(path: Path) -> Source:
    checkpoint = weights.load(path)
    try:
        model = models.open_model(checkpoint.config, checkpoint.tensors)
    except OrionError as error:
        raise OrionError(f"{path}: {error}") from None
    words = read_tokenizer(path, model.config.vocabulary)
    renamed = weights.Checkpoint(checkpoint.config, model.tensors, checkpoint.files)
    return Source(renamed, model.family, model.config, words)


def read_tokenizer(path: Path, vocabulary: int) -> tokenizer.Tokenizer | None:
    """A model without a tokenizer takes ids and gives ids."""
    file = find_tokenizer(path)
    return None if file is None else tokenizer.load(file, vocabulary)


def find_tokenizer(path: Path) -> Path | None:
    """llama2.c's models are nothing without theirs; others may have none."""
    if weights.presets.is_preset(path):
        return None
    if (path / "config.json").is_file() and not any(path.glob("tok*.bin")):
        return None
    return tokenizer.find_tokenizer(path)


def make_programs(
    source: Source, profile: Mapping[str, Any], layers_per_program: int | None
) -> tuple[list[Program], list[Step], Step]:
    """Every program in the order that steps run them, the steps, and the head."""
    config, family = source.config, source.family
    size = layers_per_program or config.layers
    layers = range(config.layers)
    groups = [layers[i : i + size] for i in range(0, config.layers, size)]
    programs: list[Program] = []
    plan: list[Step] = []
    for columns, cache in steps(profile, config.context):
        names = []
        for index, group in enumerate(groups):
            name = f"layers_s{columns}_l{cache}" + (f"_p{index}" if len(groups) > 1 else "")
            graph = family.build(config, columns, cache, group)
            programs.append(finished(name, graph, profile))
            names.append(name)
        plan.append(Step(columns, cache, tuple(names)))
    columns = profile["preferences"]["decode_columns"]
    tile = profile["limits"]["axis_channels_max"]
    programs.append(finished("head", family.head(config, columns, tile), profile))
    return programs, plan, Step(columns, 0, ("head",))


def finished(name: str, graph: Graph, profile: Mapping[str, Any]) -> Program:
    return Program(name, run_passes(graph, profile))


def add_tables(source: Source, blob: BlobWriter) -> dict[str, Any]:
    """Puts the host's tables first into the weight file; rows as a manifest lists them."""
    rows = {}
    for name, table in source.family.tables(source.config).items():
        is_weight = isinstance(table, str)
        array = source.checkpoint.tensors[table] if is_weight else table
        offset = blob.add(table if is_weight else name, array, "fp32")
        rows[name] = {
            "offset": offset,
            "dtype": "fp32",
            "rows": array.shape[0],
            "width": array.shape[1],
        }
    return rows


def marks(source: Source) -> dict[str, Any]:
    """The tokens that begin and end a text: the tokenizer's, else those of the config."""
    words, config = source.tokenizer, source.checkpoint.config
    if words is not None:
        return {"begin_token": words.begin, "end_tokens": list(words.ends)}
    begin, ends = config.get("bos_token_id"), config.get("eos_token_id")
    known = range(source.config.vocabulary)
    ends = ends if isinstance(ends, list) else [ends]
    return {
        "begin_token": begin if begin in known else None,
        "end_tokens": [end for end in ends if end in known],
    }


def facts(source: Source, profile: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "generator": f"orion {__version__}",
        "profile": profile["name"],
        "model_type": source.checkpoint.config["model_type"],
        "vocabulary": source.config.vocabulary,
        "context": source.config.context,
        **marks(source),
        "parameters": source.checkpoint.parameters,
    }


def write_manifest(directory: Path, content: Mapping[str, Any]) -> None:
    """The manifest with the sizes and digests of all files that are there, and its seal."""
    files = {
        path.name: {"bytes": path.stat().st_size, "sha256": sha256(path)}
        for path in sorted(directory.iterdir())
    }
    text = json.dumps({**content, "files": files}, indent=1) + "\n"
    path = directory / MANIFEST
    path.write_text(text, encoding="utf-8")
    (directory / SEAL).write_text(sha256(path) + "\n", encoding="ascii")
