"""Every pass by text: Tests/filetests/passes/<pass>.orion holds graphs and what becomes of them.

    ; test pass drop_dead_nodes        the pass; `; profile NAME` on the next line, else m4-macos15

    ; Why this case is here.
    graph case
    ...
    ; expect:
    ; graph case                       or `; error: message`
    ; ...

The graph before and after also runs in numpy on the same numbers. ORION_BLESS=1 writes the
expectations and fails, so that someone reads the difference.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
from profiles_for_tests import BY_NAME, CPU, M4
from random_graphs import random_graph

from orion.errors import OrionError
from orion.ir import Graph, VerifyError, interpret, parse, to_text
from orion.passes import PIPELINE, run_passes

FILES = Path(__file__).resolve().parents[1] / "filetests" / "passes"
PASSES = {rewrite.__name__: rewrite for rewrite in PIPELINE}

# file: how far off its pass may be, relatively
INEXACT = {
    "store_weights.cpu_int8": 1e-2,
    "store_weights.narrow_int8": 1e-2,
    "decompose_gelu.tanh": 1e-3,
}


@dataclass
class Case:
    comments: list[str] = field(default_factory=list)
    graph: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)


def read(path: Path) -> tuple[list[str], list[Case]]:
    """The header's lines and the cases, which stand between empty lines."""
    header, *blocks = path.read_text().strip().split("\n\n")
    cases = []
    for block in blocks:
        case = Case()
        for line in block.strip().splitlines():
            if line == "; expect:" or case.expected:
                case.expected.append(line)
            elif line.startswith(";"):
                case.comments.append(line)
            else:
                case.graph.append(line)
        cases.append(case)
    return header.splitlines(), cases


def outcome(name: str, text: str, profile: dict, relative: float) -> list[str]:
    graph = parse(text)
    try:
        run_passes(graph, profile, [PASSES[name]])
    except OrionError as error:
        return [f"error: {error}"]
    same_meaning(parse(text), graph, relative)
    return to_text(graph).splitlines()


def same_meaning(before: Graph, after: Graph, relative: float = 1e-6) -> None:
    random = np.random.RandomState(0)
    values, tensors = {}, {}
    for node in before.nodes:
        if node.op in ("input", "weight"):
            array = random.uniform(0.5, 1.5, node.result.type.shape)
            holder = values if node.op == "input" else tensors
            holder[node.result.name if node.op == "input" else node["key"]] = array
    seen = values
    if "placement" in {node["role"] for node in after.inputs}:
        values, seen = placed(before, values)
    for node in after.inputs:
        if (node["role"] or "").endswith("_cache layer=0 axis=2"):
            # What was [1, C, 1, L].
            name = node.result.name
            seen = {**seen, name: values[name].transpose(0, 2, 3, 1)}
        if (node["role"] or "").startswith("adapter "):
            # No adapter: both say what the model says alone.
            seen = {**seen, node.result.name: np.zeros(node.result.type.shape)}
    expected, found = interpret(before, values, tensors), interpret(after, seen, tensors)
    assert expected.keys() == found.keys()
    for name, array in expected.items():
        np.testing.assert_allclose(found[name], array, rtol=relative, atol=1e-7)


def placed(graph: Graph, values: dict) -> tuple[dict, dict]:
    """Inputs of a step over a cache with room, and those of one that places its columns there."""
    masks = {node["role"]: node.result for node in graph.inputs}
    over_cache, over_new = masks["mask over=cache"], masks["mask over=new"]
    _, _, columns, length = over_cache.type.shape
    filled = length - columns - 3
    before = dict(values)
    before[over_cache.name][..., filled:] = -1e9
    for node in graph.walk("attention"):
        for cached in node.operands[1:3]:
            before[cached.name][..., filled:] = 0
    placement = np.zeros((1, 1, columns, length))
    mask = np.full((1, 1, columns, length), -1e9)
    for column in range(columns):
        placement[0, 0, column, filled + column] = 1
    mask[..., :filled] = before[over_cache.name][..., :filled]
    mask[..., filled : filled + columns] = before[over_new.name]
    return before, {**before, "placement": placement, "mask": mask}


@pytest.mark.parametrize("path", sorted(FILES.glob("*.orion")), ids=lambda path: path.stem)
def test_file(path: Path) -> None:
    header, cases = read(path)
    name = path.stem.split(".")[0]
    assert header[0] == f"; test pass {name}"
    profile = BY_NAME[header[1].removeprefix("; profile ")] if len(header) > 1 else M4
    assert cases
    found = []
    for case in cases:
        result = outcome(name, "\n".join(case.graph), profile, INEXACT.get(path.stem, 1e-6))
        found.append(["; expect:", *(f"; {line}" for line in result)])
    if os.environ.get("ORION_BLESS") and found != [case.expected for case in cases]:
        blocks = [
            "\n".join(case.comments + case.graph + new)
            for case, new in zip(cases, found, strict=True)
        ]
        path.write_text("\n".join(header) + "\n\n" + "\n\n".join(blocks) + "\n")
        pytest.fail(f"wrote new expectations to {path.name}: read the difference, then run again")
    for case, new in zip(cases, found, strict=True):
        assert new == case.expected, "run with ORION_BLESS=1 to write what it makes now"


def test_every_pass_has_a_file() -> None:
    assert {path.stem.split(".")[0] for path in FILES.glob("*.orion")} >= set(PASSES)


def test_a_pass_that_breaks_a_graph_is_named() -> None:
    def drop_everything(graph: Graph, profile: object) -> None:
        graph.nodes.clear()

    graph = parse("%a = input fp32 [2]\nreturn %a")
    with pytest.raises(VerifyError, match="after drop_everything: output a is %a"):
        run_passes(graph, CPU, [drop_everything])


@pytest.mark.parametrize("seed", range(60))
def test_pipeline_keeps_the_meaning_of_random_graphs(seed: int) -> None:
    text = to_text(random_graph(seed, (1, 4, 2, 32)))
    assert to_text(parse(text)) == text
    for profile in (CPU, M4):
        after = run_passes(parse(text), profile)
        if profile is CPU:
            same_meaning(parse(text), after)
        else:
            assert not after.walk("rms_norm", "identity", "rsqrt")
            assert all(v.type.dtype == "fp16" for node in after.nodes for v in node.results)
