"""A model as a directory for others: a bundle, or a Hugging Face checkpoint in safetensors.

    export_checkpoint("stories260K", "there")      config.json, model.safetensors, tokenizer files

Names, shapes and dtypes of tensors are those that the checkpoint had; llama2.c's get Hugging
Face's names and order of rotary rows. It knows no device.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from .compile.driver import Source, read_source
from .files import check_new, new_directory
from .weights import LazyTensor, locate, safetensors

CONFIG = "config.json"
TENSORS = "model.safetensors"
# Hugging Face's names of dtypes.
DTYPES = {"fp32": "float32", "fp16": "float16", "bf16": "bfloat16"}


@dataclass(frozen=True)
class ExportReport:
    directory: Path
    tensors: int
    parameters: int
    bytes: int


Tensors = Mapping[str, LazyTensor]


def export_checkpoint(
    model_path: str | Path,
    directory: str | Path,
    change: Callable[[Source], Tensors] = lambda source: source.given,
) -> ExportReport:
    """Writes the checkpoint into `directory`, which appears whole or not at all.

    `change` says which tensors are written, by default those of the files. OrionError names what is
    wrong with the model; UsageError, with the directory.
    """
    target = Path(directory)
    check_new(target)
    source = read_source(locate(model_path))
    tensors = change(source)
    with new_directory(target) as new:
        text = json.dumps(config_of(source), indent=2) + "\n"
        (new / CONFIG).write_text(text, encoding="utf-8")
        safetensors.write(new / TENSORS, tensors)
        for path in source.tokenizer.files if source.tokenizer else ():
            shutil.copyfile(path, new / path.name)
        size = (new / TENSORS).stat().st_size
    return ExportReport(target, len(tensors), sum(t.size for t in tensors.values()), size)


def config_of(source: Source) -> dict[str, Any]:
    """The config.json there was; where there was none, also what else other loaders ask for."""
    config = dict(source.checkpoint.config)
    if CONFIG in {path.name for path in source.checkpoint.files}:
        return config
    dtypes = {tensor.dtype for tensor in source.given.values()}
    words = source.tokenizer
    return {
        **config,
        "torch_dtype": DTYPES[dtypes.pop()] if len(dtypes) == 1 else None,
        "bos_token_id": words.begin,
        "eos_token_id": list(words.ends) or None,
    }
