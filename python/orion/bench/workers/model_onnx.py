"""GPT-2 of random fp32 weights in onnxruntime: reads a prompt whenever a line asks for it.

Arguments: the model's config as JSON, fp32, threads. Requests as for our own worker, prefill
alone; the logits are those of the last token. Needs onnxruntime and onnx.
"""

from __future__ import annotations

import json
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import onnx  # type: ignore[import-not-found, unused-ignore]
import onnxruntime  # type: ignore[import-not-found, unused-ignore]
from onnx import TensorProto, helper, numpy_helper

CONFIG, THREADS = json.loads(sys.argv[1]), int(sys.argv[3])
WIDTH, LAYERS, HEADS = (CONFIG[name] for name in ("n_embd", "n_layer", "n_head"))
STRIDE = 7919
RANDOM = np.random.default_rng(0)


class Graph:
    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.weights: list[onnx.TensorProto] = []

    def add(self, op: str, *inputs: str, domain: str = "", **attributes: object) -> str:
        name = f"{op}_{len(self.nodes)}"
        self.nodes.append(
            helper.make_node(op, inputs, [name], name=name, domain=domain, **attributes)
        )
        return name

    def weight(self, value: np.ndarray) -> str:
        name = f"weight_{len(self.weights)}"
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def matrix(self, *shape: int) -> str:
        return self.weight(RANDOM.standard_normal(shape, np.float32) * np.float32(0.02))

    def vector(self, count: int, value: float) -> str:
        return self.weight(np.full(count, value, np.float32))

    def norm(self, x: str) -> str:
        scale, bias = self.vector(WIDTH, 1), self.vector(WIDTH, 0)
        return self.add("LayerNormalization", x, scale, bias, axis=-1, epsilon=1e-5)

    def linear(self, x: str, inner: int, outputs: int) -> str:
        product = self.add("MatMul", x, self.matrix(inner, outputs))
        return self.add("Add", product, self.vector(outputs, 0))


def gpt2() -> bytes:
    g = Graph()
    table = g.matrix(CONFIG["vocab_size"], WIDTH)
    x = g.add("Gather", table, "ids", axis=0)
    positions = g.add("Gather", g.matrix(CONFIG["n_positions"], WIDTH), "positions", axis=0)
    x = g.add("Add", x, positions)
    for _ in range(LAYERS):
        mixed = g.add(
            "Attention",
            g.norm(x),
            g.matrix(WIDTH, 3 * WIDTH),
            g.vector(3 * WIDTH, 0),
            domain="com.microsoft",
            num_heads=HEADS,
            unidirectional=1,
        )
        x = g.add("Add", x, g.linear(mixed, WIDTH, WIDTH))
        inner = g.linear(g.norm(x), WIDTH, 4 * WIDTH)
        inner = g.add("Gelu", inner, approximate="tanh")
        x = g.add("Add", x, g.linear(inner, 4 * WIDTH, WIDTH))
    last = g.add("Gather", g.norm(x), g.weight(np.array([-1], np.int64)), axis=1)
    logits = g.add("MatMul", last, g.add("Transpose", table, perm=[1, 0]))
    integers, floats = TensorProto.INT64, TensorProto.FLOAT
    graph = helper.make_graph(
        g.nodes,
        "gpt2",
        [helper.make_tensor_value_info(n, integers, [1, "n"]) for n in ("ids", "positions")],
        [helper.make_tensor_value_info(logits, floats, None)],
        g.weights,
    )
    versions = [helper.make_opsetid("", 20), helper.make_opsetid("com.microsoft", 1)]
    return bytes(helper.make_model(graph, opset_imports=versions, ir_version=9).SerializeToString())


def main() -> None:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = THREADS
    options.add_session_config_entry("session.intra_op.allow_spinning", "1")
    with tempfile.TemporaryDirectory(prefix="orion-bench-") as directory:
        path = Path(directory) / "model.onnx"
        path.write_bytes(gpt2())
        session = onnxruntime.InferenceSession(str(path), options)
    for line in sys.stdin:
        tokens = json.loads(line)["tokens"]
        ids = (np.arange(tokens, dtype=np.int64) * STRIDE % CONFIG["vocab_size"])[None]
        places = np.arange(tokens, dtype=np.int64)[None]
        begun = time.perf_counter()
        session.run(None, {"ids": ids, "positions": places})
        print(json.dumps({"rate": tokens / (time.perf_counter() - begun)}), flush=True)


main()
