"""Models of the Hugging Face hub by their id, `org/name`; knows no format.

Fetched once, a model comes from the hub's own cache, also without a network.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from ..errors import OrionError

ID = re.compile(r"[A-Za-z0-9][\w.-]*/[A-Za-z0-9][\w.-]*")
# Weights that are no pickles, configs, and tokenizers.
WANTED = (
    "*.safetensors",
    "model.safetensors.index.json",
    "config.json",
    "generation_config.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "tokenizer.model",
    "special_tokens_map.json",
    "added_tokens.json",
    "vocab.json",
    "merges.txt",
    "chat_template.jinja",
    "chat_template.json",
)


def is_id(path: str | Path) -> bool:
    return ID.fullmatch(str(path)) is not None and ".." not in str(path)


def fetch(model: str, wanted: Sequence[str] = WANTED) -> Path:
    """The directory of the model's files. OrionError when they cannot be had."""
    try:
        from huggingface_hub import snapshot_download
    except ImportError:
        raise OrionError(
            f"{model}: there is no such directory, and a model of the hub is fetched with"
            " huggingface_hub, which is not installed; run: pip install 'orion-ane[hub]'"
        ) from None
    try:
        return Path(snapshot_download(model, allow_patterns=list(wanted)))
    except Exception as error:
        reason = explain(error)
    try:
        return Path(snapshot_download(model, allow_patterns=list(wanted), local_files_only=True))
    except Exception:
        raise OrionError(f"{model}: cannot be fetched from the hub: {reason}") from None


def explain(error: Exception) -> str:
    """The first that is known of the error's own kind and those it came from."""
    from huggingface_hub import errors

    remedies: tuple[tuple[type[BaseException], str], ...] = (
        (errors.GatedRepoError, "its owner asks for consent; give it on the hub, then log in"),
        (errors.RepositoryNotFoundError, "the hub has no such model, or it is private: log in"),
        (errors.RevisionNotFoundError, "the hub has no such revision"),
    )
    for kind, remedy in remedies:
        if isinstance(error, kind):
            return remedy
    if isinstance(error, OSError) and error.errno is not None and error.strerror:
        return f"{error.strerror}; free some space or choose another directory (HF_HOME)"
    first = str(error).strip().split("\n")[0] or type(error).__name__
    return f"{first}; see whether the network is there, or name a directory"
