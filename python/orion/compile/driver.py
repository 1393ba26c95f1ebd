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
from ..files import new_directory, sha256
from ..mil import BlobWriter, to_mil
from ..weights import locate
from .manifest import manifest
from .names import MANIFEST, SEAL, WEIGHTS
from .options import AdapterRoom, Options, chosen_weights
from .programs import make_programs


@dataclass(frozen=True)
class BundleReport:
    directory: Path
    profile: str
    weights: str
    programs: int
    parameters: int
    weight_bytes: int
    seconds: float


@dataclass(frozen=True)
class Source:
    """A checkpoint with its family, its config as the family reads it, and its tokenizer.

    Tensors of `checkpoint` have the family's names; `given` are as the files have them.
    """

    checkpoint: weights.Checkpoint
    given: Mapping[str, weights.LazyTensor]
    family: Any
    config: Any
    tokenizer: tokenizer.Tokenizer


def bundle(
    model_path: str | Path,
    profile_json: Mapping[str, Any],
    directory: str | Path,
    weights: str = "auto",
    *,
    layers_per_program: int | None = None,
    adapters: AdapterRoom | None = None,
) -> BundleReport:
    """Compiles a model for a profile into `directory`, which appears whole or not at all.

    `weights`, `layers_per_program` and `adapters`: as class Options. OrionError names what is
    wrong with the model.
    """
    options = Options(weights, layers_per_program, adapters)
    options.check(profile_json)
    check_target(Path(directory))
    return write_bundle(locate(model_path), profile_json, Path(directory), options)


def write_bundle(
    model_path: Path,
    profile_json: Mapping[str, Any],
    directory: Path,
    options: Options,
) -> BundleReport:
    """As `bundle`, in place of whatever `directory` is."""
    started = time.monotonic()
    source = read_source(model_path)
    kind = chosen_weights(options.weights, profile_json, matrix_dtypes(source))
    preferences = {**profile_json["preferences"], "weights": kind}
    if options.adapters is not None:
        preferences["adapters"] = options.adapters.preference(
            source.family, source.config, profile_json
        )
    asked = {**profile_json, "preferences": preferences}
    programs, plan, head = make_programs(
        source.family, source.config, asked, options.layers_per_program
    )
    blob = BlobWriter()
    with new_directory(directory) as new:
        tables = add_tables(source, blob, "fp32" if kind == "fp32" else "fp16")
        for program in programs:
            text = to_mil(program.graph, profile_json["dialect"], blob, source.checkpoint.tensors)
            (new / program.file).write_text(text, encoding="utf-8")
        with (new / WEIGHTS).open("wb") as file:
            blob.write(file)
        for path in source.tokenizer.files:
            shutil.copyfile(path, new / path.name)
        content = manifest(facts(source, asked), tables, programs, plan, head)
        write_manifest(new, content)
        weight_bytes = (new / WEIGHTS).stat().st_size
    return BundleReport(
        directory,
        profile_json["name"],
        kind,
        len(programs),
        source.checkpoint.parameters,
        weight_bytes,
        time.monotonic() - started,
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
    words = (
        tokenizer.ids_only(checkpoint.config, model.config.vocabulary)
        if weights.presets.is_preset(path)
        else tokenizer.load(path, model.config.vocabulary)
    )
    renamed = weights.Checkpoint(checkpoint.config, model.tensors, checkpoint.files)
    return Source(renamed, checkpoint.tensors, model.family, model.config, words)


def find_family(config: Mapping[str, Any]) -> tuple[Any, Any]:
    """The family of a config.json's content, and the config as the family reads it."""
    kind = config.get("model_type")
    if not isinstance(kind, str):
        raise OrionError(f"config.json: expected a model_type; known: {', '.join(models.known())}")
    family = models.find(kind)
    return family, family.read_config(config)


def matrix_dtypes(source: Source) -> set[str]:
    return {t.dtype for t in source.checkpoint.tensors.values() if len(t.shape) > 1}


def add_tables(source: Source, blob: BlobWriter, dtype: str) -> dict[str, Any]:
    """Puts the host's tables first into the weight file; rows as a manifest lists them.

    Weights among them are stored as `dtype`, which a tied head shares; the rest is fp32.
    """
    rows = {}
    for name, table in source.family.tables(source.config).items():
        is_weight = isinstance(table, str)
        array = source.checkpoint.tensors[table] if is_weight else table
        stored = dtype if is_weight else "fp32"
        rows[name] = {
            "offset": blob.add(table if is_weight else name, array, stored),
            "dtype": stored,
            "rows": array.shape[0],
            "width": array.shape[1],
        }
    return rows


def facts(source: Source, profile: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "generator": f"orion {__version__}",
        "profile": profile["name"],
        "weights": profile["preferences"]["weights"],
        "model_type": source.checkpoint.config["model_type"],
        "vocabulary": source.config.vocabulary,
        "context": source.config.context,
        "begin_token": source.tokenizer.begin,
        "end_tokens": list(source.tokenizer.ends),
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
