"""Models by their id on the hub: what is fetched, what works without a network, what is said."""

from __future__ import annotations

import errno
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hf_models import LLAMA, write_model
from hub_server import Hub, serve

from orion.weights import hub

SCRIPT = """
import sys
from orion.errors import OrionError
from orion.weights import load
try:
    checkpoint = load(sys.argv[1])
except OrionError as error:
    sys.exit(str(error))
print(checkpoint.files[0].parent)
print(checkpoint.parameters)
"""


@pytest.fixture
def server() -> Iterator[Hub]:
    pytest.importorskip("huggingface_hub")
    with serve() as started:
        yield started


def model(directory: Path) -> Path:
    from safetensors.numpy import save_file

    directory.mkdir()
    save_file({"w": np.zeros((4, 4), np.float32)}, directory / "model.safetensors")
    (directory / "config.json").write_text(json.dumps({"model_type": "llama"}))
    (directory / "tokenizer.json").write_text("{}")
    return directory


def load(name: str, home: Path, endpoint: str) -> Any:
    return run(SCRIPT, name, home=home, endpoint=endpoint)


def run(script: str, *arguments: str, home: Path, endpoint: str) -> Any:
    """In a process of its own, for the hub's library reads the environment once."""
    environment = {
        "HF_ENDPOINT": endpoint,
        "HF_HOME": str(home),
        "HF_HUB_DISABLE_XET": "1",
        "HF_HUB_DISABLE_PROGRESS_BARS": "1",
        "PYTHONPATH": ":".join(sys.path),
        "PATH": "/usr/bin:/bin",
    }
    return subprocess.run(
        [sys.executable, "-c", script, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        env=environment,
    )


def test_a_model_is_fetched_once_and_then_works_offline(server: Hub, tmp_path: Path) -> None:
    source = model(tmp_path / "source")
    for unwanted in ("pytorch_model.bin", "model.onnx", "code.py", "README.md"):
        (source / unwanted).write_bytes(b"unwanted")
    server.models["org/tiny"] = source
    home = tmp_path / "home"
    fetched = load("org/tiny", home, server.url)
    assert fetched.returncode == 0, fetched.stderr
    directory, parameters = fetched.stdout.split()
    assert parameters == "16"
    wanted = {"config.json", "model.safetensors", "tokenizer.json"}
    assert {path.name for path in Path(directory).iterdir()} == wanted
    assert set(server.downloads) == wanted
    again = load("org/tiny", home, server.url)
    assert again.stdout == fetched.stdout, again.stderr
    assert len(server.downloads) == len(wanted)
    offline = load("org/tiny", home, "http://127.0.0.1:9")
    assert offline.stdout == fetched.stdout, offline.stderr


@pytest.mark.parametrize(
    ("refusal", "reason"),
    [
        (None, "the hub has no such model, or it is private: log in"),
        ((403, "GatedRepo"), "its owner asks for consent; give it on the hub, then log in"),
        ((500, ""), "500"),
    ],
)
def test_what_the_hub_refuses_is_explained(
    server: Hub, tmp_path: Path, refusal: tuple[int, str] | None, reason: str
) -> None:
    if refusal:
        server.refusals["org/other"] = refusal
    failed = load("org/other", tmp_path / "home", server.url)
    assert failed.returncode == 1
    assert failed.stderr.startswith("org/other: cannot be fetched from the hub: ")
    assert reason in failed.stderr


def test_a_hub_that_cannot_be_reached_is_named(tmp_path: Path) -> None:
    pytest.importorskip("huggingface_hub")
    failed = load("org/other", tmp_path / "home", "http://127.0.0.1:9")
    assert failed.returncode == 1
    assert failed.stderr.startswith("org/other: cannot be fetched from the hub: ")
    assert "see whether the network is there, or name a directory" in failed.stderr


COMPILE = """
import sys
from orion.compile import cached_bundle
from profiles_for_tests import CPU
for _ in range(2):
    print(cached_bundle(sys.argv[1], CPU, sys.argv[2])[1])
"""


def test_a_bundle_is_made_of_an_id_with_one_look_at_the_hub(server: Hub, tmp_path: Path) -> None:
    server.models["org/llama"] = write_model(tmp_path / "source", LLAMA)
    done = run(COMPILE, "org/llama", str(tmp_path / "c"), home=tmp_path / "h", endpoint=server.url)
    assert done.stdout.split() == ["True", "False"], done.stderr
    assert server.listings == 2


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_named(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    library = pytest.importorskip("huggingface_hub")

    def full(*arguments: object, **more: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(library, "snapshot_download", full)
    with pytest.raises(hub.OrionError, match=r"free some space or choose another directory"):
        hub.fetch("org/name")


def test_without_the_library_the_message_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(sys.modules, "huggingface_hub", None)
    with pytest.raises(hub.OrionError, match=r"run: pip install 'orion-ane\[hub\]'"):
        hub.fetch("org/name")


@pytest.mark.parametrize("name", ["../name", "a/b/c", "/org/name", "name", "org/../x", "org/", "."])
def test_paths_are_no_ids(name: str) -> None:
    assert not hub.is_id(name)


def test_a_directory_goes_before_an_id(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from orion import weights

    (tmp_path / "org").mkdir()
    shutil.move(model(tmp_path / "source"), tmp_path / "org" / "tiny")
    monkeypatch.chdir(tmp_path)
    assert weights.load("org/tiny").parameters == 16
