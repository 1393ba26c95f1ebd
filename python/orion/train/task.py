"""What a run is about, before any device: the model, the data, what is learnt of them."""

from __future__ import annotations

import hashlib
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from .. import __version__
from ..data import Data, open_data
from ..errors import UsageError
from .learnt import AdaptersAlone, Learnt, WholeModel, plain
from .lora import Lora
from .ranks import Ranks
from .settings import Settings
from .source import open_source

SEQUENCE = 256
Place = str | os.PathLike[str]


@dataclass(frozen=True)
class Task:
    """`sequence` is the length of rows in tokens."""

    learnt: Learnt
    data: Data
    sequence: int
    settings: Settings

    def notes(self, ranks: Ranks) -> list[str]:
        """What a user should know before it starts."""
        notes = list(self.data.notes)
        if self.data.valid is None:
            notes.append(f"{self.data.directory}: holds no valid.*, so nothing is validated")
        if ranks.count > 1:
            rows = self.settings.batch_size * self.settings.grad_accumulation_steps
            notes.append(f"{ranks.count} ranks, {ranks.count * rows} sequences a step")
        return notes

    def facts(self) -> dict[str, Any]:
        """What several processes must have alike to train together."""
        source, train = self.learnt.source, self.data.train
        ids, targets = np.zeros((2, self.sequence), np.int32)
        train.fill(0, 0, ids, targets)
        digest = hashlib.sha256(ids.tobytes() + targets.tobytes()).hexdigest()
        model = {f"the model's {name}": value for name, value in source.checkpoint.config.items()}
        return plain(
            {
                "Orion's version": __version__,
                **self.settings.to_json(),
                **self.learnt.to_json(),
                **model,
                "the length of rows": self.sequence,
                "the number of rows of data": train.rows,
                "the first row of data (SHA-256)": digest[:16],
                "validation data": self.data.valid is not None,
            }
        )


def open_task(
    model: Place | None,
    preset: Place | None,
    data: Place | None,
    settings: Settings,
    lora: Lora | None,
) -> Task:
    """As class Trainer takes them. Errors: UsageError for settings, OrionError for files."""
    if data is None:
        raise UsageError("Give a directory of data; `orion data` makes one from text.")
    source = open_source(
        None if model is None else Path(model),
        None if preset is None else str(preset),
        settings.seed,
    )
    context = int(source.config.context)
    sequence = settings.max_seq_length or min(SEQUENCE, context)
    if sequence > context:
        raise UsageError(
            f"--max-seq-length {sequence} is beyond the model's context of {context} tokens."
        )
    opened = open_data(
        Path(data),
        sequence,
        int(source.config.vocabulary),
        source.tokenizer,
        mask_prompt=settings.mask_prompt,
    )
    files = opened.tokenizer.files
    learnt: Learnt = (
        WholeModel(source, files)
        if lora is None
        else AdaptersAlone(source, files, lora, None if model is None else str(model))
    )
    return Task(learnt, opened, sequence, settings)
