"""Llama's graphs against a reference of its own and against llama2.c's recorded tokens."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy_session import NumpySession
from profiles_for_tests import CPU, M4
from reference_llama import ReferenceLlama

from orion import models, weights
from orion.ir import Arithmetic, interpret, verify
from orion.models import llama
from orion.passes import run_passes
from orion.weights import Checkpoint

# The lead from which fp16 must not change the choice.
MARGIN = 0.03


@pytest.fixture(scope="module")
def checkpoint(stories: Path) -> Checkpoint:
    return weights.load(stories)


def test_fp32_logits_are_the_references(stories: Path, checkpoint: Checkpoint, cases: Any) -> None:
    ids = (cases[0]["prompt_ids"] + cases[0]["new_ids"])[:60]
    expected = ReferenceLlama(stories / "stories260K.bin").logits(ids)
    session = NumpySession(checkpoint, CPU)
    at_once = session.feed(ids, 64, 0)
    assert np.abs(at_once - expected).max() < 1e-4

    session = NumpySession(checkpoint, CPU)
    rows = [session.feed(ids[:20], 32, 0), session.feed(ids[20:50], 32, 128)]
    rows += [session.feed([token], 1, 128) for token in ids[50:]]
    assert np.abs(np.concatenate(rows) - expected).max() < 1e-4


@pytest.mark.parametrize(("case", "count"), [(0, 196), (1, 30), (2, 30), (3, 30), (4, 30)])
def test_greedy_tokens_are_the_references(
    checkpoint: Checkpoint, cases: Any, case: int, count: int
) -> None:
    prompt, expected = cases[case]["prompt_ids"], cases[case]["new_ids"][:count]
    session = NumpySession(checkpoint, CPU)
    logits = session.feed(prompt, 32, 0)
    found = []
    for _ in expected:
        found.append(int(logits[-1].argmax()))
        logits = session.feed(found[-1:], 1, 256)
    assert found == expected


def misses(logits: np.ndarray, case: Any) -> list[tuple[int, float]]:
    """Positions where the choice is not the reference's though its lead counts."""
    chosen = logits[len(case["prompt_ids"]) - 1 :].argmax(axis=1)
    rows = zip(chosen, case["new_ids"], case["margins"], strict=True)
    return [(i, lead) for i, (a, b, lead) in enumerate(rows) if a != b and lead > MARGIN]


@pytest.mark.parametrize("case", range(5))
def test_fp16_keeps_every_clear_choice(checkpoint: Checkpoint, cases: Any, case: int) -> None:
    ids = cases[case]["prompt_ids"] + cases[case]["new_ids"][:-1]
    at_once = NumpySession(checkpoint, M4).feed(ids, 256, 0)
    assert misses(at_once, cases[case]) == []
    session = NumpySession(checkpoint, M4)
    pieces = [session.feed(ids[:32], 32, 0)]
    pieces += [session.feed(ids[i : i + 32], 32, 256) for i in range(32, len(ids), 32)]
    assert misses(np.concatenate(pieces), cases[case]) == []


def test_fp16_decode_is_one_token_a_step(checkpoint: Checkpoint, cases: Any) -> None:
    case = cases[3]
    ids = case["prompt_ids"] + case["new_ids"][:-1]
    session = NumpySession(checkpoint, M4)
    rows = [session.feed(ids[:20], 32, 0)]
    rows += [session.feed([token], 32, 128) for token in ids[20:80]]
    chosen = np.concatenate(rows)[len(case["prompt_ids"]) - 1 :].argmax(axis=1)
    clear = np.array(case["margins"])[: len(chosen)] > MARGIN
    assert (chosen == case["new_ids"][: len(chosen)])[clear].all()


def tiny_tensors(config: llama.Config) -> dict[str, np.ndarray]:
    random = np.random.RandomState(0)
    return {
        name: random.standard_normal(shape).astype(np.float32) * shape[-1] ** -0.5
        for name, shape in llama.shapes(config).items()
    }


def test_layers_in_pieces_give_the_same() -> None:
    config = llama.TINY
    tensors = tiny_tensors(config)
    whole = llama.build(config, 32, 0)
    values = {
        node.result.name: np.random.RandomState(1).standard_normal(node.result.type.shape)
        for node in whole.inputs
    }
    expected = interpret(whole, values, tensors)["hidden"]
    for layer in range(config.layers):
        part = llama.build(config, 32, 0, [layer])
        verify(part)
        role = "embedding table=embedding" if layer == 0 else "hidden"
        assert part.walk("input")[0]["role"] == role
        values["x"] = interpret(part, values, tensors)["hidden"]
    np.testing.assert_allclose(values["x"], expected, rtol=1e-12)


@pytest.mark.parametrize("tied", [True, False])
def test_head_in_tiles_gives_the_same(tied: bool) -> None:
    config = replace(llama.TINY, tie_word_embeddings=tied)
    tensors = tiny_tensors(config)
    assert ("lm_head.weight" in tensors) is not tied
    x = {"x": np.random.RandomState(1).standard_normal((1, config.hidden_size, 1, 32))}
    whole = interpret(llama.head(config, 32, 1 << 16), x, tensors)
    tiles = llama.head(config, 32, 100)
    assert [output.role for output in tiles.outputs] == [
        "logits first=0",
        "logits first=100",
        "logits first=200",
    ]
    parts = interpret(run_passes(tiles, M4), x, tensors, Arithmetic("exact"))
    joined = np.concatenate([parts[f"logits_{i}"] for i in range(3)], axis=1)
    np.testing.assert_allclose(joined, whole["logits_0"], rtol=1e-3, atol=1e-3)


def test_columns_of_zeros_stay_finite(checkpoint: Checkpoint) -> None:
    # Columns that a step does not use hold zeros, and must not become NaN in fp16.
    session = NumpySession(checkpoint, M4)
    graph = session.graph(32, 0)
    inputs = {n.result.name: session.fill(n["role"], n.result.type.shape, []) for n in graph.inputs}
    for array in interpret(graph, inputs, checkpoint.tensors, Arithmetic.of(M4)).values():
        assert np.isfinite(array).all()


def test_rotations_are_those_of_float64() -> None:
    tables = llama.tables(llama.TINY)
    cos, sin = tables["rope_cos"], tables["rope_sin"]
    assert isinstance(cos, np.ndarray)
    assert isinstance(sin, np.ndarray)
    assert cos.shape == sin.shape == (llama.TINY.context, llama.TINY.head_dim // 2)
    angle = 77 * 10000.0 ** (-2 * 3 / llama.TINY.head_dim)
    assert cos[77, 3] == np.float32(np.cos(angle))
    assert sin[77, 3] == np.float32(np.sin(angle))


def test_family_is_found_by_its_file() -> None:
    assert models.find("llama") is llama
    with pytest.raises(
        Exception, match="model type 'mamba' is not known; known: gpt2, llama, qwen2, qwen3"
    ):
        models.find("mamba")
