"""The Swift examples: their texts are those of Python's `generate`, from the same bundle.

Skipped unless ORION_SWIFT_PROGRAMS names the directory with the built programs, as
scripts/test-examples does.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from test_adapters import make

import orion as package
from orion.compile import AdapterRoom, bundle
from orion.generate import Model
from orion.runtime import profile

PROGRAMS = os.environ.get("ORION_SWIFT_PROGRAMS")
pytestmark = pytest.mark.skipif(not PROGRAMS, reason="ORION_SWIFT_PROGRAMS names no built programs")

TARGETS = ("q_proj", "v_proj", "down_proj")
PROMPTS = ["Once upon a time", "Lily saw a big red 😀 ball. ", "\n", " The dog", ""]
# Options of ChatTerminal, and of Python's `generate`.
WAYS: list[tuple[list[str], dict[str, Any]]] = [
    ([], {}),
    (["--temp", "0.9", "--top-p", "0.9", "--seed", "7"], {"temp": 0.9, "top_p": 0.9, "seed": 7}),
    (["--temp", "2", "--seed", "11"], {"temp": 2.0, "seed": 11}),
    (["--stop", ".", "--stop", "the"], {"stop": [".", "the"]}),
    (["--stop", "zebra"], {"stop": "zebra"}),
]


def run(program: str, *arguments: object, said: str = "") -> SimpleNamespace:
    done = subprocess.run(
        [str(Path(PROGRAMS or "") / program), *map(str, arguments)],
        input=said.encode(),
        capture_output=True,
        timeout=300,
        check=False,
    )
    return SimpleNamespace(code=done.returncode, out=done.stdout.decode(), err=done.stderr.decode())


@pytest.fixture(scope="module")
def compiled(stories: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    directory = tmp_path_factory.mktemp("bundle") / "stories.bundle"
    bundle(stories, profile("cpu"), directory, adapters=AdapterRoom(4, TARGETS))
    return directory


@pytest.fixture(scope="module")
def model(compiled: Path) -> Iterator[Model]:
    with package.load(compiled, "cpu") as model:
        yield model


@pytest.fixture
def red(stories: Path, tmp_path: Path) -> Path:
    return make(stories, tmp_path / "red", TARGETS)


def continuation(model: Model, prompt: str, max_tokens: int, **options: Any) -> str:
    pieces = list(model.stream(prompt, max_tokens, **options))
    return "".join(piece.text for piece in pieces[1:])


def test_ten_lines_continue_a_text(compiled: Path, model: Model) -> None:
    for prompt in PROMPTS[:3]:
        found = run("TenLines", compiled, prompt)
        assert (found.code, found.out) == (0, continuation(model, prompt, 256) + "\n")
    assert run("TenLines", compiled).out == continuation(model, PROMPTS[0], 256) + "\n"


@pytest.mark.parametrize(("arguments", "options"), WAYS, ids=lambda way: "-".join(map(str, way)))
def test_the_terminals_answers_are_pythons(
    compiled: Path, model: Model, arguments: list[str], options: dict[str, Any]
) -> None:
    for prompt in PROMPTS:
        found = run(
            "ChatTerminal", compiled, "--device", "cpu", "--max-tokens", 60, "--prompt", prompt,
            *arguments,
        )  # fmt: skip
        assert found.out == continuation(model, prompt, 60, **options) + "\n", found.err
        assert "tokens/s]" in found.err


def test_an_adapter_answers_by_name(compiled: Path, model: Model, red: Path) -> None:
    plain = continuation(model, PROMPTS[0], 30)
    model.open_adapter("red", red)
    model.use_adapter("red")
    adapted = continuation(model, PROMPTS[0], 30)
    model.close_adapter("red")
    assert adapted != plain
    said = f"{PROMPTS[0]}\n/reset\n/adapter red\n{PROMPTS[0]}\n/device\n/adapter blue\n/quit\n"
    arguments = (compiled, "--device", "cpu", "--max-tokens", 30, "--adapter", f"red={red}")
    found = run("ChatTerminal", *arguments, said=said)
    assert (found.code, found.out) == (0, f"{plain}\n{adapted}\n")
    assert 'adapter "blue": not open; open are red' in found.err


def test_turns_are_one_running_text(compiled: Path, model: Model) -> None:
    first = continuation(model, PROMPTS[0], 20)
    second = continuation(model, PROMPTS[0] + first + " The cat", 20)
    said = f"{PROMPTS[0]}\n The cat\n"
    found = run("ChatTerminal", compiled, "--max-tokens", 20, said=said)
    assert found.out == f"{first}\n{second}\n"


def test_what_cannot_be_opened_is_named(
    compiled: Path, data: Path, tmp_path: Path, red: Path
) -> None:
    newer = shutil.copytree(compiled, tmp_path / "newer")
    manifest = json.loads((newer / "manifest.json").read_text())
    (newer / "manifest.json").write_text(json.dumps({**manifest, "format": 99}))
    headless = shutil.copytree(compiled, tmp_path / "headless")
    (headless / "tok512.bin").write_bytes(b"\0" * 100)
    other = make(data / "golden" / "llama-tiny-gqa", tmp_path / "other", ("q_proj",))
    rows: list[tuple[list[object], int, str]] = [
        ([newer], 1, "99"),
        ([headless], 1, "tok512.bin"),
        ([tmp_path / "missing"], 1, "missing: not a directory"),
        ([compiled, "--device", "m4"], 1, 'device "m4": unknown'),
        ([compiled, "--device", "sim"], 1, "profile"),
        ([compiled, "--adapter", f"x={other}"], 1, "q_proj"),
        ([compiled, "--adapter", f"x={tmp_path}"], 1, "adapter_config.json"),
        ([compiled, "--use", "blue"], 1, 'adapter "blue": not open'),
        ([compiled, "--seed", "many"], 2, "--seed many: no number"),
        ([compiled, "--temperature", "1"], 2, "--temperature: no such option"),
        ([], 2, "name a bundle"),
    ]
    for arguments, code, message in rows:
        found = run("ChatTerminal", *arguments, "--prompt", "Once")
        assert (found.code, found.out) == (code, ""), found.err
        assert message in found.err
    found = run("ChatTerminal", compiled, "--prompt", "Once " * 600)
    assert (found.code, found.out) == (1, "\n")
    assert "do not fit into 512" in found.err
