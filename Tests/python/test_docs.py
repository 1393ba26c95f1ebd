"""What the documentation shows in Python runs."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np


def test_the_oracles_example_runs(root: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "compiler.md").read_text(), re.S)
    found: dict[str, object] = {}
    exec(code, found)
    exact, rounded = found["exact"], found["as_the_engine"]
    assert isinstance(exact, dict) and isinstance(rounded, dict)
    assert exact.keys() == rounded.keys() == {"hidden", "k_new_0", "v_new_0"}
    np.testing.assert_allclose(rounded["hidden"], exact["hidden"], atol=1e-2)
    assert "linear" in str(found["text"])


def test_the_gradients_example_runs(root: Path) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", (root / "docs" / "gradients.md").read_text(), re.S)
    found: dict[str, object] = {}
    exec(code, found)
    assert isinstance(found["found"], np.ndarray)
