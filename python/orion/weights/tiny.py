"""A small model made from a seed, with a tokenizer: something to run without data.

It has never learnt anything; its text is noise, but every part of the way to it is real. Files are
llama2.c's, so that they load like any other model directory.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError
from . import llama2c

CHECKPOINT = "tiny.bin"
TOKENIZER = "tok.bin"

# Single characters first, so that every merge below can be reached.
PIECES = (
    *" etaoinshrdlu.,",
    " t",
    "he",
    " the",
    " a",
    "in",
    "on",
    "er",
    "an",
    "ed",
    " s",
    "nd",
    " and",
    "re",
    "ou",
)

CONFIG: dict[str, Any] = {
    "model_type": "llama",
    "hidden_size": 64,
    "intermediate_size": 160,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "vocab_size": 3 + 256 + len(PIECES),
    "max_position_embeddings": 256,
    "head_dim": 16,
    "rms_norm_eps": 1e-5,
    "rope_theta": 10000.0,
    "tie_word_embeddings": False,
}


def write(directory: str | Path, seed: int = 0) -> Path:
    """Writes the checkpoint and the tokenizer into `directory`, made if missing, and returns it."""
    directory = Path(directory)
    try:
        directory.mkdir(parents=True, exist_ok=True)
        llama2c.write(directory / CHECKPOINT, CONFIG, random_tensors(seed))
        (directory / TOKENIZER).write_bytes(tokenizer_bytes())
    except OSError as error:
        raise OrionError(
            f"{directory}: cannot be written: {error.strerror}; name a directory you can write to"
        ) from None
    return directory


def random_tensors(seed: int) -> Mapping[str, np.ndarray]:
    """Norms of one, the rest normal with a scale that the layers keep.

    The head knows pieces alone, so that what is generated can be printed.
    """
    # RandomState gives the same numbers in every version of numpy.
    random = np.random.RandomState(seed)
    hidden, inner = CONFIG["hidden_size"], CONFIG["intermediate_size"]
    keys = CONFIG["num_key_value_heads"] * CONFIG["head_dim"]

    def normal(rows: int, columns: int, scale: float) -> np.ndarray:
        return (random.standard_normal((rows, columns)) * scale).astype(np.float32)

    tensors = {"model.embed_tokens.weight": normal(CONFIG["vocab_size"], hidden, 1.0)}
    for layer in range(CONFIG["num_hidden_layers"]):
        for name, rows, columns in (
            ("self_attn.q_proj", hidden, hidden),
            ("self_attn.k_proj", keys, hidden),
            ("self_attn.v_proj", keys, hidden),
            ("self_attn.o_proj", hidden, hidden),
            ("mlp.gate_proj", inner, hidden),
            ("mlp.up_proj", inner, hidden),
            ("mlp.down_proj", hidden, inner),
        ):
            tensors[f"model.layers.{layer}.{name}.weight"] = normal(rows, columns, columns**-0.5)
        for name in ("input_layernorm", "post_attention_layernorm"):
            tensors[f"model.layers.{layer}.{name}.weight"] = np.ones(hidden, np.float32)
    tensors["model.norm.weight"] = np.ones(hidden, np.float32)
    head = normal(CONFIG["vocab_size"], hidden, 0.5)
    head[: -len(PIECES)] = 0
    tensors["lm_head.weight"] = head
    return tensors


def tokenizer_bytes() -> bytes:
    """llama2.c's tokenizer format: marks, bytes, then pieces, the later of which merge later."""
    marks = ("<unk>", "\n<s>\n", "\n</s>\n")
    rows = [(0.0, mark) for mark in marks]
    rows += [(0.0, f"<0x{byte:02X}>") for byte in range(256)]
    rows += [(-float(rank), piece) for rank, piece in enumerate(PIECES)]
    body = b"".join(
        struct.pack("<fi", score, len(piece.encode())) + piece.encode() for score, piece in rows
    )
    return struct.pack("<i", max(len(piece.encode()) for _, piece in rows)) + body
