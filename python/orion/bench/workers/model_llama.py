"""A model of random weights in llama.cpp: decodes or reads prompts whenever a line asks for it.

Arguments: the model's config as JSON, the type of the weights (F32, F16 or Q8_0), threads.
Requests as for our own worker. Needs llama-cpp-python and gguf.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import gguf  # type: ignore[import-not-found, unused-ignore]
import llama_cpp  # type: ignore[import-not-found, unused-ignore]
import numpy as np

CONFIG, TYPE, THREADS = json.loads(sys.argv[1]), sys.argv[2], int(sys.argv[3])
STRIDE = 7919
CONTEXT = 1024


def tensors() -> dict[str, tuple[int, ...]]:
    """Names and shapes, as GGUF wants them."""
    if CONFIG["model_type"] == "gpt2":
        c, layers = CONFIG["n_embd"], CONFIG["n_layer"]
        block: dict[str, tuple[int, ...]] = {
            "attn_norm.weight": (c,),
            "attn_norm.bias": (c,),
            "attn_qkv.weight": (3 * c, c),
            "attn_qkv.bias": (3 * c,),
            "attn_output.weight": (c, c),
            "attn_output.bias": (c,),
            "ffn_norm.weight": (c,),
            "ffn_norm.bias": (c,),
            "ffn_up.weight": (4 * c, c),
            "ffn_up.bias": (4 * c,),
            "ffn_down.weight": (c, 4 * c),
            "ffn_down.bias": (c,),
        }
        outer = {"position_embd.weight": (CONFIG["n_positions"], c), "output_norm.bias": (c,)}
    else:
        c, layers, inner = (
            CONFIG[name] for name in ("hidden_size", "num_hidden_layers", "intermediate_size")
        )
        narrow = c // CONFIG["num_attention_heads"] * CONFIG["num_key_value_heads"]
        block = {
            "attn_norm.weight": (c,),
            "attn_q.weight": (c, c),
            "attn_k.weight": (narrow, c),
            "attn_v.weight": (narrow, c),
            "attn_output.weight": (c, c),
            "ffn_norm.weight": (c,),
            "ffn_gate.weight": (inner, c),
            "ffn_up.weight": (inner, c),
            "ffn_down.weight": (c, inner),
        }
        outer = {}
    return {
        "token_embd.weight": (CONFIG["vocab_size"], c),
        "output_norm.weight": (c,),
        **outer,
        **{f"blk.{i}.{name}": shape for i in range(layers) for name, shape in block.items()},
    }


def write(path: Path) -> None:
    kind = CONFIG["model_type"]
    writer = gguf.GGUFWriter(path, kind)
    if kind == "gpt2":
        width, layers, heads = (CONFIG[name] for name in ("n_embd", "n_layer", "n_head"))
        writer.add_feed_forward_length(4 * width)
        writer.add_layer_norm_eps(1e-5)
    else:
        width, layers, heads = (
            CONFIG[name] for name in ("hidden_size", "num_hidden_layers", "num_attention_heads")
        )
        writer.add_feed_forward_length(CONFIG["intermediate_size"])
        writer.add_layer_norm_rms_eps(1e-5)
        writer.add_head_count_kv(CONFIG["num_key_value_heads"])
        writer.add_rope_dimension_count(width // heads)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(width)
    writer.add_block_count(layers)
    writer.add_head_count(heads)
    writer.add_vocab_size(CONFIG["vocab_size"])
    writer.add_tokenizer_model("no_vocab")
    random = np.random.default_rng(0)
    kinds = gguf.GGMLQuantizationType
    for name, shape in tensors().items():
        if len(shape) == 1:
            value = np.full(shape, 0 if name.endswith(".bias") else 1, np.float32)
            writer.add_tensor(name, value)
            continue
        value = random.standard_normal(shape, np.float32) * np.float32(0.02)
        if TYPE == "F32" or name.startswith("position"):
            writer.add_tensor(name, value)
        elif TYPE == "F16":
            writer.add_tensor(name, value.astype(np.float16))
        else:
            packed = gguf.quants.quantize(value, kinds.Q8_0)
            writer.add_tensor(name, packed, raw_dtype=kinds.Q8_0)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


class Model:
    def __init__(self, path: Path) -> None:
        llama_cpp.llama_backend_init()
        asked = llama_cpp.llama_model_default_params()
        self.model = llama_cpp.llama_model_load_from_file(str(path).encode(), asked)
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {path}")
        how = llama_cpp.llama_context_default_params()
        how.n_ctx, how.n_batch, how.n_ubatch = CONTEXT, CONTEXT, 512
        how.n_threads = how.n_threads_batch = THREADS
        self.context = llama_cpp.llama_init_from_model(self.model, how)
        self.sampler = llama_cpp.llama_sampler_init_greedy()

    def reset(self) -> None:
        llama_cpp.llama_memory_clear(llama_cpp.llama_get_memory(self.context), True)

    def feed(self, ids: list[int]) -> None:
        row: Any = (llama_cpp.llama_token * len(ids))(*ids)
        if llama_cpp.llama_decode(self.context, llama_cpp.llama_batch_get_one(row, len(ids))):
            raise SystemExit("llama_decode failed")

    def next(self) -> int:
        return int(llama_cpp.llama_sampler_sample(self.sampler, self.context, -1))


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as directory:
        path = Path(directory) / "model.gguf"
        write(path)
        model = Model(path)
    for line in sys.stdin:
        request = json.loads(line)
        model.reset()
        tokens = request["tokens"]
        if request["work"] == "decode":
            model.feed([(i * STRIDE) % CONFIG["vocab_size"] for i in range(request["before"])])
            for _ in range(2):
                model.feed([model.next()])
        prompt = [(i * STRIDE) % CONFIG["vocab_size"] for i in range(tokens)]
        begun = time.perf_counter()
        if request["work"] == "decode":
            for _ in range(tokens):
                model.feed([model.next()])
        else:
            model.feed(prompt)
            model.next()
        print(json.dumps({"rate": tokens / (time.perf_counter() - begun)}), flush=True)


main()
