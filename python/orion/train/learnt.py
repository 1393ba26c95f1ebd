"""What a run learns and leaves in files: a whole model, or adapters beside one; knows no device."""

from __future__ import annotations

import shutil
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..compile import Source, find_family
from ..compile.training import Adapters
from ..errors import OrionError
from ..weights import adapter as peft
from ..weights import safetensors
from ..weights.lazy import LazyTensor
from .json_file import read_json, write_json
from .lora import Lora, first_numbers, from_peft, to_peft

MODEL, CONFIG = "model.safetensors", "config.json"
Arrays = Mapping[str, np.ndarray]


class Learnt(ABC):
    """`adapters` as plans take them; None: every parameter of the model learns."""

    adapters: Adapters | None = None

    def __init__(self, source: Source, tokenizer_files: tuple[Path, ...]) -> None:
        self.source = source
        self.tokenizer_files = tokenizer_files

    @abstractmethod
    def first(self, seed: int) -> Mapping[str, Any]:
        """The numbers of all parameters when a run begins."""

    @abstractmethod
    def write(self, directory: Path, named: Arrays) -> None:
        """All that was learnt, in fp32, into a directory that is there."""

    @abstractmethod
    def read(self, directory: Path, keys: Mapping[str, tuple[int, ...]]) -> Arrays:
        """What `write` wrote, for these keys and shapes. OrionError when it is another model's."""

    @abstractmethod
    def finish(self, directory: Path, named: Arrays) -> None:
        """The result, as others read it."""

    def to_json(self) -> dict[str, Any]:
        return {}


class WholeModel(Learnt):
    """A Hugging Face directory: config.json, model.safetensors, the tokenizer's files."""

    def first(self, seed: int) -> Mapping[str, Any]:
        return self.source.checkpoint.tensors

    def write(self, directory: Path, named: Arrays) -> None:
        self._write(directory, self.source.family.restore(self.source.config, named))

    def read(self, directory: Path, keys: Mapping[str, tuple[int, ...]]) -> Arrays:
        config = read_json(directory / CONFIG)
        check_model(directory, config, self.source.checkpoint.config)
        family, content = find_family(config)
        tensors = family.rename(content, safetensors.read(directory / MODEL))
        for key in keys:
            if key not in tensors:
                raise OrionError(
                    f"{directory / MODEL}: lacks {key}; it is another model's checkpoint"
                )
        return {key: np.asarray(tensors[key]) for key in keys}

    def finish(self, directory: Path, named: Arrays) -> None:
        """Under the names and in the dtypes that the model came in."""
        tensors = self.source.family.restore(self.source.config, named)
        names = {name: given_name(name, self.source.given) for name in tensors}
        given = self.source.given
        self._write(
            directory, {names[key]: as_given(names[key], tensors[key], given) for key in tensors}
        )

    def _write(self, directory: Path, tensors: Mapping[str, Any]) -> None:
        write_json(directory / CONFIG, self.source.checkpoint.config)
        safetensors.write(directory / MODEL, tensors)
        for path in self.tokenizer_files:
            shutil.copyfile(path, directory / path.name)


class AdaptersAlone(Learnt):
    """PEFT's two files; the model stays as it is."""

    def __init__(
        self, source: Source, tokenizer_files: tuple[Path, ...], settings: Lora, base: str | None
    ) -> None:
        super().__init__(source, tokenizer_files)
        self.settings, self.base = settings, base
        self.adapters = settings.adapters(source.family, source.config)

    def first(self, seed: int) -> Mapping[str, Any]:
        shapes = self.source.family.shapes(self.source.config)
        assert self.adapters is not None
        return {
            **self.source.checkpoint.tensors,
            **first_numbers(self.adapters, shapes, seed),
        }

    def write(self, directory: Path, named: Arrays) -> None:
        peft.write(to_peft(named, self.source.family, self.settings, self.base), directory)

    def read(self, directory: Path, keys: Mapping[str, tuple[int, ...]]) -> Arrays:
        try:
            return from_peft(peft.read(directory), keys, self.source.family)
        except OrionError as error:
            raise OrionError(f"{directory}: {error}") from None

    def finish(self, directory: Path, named: Arrays) -> None:
        self.write(directory, named)

    def to_json(self) -> dict[str, Any]:
        return self.settings.to_json()


def check_model(directory: Path, theirs: Mapping[str, Any], ours: Mapping[str, Any]) -> None:
    names = sorted(set(theirs) | set(ours))
    differing = [
        f"{name} is {theirs.get(name)!r} there and {ours.get(name)!r} here"
        for name in names
        if plain(theirs.get(name)) != plain(ours.get(name))
    ]
    if differing:
        raise OrionError(
            f"{directory}: is the checkpoint of another model: {'; '.join(differing[:3])}"
        )


def plain(value: Any) -> Any:
    """As JSON would give it back."""
    if isinstance(value, (list, tuple)):
        return [plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(key): plain(each) for key, each in value.items()}
    return value


def given_name(name: str, given: Mapping[str, Any]) -> str:
    """Checkpoints of GPT-2 come with and without `transformer.`."""
    short = name.removeprefix("transformer.")
    return short if name not in given and short in given else name


def as_given(name: str, array: np.ndarray, given: Any) -> LazyTensor:
    """The numbers as the source's dtype; bf16 is rounded when it is written."""
    dtype = getattr(given.get(name), "dtype", "fp32")
    dtype = dtype if dtype in ("fp16", "bf16") else "fp32"
    kind = np.float16 if dtype == "fp16" else np.float32
    return LazyTensor(array.shape, dtype, lambda: np.asarray(array, kind), name, name)
