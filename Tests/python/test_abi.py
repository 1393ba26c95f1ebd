"""The header, the library's symbols and Python's declarations are one list, name by name."""

import ctypes
import re
import subprocess
import sys
from pathlib import Path

import pytest

from orion.errors import OrionError
from orion.runtime import abi
from orion.runtime.tensor import NUMBERS

C_TYPES = {
    "void": None,
    "bool": ctypes.c_bool,
    "int32_t": ctypes.c_int32,
    "uint32_t": ctypes.c_uint32,
    "int64_t": ctypes.c_int64,
    "uint64_t": ctypes.c_uint64,
    "size_t": ctypes.c_size_t,
    "float": ctypes.c_float,
    "double": ctypes.c_double,
    "char *": ctypes.c_char_p,
    "void *": ctypes.c_void_p,
    "orion_status": abi.STATUS,
    "orion_judge": abi.JUDGE,
    "orion_handle": abi.HANDLE,
    "orion_device_options": abi.DeviceOptions,
    "orion_sampling": abi.Sampling,
    "orion_speculation": abi.Speculation,
    "orion_kernel_matrix": abi.KernelMatrix,
    "orion_adamw_options": abi.AdamWOptions,
}


def c_type(spelling: str) -> object:
    spelling = re.sub(r"\bconst\b", "", spelling)
    spelling = re.sub(r"\s*\*", " *", " ".join(spelling.split()))
    if spelling in C_TYPES:
        return C_TYPES[spelling]
    assert spelling.endswith("*"), spelling
    return ctypes.POINTER(c_type(spelling[:-1].strip()))


def split_declaration(text: str) -> tuple[str, str]:
    """`const char *name` as its type and its name."""
    matched = re.fullmatch(r"\s*(.*?)(\w+)\s*", text, re.DOTALL)
    assert matched, text
    return matched[1].strip(), matched[2]


@pytest.fixture(scope="module")
def header(root: Path) -> str:
    text = (root / "Sources/COrionANE/include/orion_ane.h").read_text()
    return re.sub(r"//[^\n]*", "", text)


def header_functions(header: str) -> list[tuple[str, object, list[object]]]:
    found = []
    for result, name, parameters in re.findall(
        r"^([\w \*]+?)(orion_\w+)\(([^)]*)\);", header, re.MULTILINE
    ):
        each = [] if parameters.strip() == "void" else parameters.split(",")
        types = [c_type(split_declaration(parameter)[0]) for parameter in each]
        found.append((name, c_type(result), types))
    return found


def test_functions_agree_with_the_header(header: str) -> None:
    declared = [(name, result, list(arguments)) for name, result, arguments in abi.FUNCTIONS]
    assert len(declared) > 20
    assert declared == header_functions(header)


@pytest.mark.parametrize(
    ("name", "structure"),
    [
        ("orion_device_options", abi.DeviceOptions),
        ("orion_sampling", abi.Sampling),
        ("orion_speculation", abi.Speculation),
        ("orion_kernel_matrix", abi.KernelMatrix),
        ("orion_adamw_options", abi.AdamWOptions),
    ],
)
def test_structs_agree_with_the_header(
    header: str, name: str, structure: type[ctypes.Structure]
) -> None:
    body = re.search(r"typedef struct \{([^}]*)\} " + name + ";", header)
    assert body
    lines = [split_declaration(line) for line in body[1].split(";") if line.strip()]
    assert [(field, c_type(spelling)) for spelling, field in lines] == [
        (field[0], field[1]) for field in structure._fields_
    ]


def test_version_agrees_with_the_header(header: str) -> None:
    assert f"#define ORION_ABI_VERSION {abi.ABI_VERSION}\n" in header


def test_tensor_types_agree_with_the_header(header: str) -> None:
    numbers = dict(re.findall(r"ORION_(FP\d+|U?INT\d+|BOOL) = (\d+)", header))
    assert {name.upper(): str(number) for name, number in NUMBERS.items()} == numbers


@pytest.mark.skipif(sys.platform == "darwin", reason="reads ELF symbols with nm")
def test_the_library_exports_the_header_and_nothing_else(header: str) -> None:
    listed = subprocess.run(
        ["nm", "-D", "--defined-only", str(abi.library_path())],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    exported = {line.split()[-1].split("@")[0] for line in listed.splitlines()}
    assert exported == {name for name, _, _ in header_functions(header)}


@pytest.mark.skipif(sys.platform == "darwin", reason="reads ELF headers with readelf")
def test_the_library_carries_its_swift_runtime() -> None:
    dynamic = subprocess.run(
        ["readelf", "-d", str(abi.library_path())], capture_output=True, text=True, check=True
    ).stdout
    needed = re.findall(r"NEEDED.*\[(.*)\]", dynamic)
    assert needed
    assert not [name for name in needed if "swift" in name.lower() or "Foundation" in name]


def test_every_function_is_bound() -> None:
    library = abi.library()
    for name, result, arguments in abi.FUNCTIONS:
        function = getattr(library, name)
        assert (function.restype, tuple(function.argtypes)) == (result, arguments), name
    assert library.orion_abi_version() == abi.ABI_VERSION


@pytest.mark.parametrize(
    ("content", "expected"), [(None, "is not at"), (b"no library", "cannot be loaded")]
)
def test_a_library_that_cannot_be_used_is_an_error_that_names_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, content: bytes | None, expected: str
) -> None:
    path = tmp_path / "libother.so"
    if content is not None:
        path.write_bytes(content)
    monkeypatch.setenv("ORION_ANE_LIBRARY", str(path))
    with pytest.raises(OrionError, match=expected) as failure:
        abi.library.__wrapped__()
    assert str(path) in str(failure.value)
