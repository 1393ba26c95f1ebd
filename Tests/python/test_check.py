"""scripts/check passes on this tree, and finds each fault that is planted in a small one."""

import subprocess
import sys
from pathlib import Path

import pytest

CLEAN = {
    "Sources/OrionANE/Device.swift": "import ANESimulator\n\n/// One.\npublic struct Device {}\n",
    "Sources/OrionANE/Apple/Messages.swift": 'import Glibc\n\nlet client = "_ANEClient"\n',
    "Sources/ANESimulator/World.swift": "import MILEngine\n",
    "python/orion/passes/fold.py": '"""Fold constants."""\n\nfrom ..ir.graph import Graph\n',
    "python/orion/cli/main.py": '"""Run."""\n\nfrom orion import __version__, generate\n',
    "Tests/python/test_fold.py": '"""Folding."""\n\n\ndef test_folds() -> None:\n    assert 1\n',
    "Tests/MILEngineTests/FoldTests.swift": "@Test func folds() { #expect(1 == 1) }\n",
}

# A file, what it holds, what the check says.
FAULTS = [
    ("Sources/MILEngine/A.swift", "import Foundation\n", "imports no Foundation"),
    ("Sources/MILEngine/A.swift", "import FoundationEssentials\n", "imports no Foundation"),
    ("Sources/MILEngine/A.swift", 'let a = "_ANEClient"\n', "private names"),
    ("python/orion/ir/a.py", '"""A."""\n\nA = "_ANEClient"\n', "private names"),
    ("Sources/MILEngine/A.swift", "import ANESimulator\n", "must not import ANESimulator"),
    ("Sources/ANESimulator/A.swift", "@testable import OrionANE\n", "must not import OrionANE"),
    ("Sources/OrionANE/Apple/A.swift", "import MILEngine\n", "must not import MILEngine"),
    ("Sources/OrionANE/Apple/A.swift", "import ANESimulator\n", "must not import ANESimulator"),
    ("Sources/CKernels/A.swift", "import struct MILEngine.Value\n", "must not import MILEngine"),
    ("Sources/MILEngine/A.swift", "import Dispatch\n", "must not import Dispatch"),
    ("Sources/MILEngine/A.swift", "func f() { fatalError() }\n", "ends the user's Python"),
    ("Sources/MILEngine/A.swift", "func f(_ a: Span<Int>) {}\n", "macOS 15"),
    (
        "python/orion/ir/a.py",
        '"""A."""\n\nfrom orion.runtime import Device\n',
        "import orion.runtime",
    ),
    ("python/orion/ir/a.py", '"""A."""\n\nfrom ..runtime import Device\n', "import orion.runtime"),
    ("python/orion/ir/a.py", '"""A."""\n\nimport orion.compile\n', "import orion.compile"),
    (
        "python/orion/runtime/a.py",
        '"""A."""\n\nfrom orion import compile\n',
        "import orion.compile",
    ),
    ("python/orion/new/a.py", '"""A."""\n', "no row for new"),
    ("python/orion/ir/a.py", "A = 1\n", "no sentence"),
    ("python/orion/ir/a.py", '"""A."""\n\nA = "/ro' + 'ot/model"\n', "path of one machine"),
    ("python/orion/ir/a.py", '"""A."""\n\n# TO' + "DO: more\n", "unfinished"),
    ("python/orion/ir/a.py", '"""A."""\n' + "A = 1\n" * 501, "split it"),
    ("python/orion/ir/a.py", '"""A."""\n\n\ndef f():\n' + "    f()\n" * 71, "f has 72 lines"),
    ("Tests/python/test_a.py", '"""A."""\n\n\ndef test_a():\n    print()\n', "asserts nothing"),
    ("Tests/MILEngineTests/A.swift", "@Test func a() { print(1) }\n", "test a expects nothing"),
]


def check(root: Path, script: Path) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        [sys.executable, str(script), "--root", str(root)],
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in CLEAN.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_this_tree_passes(root: Path) -> None:
    done = check(root, root / "scripts/check")
    assert done.returncode == 0, done.stdout


def test_a_clean_tree_passes(root: Path, tree: Path) -> None:
    done = check(tree, root / "scripts/check")
    assert (done.returncode, done.stdout) == (0, f"check: {len(CLEAN)} files, 0 faults\n")


def test_an_empty_tree_fails(root: Path, tmp_path: Path) -> None:
    assert check(tmp_path, root / "scripts/check").returncode == 1


@pytest.mark.parametrize(("name", "text", "expected"), FAULTS)
def test_a_fault_is_found(root: Path, tree: Path, name: str, text: str, expected: str) -> None:
    (tree / name).parent.mkdir(parents=True, exist_ok=True)
    (tree / name).write_text(text)
    done = check(tree, root / "scripts/check")
    assert done.returncode == 1
    assert name in done.stdout
    assert expected in done.stdout
