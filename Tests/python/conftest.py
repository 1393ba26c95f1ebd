"""What every test shares: test data, a cache of its own, the command line; knows no numbers."""

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import openai
    from serving import Serving

    from orion.generate import Model

ROOT = Path(__file__).resolve().parents[2]
DATA = Path(os.environ.get("ORION_TEST_DATA") or ROOT.parent / "shared" / "data")


@pytest.fixture(scope="session", autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A cache directory of this run, so that no test sees what another run compiled."""
    directory = tmp_path_factory.mktemp("cache")
    before = os.environ.get("ORION_CACHE")
    os.environ["ORION_CACHE"] = str(directory)
    yield directory
    if before is None:
        del os.environ["ORION_CACHE"]
    else:
        os.environ["ORION_CACHE"] = before


@pytest.fixture(scope="session")
def root() -> Path:
    return ROOT


@pytest.fixture(scope="session")
def data() -> Path:
    """The shared test data; absent, its tests are skipped aloud, and in CI they fail."""
    if not DATA.is_dir():
        message = f"no test data at {DATA}; set ORION_TEST_DATA"
        if os.environ.get("CI") == "true":
            pytest.fail(message)
        pytest.skip(message)
    return DATA


@pytest.fixture(scope="session")
def stories(data: Path) -> Path:
    """A real pretrained Llama of 260 thousand parameters."""
    return data / "stories260K"


@pytest.fixture(scope="session")
def cases(stories: Path) -> list[dict[str, Any]]:
    """Prompts with the continuation that llama2.c gives."""
    found: list[dict[str, Any]] = json.loads((stories / "expected.json").read_text())["cases"]
    return found


@pytest.fixture(scope="module")
def model(stories: Path) -> "Iterator[Model]":
    """That one on `cpu`, ready to generate."""
    import orion as package

    with package.load(stories, "cpu") as opened:
        yield opened


@pytest.fixture(scope="module")
def plain() -> dict[str, str]:
    """What the model says to a module's prompts before it is served; without any, nothing."""
    return {}


@pytest.fixture(scope="module")
def serving(model: "Model", plain: dict[str, str]) -> "Iterator[Serving]":
    from serving import Serving

    with Serving(model) as running:
        yield running


@pytest.fixture(scope="module")
def client(serving: "Serving") -> "openai.OpenAI":
    return serving.client()


@pytest.fixture(scope="session")
def task(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A config.json, and data that it learns from in some dozen steps."""
    from training_cases import write_task

    return write_task(tmp_path_factory.mktemp("task"))


@pytest.fixture
def orion() -> Callable[..., SimpleNamespace]:
    """Runs `orion ARGUMENTS` in a process of its own: what it printed and how it ended."""

    def run(*arguments: object, **environment: str) -> SimpleNamespace:
        done = subprocess.run(
            [sys.executable, "-m", "orion", *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
            env={**os.environ, **environment},
        )
        return SimpleNamespace(code=done.returncode, out=done.stdout, err=done.stderr)

    return run


# How many random cases of each op ran where: (op, device) -> cases.
OP_COUNTS: Counter[tuple[str, str]] = Counter()


@pytest.fixture(scope="session")
def op_counts() -> Counter[tuple[str, str]]:
    return OP_COUNTS


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Prints a line for each op that was compared."""
    if not OP_COUNTS:
        return
    columns = sorted({column for _, column in OP_COUNTS})
    terminalreporter.section("random cases by op")
    for op in sorted({op for op, _ in OP_COUNTS}):
        counts = "  ".join(f"{column} {OP_COUNTS[op, column]}" for column in columns)
        terminalreporter.write_line(f"{op:40s} {counts}")
    totals = "  ".join(
        f"{column} {sum(n for (_, where), n in OP_COUNTS.items() if where == column)}"
        for column in columns
    )
    ops = len({op for op, _ in OP_COUNTS})
    terminalreporter.write_line(f"{ops} ops: {totals}")
