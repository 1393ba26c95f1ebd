"""`orion check`: places, profiles, JSON, exit codes, mending; and `orion.check` from Python."""

import json
import stat
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import pytest

import orion as package
from orion.errors import UsageError
from orion.runtime import profile_names
from orion.runtime.checking import check, fix

Orion = Callable[..., SimpleNamespace]

THREE = """program(1.3)
{
    func main<ios18>(tensor<fp16, [1, 64, 1, 64]> x) {
            // Three faults.
            tensor<fp16, [1, 64, 1, 64]> a = rsqrt(x = x);
            tensor<fp16, [1, 64, 1, 64]> b = gelu(x = a);
            tensor<fp16, [1, 64, 1, 65]> y = exp(x = b);
        } -> (y);
}
"""
CLEAN = THREE.replace("rsqrt", "relu").replace("gelu", "tanh").replace("65", "64")


@pytest.fixture
def broken(tmp_path: Path) -> Path:
    path = tmp_path / "broken.mil"
    path.write_text(THREE)
    return path


def test_three_faults_are_told_at_their_places_in_one_go(orion: Orion, broken: Path) -> None:
    done = orion("check", broken)
    assert done.code == 1
    for place, rule in (("5:46", "no-rsqrt"), ("6:46", "gelu"), ("7:13", "type-mismatch")):
        told = [line for line in done.out.splitlines() if f"[{rule}]" in line]
        assert told, done.out
        assert told[0].startswith(f"{broken}:{place}: error: ")
    lines = done.out.splitlines()
    gelu = next(index for index, line in enumerate(lines) if "[gelu]" in line)
    assert lines[gelu + 1].endswith("= gelu(x = a);")
    assert lines[gelu + 2].rstrip("~").endswith("^")
    assert lines[gelu + 2].index("^") == lines[gelu + 1].index("gelu(")
    assert any(line.startswith("  chips: ") for line in lines)
    assert any(line.startswith("  evidence: ") for line in lines)
    assert "4 errors" in done.err


def test_json_is_a_list_with_every_field(orion: Orion, broken: Path) -> None:
    done = orion("check", broken, "--json")
    assert done.code == 1
    found = json.loads(done.out)
    assert {
        "file",
        "line",
        "column",
        "rule",
        "severity",
        "message",
        "chips",
        "evidence",
        "fix",
    } <= (set(found[0]))
    assert {entry["rule"] for entry in found} >= {"no-rsqrt", "gelu", "type-mismatch"}
    assert {entry["file"] for entry in found} == {str(broken)}


def test_a_program_without_errors_ends_with_zero(orion: Orion, tmp_path: Path) -> None:
    path = tmp_path / "clean.mil"
    path.write_text(CLEAN)
    assert json.loads(orion("check", path, "--json").out) == []
    assert orion("check", path).code == 0


def test_profiles_stand_in_one_table(orion: Orion, broken: Path) -> None:
    done = orion("check", broken, "--profile", "all")
    profiles = [name for name in profile_names() if name != "cpu"]
    table = done.out[done.out.index("profile ") :].splitlines()
    assert [line.split()[0] for line in table[1:]] == profiles
    # A finding that several profiles share is told once.
    assert sum("[type-mismatch]" in line for line in done.out.splitlines()) == 1


def test_profiles_are_named_with_commas_and_once(orion: Orion, broken: Path) -> None:
    done = orion("check", broken, "--profile", "paper, m4-macos15,paper")
    assert done.err.splitlines()[-1].endswith("on paper, m4-macos15")


@pytest.mark.parametrize(
    "arguments",
    [("check",), ("check", "/nonexistent.mil"), ("check", "{}", "--profile", "m9")],
)
def test_wrong_use_ends_with_two(orion: Orion, broken: Path, arguments: tuple[str, ...]) -> None:
    done = orion(*(argument.format(broken) for argument in arguments))
    assert done.code == 2
    assert done.err


def test_fix_writes_prints_and_checks_again(orion: Orion, broken: Path) -> None:
    broken.write_text(THREE.replace("65", "64"))
    broken.chmod(0o640)
    done = orion("check", broken, "--fix")
    assert done.code == 0, done.out + done.err
    text = broken.read_text()
    assert "rsqrt" not in text
    assert "mode = b_mode" in text
    assert "// Three faults." in text
    assert "-            tensor<fp16, [1, 64, 1, 64]> a = rsqrt(x = x);" in done.out
    assert stat.S_IMODE(broken.stat().st_mode) == 0o640
    assert [path.name for path in broken.parent.iterdir()] == ["broken.mil"]
    assert orion("check", broken, "--fix").code == 0
    assert broken.read_text() == text


def test_a_bundle_is_checked_program_by_program(orion: Orion, tmp_path: Path) -> None:
    (tmp_path / "good.mil").write_text(CLEAN)
    (tmp_path / "bad.mil").write_text(THREE)
    rows = [{"name": name, "file": f"{name}.mil"} for name in ("good", "bad")]
    manifest = {"profile": "m4-macos15", "programs": rows}
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    done = orion("check", tmp_path, "--json")
    assert done.code == 1
    assert {Path(entry["file"]).name for entry in json.loads(done.out)} == {"bad.mil"}
    assert orion("check", tmp_path, "--fix").code == 2


def test_check_from_python() -> None:
    found = package.check(THREE, profiles=["m4-macos15"])
    gelu = next(finding for finding in found if finding.rule == "gelu")
    assert (gelu.line, gelu.column, gelu.severity) == (6, 46, "error")
    assert gelu.fix is not None
    assert check(b"\xff", profiles=[])[0].rule == "syntax"
    assert check(b"\xff")[0].profile is None
    assert check("", profiles=[])[0].rule == "syntax"
    with pytest.raises(UsageError, match="m9"):
        check(THREE, profiles=["m9"])


def test_edits_are_what_fix_makes() -> None:
    text = CLEAN.replace("relu(x = x)", "identity(x = x)")
    (finding,) = [entry for entry in check(text, profiles=["m4-macos15"]) if entry.fix]
    assert finding.fix is not None
    edited = text.encode()
    edits = sorted(finding.fix["edits"], key=lambda edit: edit["offset"], reverse=True)
    for edit in edits:
        edited = edited[: edit["offset"]] + edit["text"].encode() + edited[edit["end_offset"] :]
    fixed, outcomes = fix(text, profiles=["m4-macos15"])
    assert edited.decode() == fixed
    assert [outcome.obstacle for outcome in outcomes] == [None]


def test_a_thousand_ops_are_checked_whole() -> None:
    type_ = "tensor<fp16, [1, 64, 1, 64]>"
    lines = [
        f"{type_} v{index} = {'rsqrt' if index % 100 == 7 else 'relu'}"
        f"(x = {f'v{index - 1}' if index else 'x'});"
        for index in range(1000)
    ]
    text = (
        f"program(1.3) {{ func main<ios18>({type_} x) {{\n" + "\n".join(lines) + "\n} -> (v999); }"
    )
    found = check(text, profiles=["m4-macos15"])
    assert [finding.line for finding in found if finding.rule == "no-rsqrt"] == [
        100 * index + 9 for index in range(10)
    ]
