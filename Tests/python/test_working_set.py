"""Bytes that a program touches: weights as stored, activations by liveness, the largest op."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

from models import make_tiny
from profiles_for_tests import CPU, M4, storing

from orion.compile import bundle
from orion.compile.working_set import working_set
from orion.ir import parse
from orion.passes import run_passes

GRAPH = """
%x = input fp32 [1, 4, 1, 32]
%w = weight fp32 [8, 4, 1, 1] key="w"
%y = linear %x %w
%z = exp %y
%t = reduce_sum %z axes=[1]
return %t
"""


def test_liveness() -> None:
    found = working_set(parse(GRAPH))
    port, wide, narrow, weight = 4 * 32 * 4, 8 * 32 * 4, 32 * 4, 8 * 4 * 4
    assert found.weights == weight
    assert found.activations == port + 2 * wide  # y and z; then z and the narrower sum
    assert (found.largest_op, found.largest_op_name) == (2 * wide, "z")
    assert port + wide + weight < 2 * wide + narrow


def test_stored_weights_count_as_they_are_stored() -> None:
    full = working_set(run_passes(parse(GRAPH), CPU))
    half = working_set(run_passes(parse(GRAPH), storing(CPU, "fp16")))
    small = working_set(run_passes(parse(GRAPH), storing(CPU, "int8")))
    assert (full.weights, half.weights, small.weights) == (128, 64, 32 + 8 * 4)
    assert full.activations == half.activations == small.activations
    assert working_set(run_passes(parse(GRAPH), M4)).activations * 2 == full.activations


def test_a_bundle_says_it_of_every_program(
    tmp_path: Path, orion: Callable[..., SimpleNamespace]
) -> None:
    bundle(make_tiny(tmp_path / "model"), M4, tmp_path / "b")
    programs = json.loads((tmp_path / "b" / "manifest.json").read_text())["programs"]
    sets = {program["name"]: program["working_set"] for program in programs}
    assert sets["layers_s32_l0"]["weights"] == sets["layers_s64_l0"]["weights"] > 0
    assert sets["layers_s32_l0"]["activations"] < sets["layers_s64_l0"]["activations"]
    told = orion("info", "--model", tmp_path / "b")
    assert told.code == 0, told.err
    line = next(line for line in told.out.splitlines() if line.startswith("  layers_s64_l0 "))
    assert f"{sets['layers_s64_l0']['activations']:,}" in line
