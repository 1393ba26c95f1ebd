"""Prefill and decode on the numpy meaning of a model's graphs, as a session does on a device."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from orion import models
from orion.ir import Arithmetic, Graph, interpret
from orion.passes import run_passes
from orion.weights import Checkpoint, LazyTensor

# By config, profile, columns and cache; a cache of None stands for the head.
GRAPHS: dict[tuple[object, ...], Graph] = {}


class NumpySession:
    """Feeds tokens through the graphs of one profile; the host's part is spelled out here."""

    def __init__(self, checkpoint: Checkpoint, profile: dict, arithmetic: Arithmetic | None = None):
        model = models.open_model(checkpoint.config, checkpoint.tensors)
        self.config, self.family, self.tensors = model.config, model.family, model.tensors
        self.profile = profile
        self.arithmetic = arithmetic or Arithmetic.of(profile)
        self.tables = {
            name: self.stored(table) if isinstance(table, str) else table
            for name, table in model.family.tables(model.config).items()
        }
        self.forbidden = -1e4 if profile["preferences"]["activation"] == "fp16" else -1e9
        self.caches: dict[str, np.ndarray] = {}
        self.filled = 0

    def stored(self, name: str) -> np.ndarray | LazyTensor:
        """A table of weights as a bundle has it: beside fp16 and int8 it is fp16."""
        if self.profile["preferences"].get("weights", "fp32") == "fp32":
            return self.tensors[name]
        return np.asarray(self.tensors[name]).astype(np.float16).astype(np.float32)

    def graph(self, columns: int, cache: int) -> Graph:
        """The layers at this size, through the passes; made once for all sessions."""
        return self.made(columns, cache, lambda: self.family.build(self.config, columns, cache))

    def head(self, columns: int) -> Graph:
        tile = self.profile["limits"]["axis_channels_max"]
        return self.made(columns, None, lambda: self.family.head(self.config, columns, tile))

    def made(self, columns: int, cache: int | None, build: Callable[[], Graph]) -> Graph:
        key = (self.config, self.profile["name"], columns, cache)
        if key not in GRAPHS:
            GRAPHS[key] = run_passes(build(), self.profile)
        return GRAPHS[key]

    def feed(self, ids: list[int], columns: int, cache: int) -> np.ndarray:
        """Logits of every id of `ids`, which go into one step. [len(ids), V]"""
        graph = self.graph(columns, cache)
        inputs = {
            node.result.name: self.fill(node["role"], node.result.type.shape, ids)
            for node in graph.inputs
        }
        outputs = interpret(graph, inputs, self.tensors, self.arithmetic)
        for output in graph.outputs:
            if output.role != "hidden":
                new = outputs[output.name][..., : len(ids)]
                old = self.caches.get(output.name, new[..., :0])
                self.caches[output.name] = np.concatenate([old, new], axis=-1)
        self.filled += len(ids)
        return self.logits(outputs["hidden"], len(ids))

    def fill(self, role: str, shape: tuple[int, ...], ids: list[int]) -> np.ndarray:
        kind, *pairs = role.split()
        facts = dict(pair.split("=") for pair in pairs)
        array = np.zeros(shape)
        count = len(ids)
        if kind == "embedding":
            array[0, :, 0, :count] = self.tables["embedding"][ids].T
        elif kind == "position_table":
            table = self.tables[facts["table"]]
            array[0, :, 0, :] = table[:1].T
            array[0, :, 0, :count] = table[self.filled : self.filled + count].T
        elif kind == "mask":
            array[:] = self.forbidden
            rows = np.arange(shape[2])[:, None]
            places = np.arange(shape[3])[None, :]
            if facts["over"] == "cache":
                array[0, 0][(rows < count) & (places < self.filled)] = 0
            elif facts["over"] == "slots":
                array[0, 0][(rows < count) & (places <= self.filled + rows)] = 0
            else:
                array[0, 0][(places <= rows) & (rows < count) | (places == rows)] = 0
        elif kind == "placement":
            array[0, 0, range(count), range(self.filled, self.filled + count)] = 1
        else:
            name = {"key_cache": "k_new_", "value_cache": "v_new_"}[kind] + facts["layer"]
            if name in self.caches:
                # Positions are columns of the new entries, and columns or rows of the cache.
                old = self.caches[name].reshape(-1, self.filled)
                if facts["axis"] == "2":
                    array[0, 0, : self.filled] = old.T
                else:
                    array[0, :, 0, : self.filled] = old
        return array

    def logits(self, hidden: np.ndarray, count: int) -> np.ndarray:
        head = self.head(hidden.shape[-1])
        tiles = interpret(head, {"x": hidden}, self.tensors, self.arithmetic)
        order = sorted(tiles, key=lambda name: int(name.split("_")[1]))
        return np.concatenate([tiles[name][0, :, 0, :count] for name in order]).T
