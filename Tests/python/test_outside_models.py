"""Families from outside of the package: registered, installed, refused, and their bundles."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from orion import models
from orion.errors import OrionError, UsageError
from orion.models.parts import outside

EXAMPLE = ("Examples", "python", "parallel_llama.py")


def test_what_a_family_lacks_is_named() -> None:
    module = ModuleType("half")
    module.build = print  # type: ignore[attr-defined]
    with pytest.raises(UsageError, match=r"half: as the family of 'x' .* lacks read_config, head,"):
        models.register("x", module)
    assert "x" not in models.known()


def test_unknown_types_are_told_how_to_become_known() -> None:
    with pytest.raises(OrionError, match=r"'x' is not known; .*orion\.models\.register"):
        models.find("x")


def test_families_of_the_package_are_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    llama = models.find("llama")
    monkeypatch.setattr(outside, "_registered", {})
    with pytest.raises(UsageError, match="'llama' is a family of Orion's own"):
        models.register("llama", llama)
    models.register("mine", llama)
    assert models.find("mine") is llama and "mine" in models.known()
    assert models.digest("llama") is None and len(models.digest("mine") or "") == 64


@pytest.fixture
def installed(root: Path, tmp_path: Path) -> dict[str, str]:
    """The environment of a process beside which a package with a family is installed."""
    place = tmp_path / "site"
    info = place / "parallel-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: parallel\nVersion: 1.0\n")
    (info / "entry_points.txt").write_text("[orion.models]\nparallel_llama = their_llama\n")
    (place / "their_llama.py").write_text(root.joinpath(*EXAMPLE).read_text())
    paths = [str(place), os.environ.get("PYTHONPATH", "")]
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, paths))}


def test_installed_families_work_on_the_command_line(
    tmp_path: Path, installed: dict[str, str]
) -> None:
    """And another version of the family's file makes other bundles."""
    config = {
        "model_type": "parallel_llama",
        "hidden_size": 32,
        "intermediate_size": 64,
        "num_hidden_layers": 1,
        "num_attention_heads": 2,
        "vocab_size": 256,
        "max_position_embeddings": 64,
        "tie_word_embeddings": True,
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "text").write_text("one two three four. " * 60)
    orion(installed, "data", tmp_path / "text", "--bytes", "-o", tmp_path / "data")
    words = ["train", "--preset", tmp_path / "config.json", "--data", tmp_path / "data"]
    options = ["--iters", 2, "--max-seq-length", 32, "--device", "cpu", "-o", tmp_path / "run"]
    model = orion(installed, *words, *options).strip()
    generate = ["generate", "--model", model, "--prompt", "one", "-m", 4, "--json"]
    cache = {**installed, "ORION_CACHE": str(tmp_path / "cache")}
    bundles = tmp_path / "cache" / "bundles"
    family = tmp_path / "site" / "their_llama.py"
    for added, expected in (("", 1), ("", 1), ("# changed\n", 2)):
        family.write_text(family.read_text() + added)
        orion(cache, *generate)
        assert len(list(bundles.glob("*/manifest.json"))) == expected


def orion(environment: dict[str, str], *words: object) -> str:
    done = subprocess.run(
        [sys.executable, "-m", "orion", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
