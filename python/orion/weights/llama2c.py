"""llama2.c's checkpoint files: a header of integers, then every tensor in fp32; mapped, not read.

Legacy: 7 int32 (dim, hidden, layers, heads, key heads, vocabulary, context; a negative vocabulary
says that the head is not tied), tensors, two rotary tables that nobody needs, the head.
Version 1: magic, version, the 7 integers, one byte for tied, zeros to byte 256; norms come first,
there are no tables.
"""

from __future__ import annotations

import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import OrionError
from .checkpoint import Checkpoint
from .lazy import LazyTensor, lazy

MAGIC = 0x616B3432
HEADER_BYTES_V1 = 256
FIELDS = ("dim", "hidden", "layers", "heads", "key heads", "vocabulary", "context")
# No model of this format comes near; a file that says more is none.
LIMITS = (1 << 20, 1 << 22, 1 << 12, 1 << 14, 1 << 14, 1 << 22, 1 << 22)


@dataclass(frozen=True)
class Header:
    dim: int
    hidden: int
    layers: int
    heads: int
    key_heads: int
    vocabulary: int
    context: int
    tied: bool = field(kw_only=True)
    bytes: int = field(kw_only=True)

    @property
    def head_dim(self) -> int:
        return self.dim // self.heads

    def config(self) -> dict[str, Any]:
        return {
            "model_type": "llama",
            "hidden_size": self.dim,
            "intermediate_size": self.hidden,
            "num_hidden_layers": self.layers,
            "num_attention_heads": self.heads,
            "num_key_value_heads": self.key_heads,
            "vocab_size": self.vocabulary,
            "max_position_embeddings": self.context,
            "head_dim": self.head_dim,
            "rms_norm_eps": 1e-5,
            "rope_theta": 10000.0,
            "tie_word_embeddings": self.tied,
        }


def read(path: Path) -> Checkpoint:
    """OrionError when the file is no such checkpoint, is cut short, or holds more than it says."""
    try:
        size = path.stat().st_size
        with path.open("rb") as file:
            start = file.read(HEADER_BYTES_V1)
    except OSError as error:
        raise OrionError(f"{path}: cannot be read: {error.strerror}") from None
    header, layout = read_header(path, start)
    expected = header.bytes + 4 * sum(count * prod(shape) for _, count, shape in layout)
    if size != expected:
        problem = "is cut short" if size < expected else "holds more than its header says"
        raise OrionError(
            f"{path}: {problem}: {describe(header)} takes {expected} bytes, the file has {size};"
            " fetch or export it again"
        )
    data = np.memmap(path, dtype="<f4", mode="r", offset=header.bytes)
    return Checkpoint(header.config(), name_tensors(header, cut(data, layout)), (path,))


def read_header(path: Path, start: bytes) -> tuple[Header, list[tuple[str, int, tuple[int, ...]]]]:
    if len(start) < 28:
        raise OrionError(
            f"{path}: is no llama2.c checkpoint: expected a header of 28 bytes, got {len(start)}"
        )
    if struct.unpack_from("<I", start)[0] == MAGIC:
        if len(start) < HEADER_BYTES_V1:
            raise OrionError(f"{path}: is cut short inside its header of {HEADER_BYTES_V1} bytes")
        version, *fields, tied = struct.unpack_from("<i7iB", start, 4)
        if version != 1:
            raise OrionError(
                f"{path}: is a llama2.c checkpoint of version {version}; expected the legacy format"
                " or version 1 (fp32)"
            )
        header = check(path, fields, bool(tied), HEADER_BYTES_V1)
        return header, layout_v1(header)
    fields = list(struct.unpack_from("<7i", start))
    tied = fields[5] > 0
    header = check(path, [*fields[:5], abs(fields[5]), fields[6]], tied, 28)
    return header, layout_legacy(header)


def check(path: Path, fields: list[int], tied: bool, header_bytes: int) -> Header:
    """The header, when its numbers can be those of a model."""
    for name, value, limit in zip(FIELDS, fields, LIMITS, strict=True):
        if not 1 <= value <= limit:
            raise OrionError(
                f"{path}: is no llama2.c checkpoint: its header gives {name} {value},"
                f" expected 1 to {limit}"
            )
    header = Header(*fields, tied=tied, bytes=header_bytes)
    if header.dim % header.heads or header.head_dim % 2 or header.heads % header.key_heads:
        raise OrionError(
            f"{path}: is no llama2.c checkpoint: {describe(header)} do not go together;"
            " expected heads to divide dim into even sizes and key heads to divide heads"
        )
    return header


def describe(header: Header) -> str:
    return (
        f"dim {header.dim}, hidden {header.hidden}, {header.layers} layers, {header.heads} heads,"
        f" {header.key_heads} key heads, vocabulary {header.vocabulary}, context {header.context}"
    )


Layout = list[tuple[str, int, tuple[int, ...]]]  # name, how many (one a layer), shape of each


def layer_rows(h: Header) -> dict[str, tuple[str, int, tuple[int, ...]]]:
    keys = h.key_heads * h.head_dim
    rows: list[tuple[str, int, tuple[int, ...]]] = [
        ("embedding", 1, (h.vocabulary, h.dim)),
        ("attention_norm", h.layers, (h.dim,)),
        ("wq", h.layers, (h.dim, h.dim)),
        ("wk", h.layers, (keys, h.dim)),
        ("wv", h.layers, (keys, h.dim)),
        ("wo", h.layers, (h.dim, h.dim)),
        ("mlp_norm", h.layers, (h.dim,)),
        ("w1", h.layers, (h.hidden, h.dim)),
        ("w2", h.layers, (h.dim, h.hidden)),
        ("w3", h.layers, (h.hidden, h.dim)),
        ("norm", 1, (h.dim,)),
        ("rotary", 2, (h.context, h.head_dim // 2)),
        ("head", 1, (h.vocabulary, h.dim)),
    ]
    return {row[0]: row for row in rows}


def layout_legacy(header: Header) -> Layout:
    rows = layer_rows(header)
    return [row for name, row in rows.items() if name != "head" or not header.tied]


def layout_v1(header: Header) -> Layout:
    rows = layer_rows(header)
    first = ("attention_norm", "mlp_norm", "norm")
    last = ("rotary", "head") if header.tied else ("rotary",)
    rest = [row for name, row in rows.items() if name not in (*first, *last)]
    return [rows[name] for name in first] + rest


def cut(data: np.ndarray, layout: Layout) -> dict[str, np.ndarray]:
    """The tensors of each name, stacked, as views."""
    found, position = {}, 0
    for name, count, shape in layout:
        end = position + count * prod(shape)
        found[name] = data[position:end].reshape(count, *shape)
        position = end
    return found


# name in a Hugging Face checkpoint: name here
LAYER_NAMES = {
    "input_layernorm": "attention_norm",
    "self_attn.q_proj": "wq",
    "self_attn.k_proj": "wk",
    "self_attn.v_proj": "wv",
    "self_attn.o_proj": "wo",
    "post_attention_layernorm": "mlp_norm",
    "mlp.gate_proj": "w1",
    "mlp.down_proj": "w2",
    "mlp.up_proj": "w3",
}


def name_tensors(header: Header, stacks: Mapping[str, np.ndarray]) -> dict[str, LazyTensor]:
    tensors = {"model.embed_tokens.weight": lazy(stacks["embedding"][0])}
    heads = {"wq": header.heads, "wk": header.key_heads}
    for layer in range(header.layers):
        for name, stack in LAYER_NAMES.items():
            tensor = lazy(stacks[stack][layer])
            if stack in heads:
                tensor = turned(tensor, heads[stack])
            tensors[f"model.layers.{layer}.{name}.weight"] = tensor
    tensors["model.norm.weight"] = lazy(stacks["norm"][0])
    if not header.tied:
        tensors["lm_head.weight"] = lazy(stacks["head"][0])
    return tensors


def turned(tensor: LazyTensor, heads: int) -> LazyTensor:
    """Rotary rows in the order of Hugging Face's checkpoints."""
    return LazyTensor(
        tensor.shape,
        tensor.dtype,
        lambda: pairs_to_halves(np.asarray(tensor), heads),
        (tensor.identity, "halves"),
    )


def pairs_to_halves(weight: np.ndarray, heads: int) -> np.ndarray:
    """Rows so ordered that rotary pairs (2i, 2i + 1) of a head become (i, i + D/2). A copy."""
    rows, columns = weight.shape
    half = rows // heads // 2
    return weight.reshape(heads, half, 2, columns).swapaxes(1, 2).reshape(rows, columns)


def halves_to_pairs(weight: np.ndarray, heads: int) -> np.ndarray:
    """The inverse of `pairs_to_halves`."""
    rows, columns = weight.shape
    half = rows // heads // 2
    return weight.reshape(heads, 2, half, columns).swapaxes(1, 2).reshape(rows, columns)


def write(path: Path, config: Mapping[str, Any], tensors: Mapping[str, np.ndarray]) -> None:
    """Writes the legacy format; `config` and `tensors` as in a Checkpoint."""
    h = Header(
        *(
            config[key]
            for key in (
                "hidden_size",
                "intermediate_size",
                "num_hidden_layers",
                "num_attention_heads",
                "num_key_value_heads",
                "vocab_size",
                "max_position_embeddings",
            )
        ),
        tied=config["tie_word_embeddings"],
        bytes=28,
    )
    names = {"embedding": "model.embed_tokens", "norm": "model.norm", "head": "lm_head"}
    layer_names = {stack: name for name, stack in LAYER_NAMES.items()}
    heads = {"wq": h.heads, "wk": h.key_heads}
    vocabulary = h.vocabulary if h.tied else -h.vocabulary
    with path.open("wb") as file:
        file.write(
            struct.pack(
                "<7i", h.dim, h.hidden, h.layers, h.heads, h.key_heads, vocabulary, h.context
            )
        )
        for stack, count, shape in layout_legacy(h):
            for index in range(count):
                if stack == "rotary":
                    tensor = np.zeros(shape)
                elif stack in names:
                    tensor = tensors[f"{names[stack]}.weight"]
                else:
                    tensor = tensors[f"model.layers.{index}.{layer_names[stack]}.weight"]
                if stack in heads:
                    tensor = halves_to_pairs(tensor, heads[stack])
                file.write(np.ascontiguousarray(tensor, "<f4").tobytes())
