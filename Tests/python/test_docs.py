"""Every code block of the documentation does what it shows.

A page's shell and Python blocks run in their order in one directory that has what the pages take
for granted. Long ones run with fewer steps. Blocks in other languages are checked or compiled.
"""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import mil_text
import pytest
from doc_blocks import Block, blocks

from orion.runtime import check
from orion.train import Lora, Settings, Trainer, finish

ROOT = Path(__file__).resolve().parents[2]
PAGES = (
    ROOT / "README.md",
    *sorted((ROOT / "docs").glob("*.md")),
    *sorted((ROOT / "Sources").glob("*/*.docc/*.md")),
)
# The same commands with less to do: (what a page says, what runs).
SHORTER = (
    (r"--iters \d+", "--iters 4"),
    (r"--batch-size \d+", "--batch-size 2"),
    (r"\biters=\d+", "iters=4"),
    (r"--warmup \d+", "--warmup 1"),
)
# A model that `--preset config.json` begins with.
TINY = {
    "model_type": "llama",
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "vocab_size": 256,
    "max_position_embeddings": 256,
    "tie_word_embeddings": True,
}
PROGRAM = mil_text.program(
    [("x", "fp16", (1, 4, 1, 32)), ("y", "fp16", (1, 4, 1, 32))],
    '            tensor<fp16, [1, 4, 1, 32]> z = add(x = x, y = y)[name = string("z")];\n',
    ["z"],
)
PORT = "8080"
SHOWN = ("text", "console", "mermaid", "")  # what is looked at, not run


class Stage:
    """A directory with what pages take for granted, and the servers that a page starts."""

    def __init__(self, directory: Path, data: Path, adapter: Path) -> None:
        self.directory = directory
        self.servers: list[subprocess.Popen[bytes]] = []
        self.port = str(free_port())
        tools = directory / ".bin"
        tools.mkdir()
        shim = tools / "orion"
        shim.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m orion "$@"\n')
        shim.chmod(0o755)
        (tools / "python").symlink_to(sys.executable)
        self.environment = {
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT / "python"),
            "HOME": str(directory),
        }
        (directory / "stories260K").symlink_to(data / "stories260K")
        text = (data / "text/tinyshakespeare.txt").read_text()
        (directory / "shakespeare.txt").write_text(text[:60_000])
        stories = (data / "text/tinystories_sample.txt").read_text().split("<|endoftext|>")
        lines = [json.dumps({"text": each.strip()}) for each in stories[:24] if each.strip()]
        (directory / "my-stories").mkdir()
        (directory / "my-stories/train.jsonl").write_text("\n".join(lines) + "\n")
        (directory / "config.json").write_text(json.dumps(TINY))
        (directory / "model.mil").write_text(PROGRAM)
        (directory / "adapters").mkdir()
        for name in ("my-adapter", "adapters/formal", "adapters/rhymes"):
            (directory / name).symlink_to(adapter)

    def run(self, command: list[str], place: str) -> None:
        done = subprocess.run(
            command,
            cwd=self.directory,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
        assert done.returncode == 0, f"{place} failed:\n{done.stdout}\n{done.stderr}"

    def serve(self, line: str) -> None:
        """Starts a server that lives as long as the page."""
        command = [*shlex.split(line, comments=True), "--port", self.port]
        self.servers.append(
            subprocess.Popen(
                command, cwd=self.directory, env=self.environment, stderr=subprocess.DEVNULL
            )
        )
        until = time.monotonic() + 120
        while socket.socket().connect_ex(("127.0.0.1", int(self.port))) != 0:
            assert self.servers[-1].poll() is None and time.monotonic() < until, line
            time.sleep(0.1)

    def close(self) -> None:
        for server in self.servers:
            server.terminate()
            server.wait(60)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


@pytest.fixture(scope="module")
def adapter(data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An adapter of stories260K."""
    directory = tmp_path_factory.mktemp("adapter")
    (directory / "data").mkdir()
    text = (data / "text/tinystories_sample.txt").read_text()[:400]
    (directory / "data/train.jsonl").write_text(json.dumps({"text": text}) + "\n")
    settings = Settings(iters=1, batch_size=1, max_seq_length=32, steps_per_eval=0)
    with Trainer(
        data / "stories260K",
        directory / "data",
        output=directory / "run",
        device="cpu",
        lora=Lora(rank=4),
        settings=settings,
    ) as run:
        list(run.steps())
        return Path(finish(run)["model"])


@pytest.fixture
def stage(tmp_path: Path, data: Path, adapter: Path) -> Iterator[Stage]:
    made = Stage(tmp_path, data, adapter)
    yield made
    made.close()


def shell(stage: Stage, block: Block) -> None:
    """The block as one script; installations are held against the package, servers go on."""
    kept = []
    for line in shortened(block.text, stage).replace("\\\n", " ").splitlines():
        if extra := re.match(r"pip install 'orion-ane\[(\w+)\]'", line):
            assert f"\n{extra[1]} = [" in (ROOT / "python/pyproject.toml").read_text(), line
        elif line.startswith("orion serve"):
            stage.serve(line)
        else:
            kept.append(line)
    script = "set -euo pipefail\n" + "\n".join(kept)
    stage.run(["bash", "-c", script], block.place())


def python(stage: Stage, block: Block) -> None:
    stage.run([sys.executable, "-c", shortened(block.text, stage)], block.place())


def shortened(text: str, stage: Stage) -> str:
    for said, runs in SHORTER:
        text = re.sub(said, runs, text)
    return text.replace(PORT, stage.port)


def c(stage: Stage, block: Block) -> None:
    """It compiles against the header."""
    compiler = shutil.which("clang") or shutil.which("cc")
    if compiler is None:
        pytest.skip("no C compiler")
    source = stage.directory / "block.c"
    source.write_text(block.text)
    include = f"-I{ROOT / 'Sources/COrionANE/include'}"
    stage.run([compiler, "-fsyntax-only", "-Werror", include, str(source)], block.place())


def swift(stage: Stage, block: Block) -> None:
    """It stands, line for line, in a source that is built and run; without Orion it type-checks."""
    ours = re.search(r"^import (OrionANE|PackageDescription)$", block.text, re.MULTILINE)
    if not ours and (compiler := shutil.which("swiftc")):
        (stage.directory / "main.swift").write_text(block.text)
        stage.run([compiler, "-typecheck", "main.swift"], block.place())
        return
    lines = [line.strip() for line in block.text.splitlines() if line.strip()]
    sources = [*(ROOT / "Examples").rglob("*.swift"), *(ROOT / "Tests").rglob("*.swift")]
    texts = [[line.strip() for line in each.read_text().splitlines()] for each in sources]
    assert any(in_order(lines, text) for text in texts), f"{block.place()}: in no example"


def in_order(lines: list[str], text: list[str]) -> bool:
    rest = iter(text)
    return all(line in rest for line in lines)


def mil(_stage: Stage, block: Block) -> None:
    faults = [found for found in check(block.text) if found["profile"] is None]
    assert not faults, f"{block.place()}: {faults}"


def a_json(_stage: Stage, block: Block) -> None:
    json.loads(block.text)


RUNNERS: dict[str, Callable[[Stage, Block], None]] = {
    "sh": shell,
    "python": python,
    "c": c,
    "swift": swift,
    "mil": mil,
    "json": a_json,
}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_pages_blocks_run(page: Path, stage: Stage) -> None:
    for block in blocks(page):
        if block.tested_by:
            assert (ROOT / block.tested_by.split()[0]).exists(), f"{block.place()}: no such test"
        elif block.language not in SHOWN:
            assert block.language in RUNNERS, f"{block.place()}: nothing runs {block.language}"
            RUNNERS[block.language](stage, block)


def test_a_block_that_fails_is_told_with_its_place(tmp_path: Path, stage: Stage) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Page\n\n```sh\norion generate --model nowhere -p x\n```\n")
    (block,) = blocks(page)
    with pytest.raises(AssertionError, match=r"page.md:3 failed"):
        shell(stage, block)


def test_links_between_pages_lead_somewhere() -> None:
    for page in PAGES:
        for target in re.findall(r"\]\(([^)#:]+?)(?:#[^)]*)?\)", page.read_text()):
            made = target.startswith("reference/")
            assert made or (page.parent / target).exists(), f"{page.name}: no {target}"
