"""`orion doctor`: what it finds, in words and as JSON, with and without a framework."""

import json
import sys
from pathlib import Path

import pytest

from orion.cli.main import main
from orion.errors import OrionError, UsageError
from orion.runtime import Device, examine

PROBES = set("abcdefghijk")


def test_the_simulator_has_everything_that_the_routes_need() -> None:
    report = examine("sim")
    assert report["passed"]
    assert all(route["works"] and route["reload"] == "stale" for route in report["routes"])
    assert [route["route"] for route in report["routes"]] == ["client", "memory"]
    messages = report["framework"]["messages"]
    assert len(messages) > 40
    assert {entry["state"] for entry in messages if entry["needed_by"]} == {"same"}
    absent = {entry["message"] for entry in messages if entry["state"] == "absent"}
    assert any("sharedEvents:" in message for message in absent)
    assert report["framework"]["device"]["aneArchitectureType"] == "h16g"
    assert report["canaries"]["reload"] == "stale"
    assert report["probes"] == []


def test_probes_answer_each_question_on_each_route() -> None:
    report = examine("sim", probes=True)
    probes = {(probe["route"], probe["id"]): probe for probe in report["probes"]}
    assert {name for _, name in probes} == PROBES
    assert not [probe for probe in report["probes"] if "error" in probe]
    for route in ("client", "memory"):
        assert probes[route, "a"]["changed"]
        assert probes[route, "d"]["loaded"] == 127
        assert probes[route, "d"]["unload_gives_back"]
        assert probes[route, "i"]["32"] == probes[route, "i"]["96"] == "right"
        assert probes[route, "i"]["16"].startswith("refused")
        assert probes[route, "h"]["one_file"] == "right"
        assert probes[route, "k"]["distinct_ms"] > 0
    assert probes["memory", "b"]["deleted"]
    assert not probes["memory", "c"]["needs_files"]
    assert examine("sim")["passed"]  # what the probes loaded is gone


def test_the_papers_reload_is_effective(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "sim:paper", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert report["canaries"]["reload"] == "effective"


def test_cpu_needs_no_framework(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "cpu"]) == 0
    told = capsys.readouterr().out
    assert "framework: none" in told and "canaries, cpu: reload effective" in told


@pytest.mark.skipif(sys.platform == "darwin", reason="a Mac has the framework")
def test_without_a_framework_it_says_so(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["doctor", "--device", "ane"]) == 1
    assert "macOS 15 or later on Apple silicon" in capsys.readouterr().out
    assert main(["doctor"]) == 0
    assert "canaries, cpu" in capsys.readouterr().out


def test_an_unknown_device_is_a_usage_error() -> None:
    assert main(["doctor", "--device", "gpu"]) == 2


def test_routes_and_faults_from_python(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert Device("sim", cache_dir=tmp_path, route="memory").route == "memory"
    monkeypatch.setenv("ORION_ANE_ROUTE", "memory")
    assert Device("sim", cache_dir=tmp_path).route == "memory"
    monkeypatch.setenv("ORION_ANE_ROUTE", "road")
    with pytest.raises(UsageError, match=r"ORION_ANE_ROUTE.*client or memory"):
        Device("sim", cache_dir=tmp_path)
    monkeypatch.delenv("ORION_ANE_ROUTE")
    with pytest.raises(UsageError, match="no route 'road'"):
        Device("sim", route="road")
    device = Device("sim", cache_dir=tmp_path)
    with pytest.raises(UsageError, match="fault plan, column 6"):
        device.follow("load@x=stale")
    device.follow("load@1=error:6/0x50004")
    with pytest.raises(OrionError, match="0x50004"):
        device.canary()
    assert device.canary() == "stale"
    with pytest.raises(UsageError, match="only simulated devices"):
        Device("cpu").follow("load@1=stale")
    monkeypatch.setenv("ORION_SIM_FAULTS", "compile@1=refuse")
    with pytest.raises(OrionError, match="ANECCompile"):
        Device("sim", cache_dir=tmp_path).canary()
