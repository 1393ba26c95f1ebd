"""MIL and weights that form no program: the error says where, and nothing is left behind."""

import struct
from pathlib import Path

import numpy as np
import pytest

from orion import Device, OrionError, Program

PROGRAM = """program(1.3)
[buildInfo = dict<string, string>({{"coremlc-version", "3505.4.1"}})]
{
    func main<ios18>(tensor<fp16, [1, 4, 1, 32]> x) {
            tensor<fp16, [1, 4, 1, 32]> w = const()[name = string("w"), val = tensor<fp16, \
[1, 4, 1, 32]>(BLOBFILE(path = string("@model_path/weights.bin"), offset = uint64(64)))];
            tensor<fp16, [1, 4, 1, 32]> out = add(x = x, y = w)[name = string("out")];
        } -> (out);
}"""
BLOB = struct.pack("<II56x", 1, 2) + struct.pack("<IIQQ40x", 0xDEADBEEF, 1, 256, 128) + bytes(256)


@pytest.mark.parametrize("device", ["cpu", "sim"])
@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("} -> (out)", "} -> out)", ["model.mil:7:14", "expected"]),
        ("add(x = x", "ad(x = x", ["ad"]),
        ("add(x = x, y = w)", "add(x = x)", ["y"]),
        ("add(x = x", "add(x = z", ["z"]),
        ("[1, 4, 1, 32]> out", "[1, 4, 1, 64]> out", ["64"]),
        ("@model_path/weights.bin", "@model_path/../weights.bin", [".."]),
        ("@model_path/weights.bin", "/etc/passwd", ["/etc/passwd"]),
        ("uint64(64)", "uint64(4096)", ["4096"]),
        ("uint64(64)", "uint64(65)", ["65"]),
        ("uint64(64)", "uint64(18446744073709551615)", ["18446744073709551615"]),
        ("program(1.3)", "program(9.9)", ["9.9"]),
    ],
)
def test_a_program_that_is_none_says_where(
    tmp_path: Path, device: str, old: str, new: str, words: list[str]
) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(BLOB)
    assert old in PROGRAM
    opened = Device(device, cache_dir=tmp_path / "cache")
    kept = Program(opened, PROGRAM, weights)
    before = sorted(path for path in (tmp_path / "cache").rglob("*") if path.is_file())
    with pytest.raises(OrionError) as failure:
        Program(opened, PROGRAM.replace(old, new), weights)
    for word in words:
        assert word in str(failure.value)
    after = [path for path in (tmp_path / "cache").rglob("*") if path.is_file()]
    assert [path for path in after if path not in before and ".tmp" in path.name] == []
    assert opened.counters()["loaded_programs"] == 1
    assert kept.run([np.zeros((1, 4, 1, 32))])


def test_a_weight_file_of_another_format_is_named(tmp_path: Path) -> None:
    weights = tmp_path / "weights.bin"
    weights.write_bytes(b"PK\3\4" + bytes(400))
    with pytest.raises(OrionError, match=r"weights\.bin"):
        Program(Device("cpu"), PROGRAM, weights)
