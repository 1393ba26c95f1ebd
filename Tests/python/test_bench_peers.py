"""Peers of `orion bench`: what is said before measuring, and that each answers; no speed is tested.

A peer that neither $ORION_PEER_PYTHON nor this Python has is skipped.
"""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from orion.bench import command, kernel_cases, model_peers, peer, train_case
from orion.bench.commands import run_python
from orion.bench.peer import BINARY_VARIABLE, PYTHON_VARIABLE, WORKERS, start_peer
from orion.bench.worker import Worker
from orion.errors import OrionError, UsageError
from orion.weights import checkpoint, presets

TINY = {
    "gpt2": {
        "model_type": "gpt2",
        "vocab_size": 300,
        "n_positions": 1024,
        "n_embd": 64,
        "n_layer": 2,
        "n_head": 2,
    },
    "stories110m": {**presets.PRESETS["stories260k"], "intermediate_size": 192},
}
REQUESTS = {
    "decode": {"work": "decode", "before": 8, "tokens": 4},
    "prefill": {"work": "prefill", "tokens": 16},
}
# What llama2.c's program says, after it kept what it was given.
LLAMA2C = """#!{python}
import shutil, sys
shutil.copy(sys.argv[1], {kept!r} + "/model.bin")
shutil.copy(sys.argv[sys.argv.index("-z") + 1], {kept!r} + "/tokenizer.bin")
open({kept!r} + "/arguments", "a").write(" ".join(sys.argv[2:]) + chr(10))
print("once upon")
print("achieved tok/s: 123.500000", file=sys.stderr)
"""
# Answers its first line, then sleeps in a process of its own and removes its file at the end.
SLEEPER = """
import pathlib, subprocess, sys
place = pathlib.Path(sys.argv[1])
try:
    for number, line in enumerate(sys.stdin):
        place.write_text("here")
        sleep = "import time; time." "sleep(60)"
        if number: subprocess.run([sys.executable, "-c", sleep, str(place)])
        print("{}", flush=True)
finally:
    place.unlink()
"""


def test_workers_answer_in_turn_and_say_how_they_failed(tmp_path: Path) -> None:
    script = "import sys\nfor line in sys.stdin: print('noise'); print(line, flush=True)"
    with Worker("echo", [sys.executable, "-c", script]) as worker:
        assert worker.ask(a=1) == {"a": 1}
        assert worker.ask(b=2) == {"b": 2}
    talkative = script.replace("\n", "; sys.stderr.write('x' * 1000000)\n")
    with Worker("talkative", [sys.executable, "-c", talkative]) as worker:
        assert worker.ask(c=3) == {"c": 3}
    with (
        Worker("broken", [sys.executable, "-c", "import no_such_module"]) as worker,
        pytest.raises(OrionError, match=r"broken failed: ModuleNotFoundError: .*no_such_module"),
    ):
        worker.ask()
    with pytest.raises(OrionError, match=r"absent: .* does not start"):
        Worker("absent", [str(tmp_path / "none")])


def test_steps_of_workers_are_measured_in_turn_without_the_first() -> None:
    script = (
        "import sys\nfor i, _ in enumerate(sys.stdin): print('{\"step_s\": %d}' % i, flush=True)"
    )
    workers = [Worker(name, [sys.executable, "-c", script]) for name in "ab"]
    found = train_case.measured(workers, 2)
    for worker in workers:
        worker.close()
    assert found == [[{"step_s": 1}, {"step_s": 2}]] * 2


def test_an_error_ends_workers_in_the_middle_of_their_work(tmp_path: Path) -> None:
    place = tmp_path / "file"
    with (
        pytest.raises(KeyboardInterrupt),
        Worker("sleeper", [sys.executable, "-c", SLEEPER, str(place)]) as worker,
    ):
        worker.ask()
        assert worker._process.stdin is not None
        worker._process.stdin.write("{}\n")
        worker._process.stdin.flush()
        for _ in range(3000):
            if "time.sleep" in processes_with(place):
                break
            time.sleep(0.01)
        else:
            pytest.fail("it did not begin")
        raise KeyboardInterrupt
    assert not place.exists()
    assert processes_with(place) == ""


def processes_with(argument: Path) -> str:
    found = subprocess.run(["ps", "-Awwo", "args"], capture_output=True, text=True, check=True)
    return "\n".join(line for line in found.stdout.splitlines() if line.endswith(str(argument)))


def test_a_command_that_is_interrupted_leaves_no_process(tmp_path: Path) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.5)
    try:
        with pytest.raises(KeyboardInterrupt):
            run_python("-c", "import time; time.sleep(60)", str(tmp_path))
    finally:
        signal.signal(signal.SIGALRM, before)
    assert processes_with(tmp_path) == ""


def test_every_peer_has_a_script() -> None:
    scripts = [row.script for row in model_peers.PEERS.values()]
    scripts += [script for script, _, _ in train_case.PEERS.values()]
    assert all((WORKERS / f"{script}.py").is_file() for script in scripts)


def test_a_peer_that_its_python_lacks_is_told_before_measuring(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(PYTHON_VARIABLE, raising=False)
    peer.check_modules("json", ("json",))
    said = f"peer p: {sys.executable} has no no_such_one and no no_such_two; install"
    with pytest.raises(OrionError, match=said):
        peer.check_modules("p", ("json", "no_such_one", "no_such_two"))
    monkeypatch.setenv(PYTHON_VARIABLE, str(tmp_path / "none"))
    with pytest.raises(OrionError, match=r"peer jax: .*none does not start: No such file"):
        command.check_peer("train", "jax")
    monkeypatch.setenv(PYTHON_VARIABLE, "/bin/true")
    with pytest.raises(OrionError, match=r"peer llama.cpp: /bin/true is no Python that runs"):
        command.check_peer("decode", "llama.cpp")


def test_openblas_is_a_peer_where_numpy_is_linked_with_it(monkeypatch: pytest.MonkeyPatch) -> None:
    def linked(name: str) -> object:
        return lambda **_: {"Build Dependencies": {"blas": {"name": name}}}

    monkeypatch.setattr(np, "show_config", linked("scipy-openblas"))
    command.check_peer("kernels", "openblas")
    monkeypatch.setattr(np, "show_config", linked("accelerate"))
    with pytest.raises(OrionError, match="linked with accelerate"):
        kernel_cases.check_openblas()


def test_a_program_is_a_peer_when_it_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.delenv(BINARY_VARIABLE, raising=False)
    with pytest.raises(UsageError, match="name it with --peer-binary"):
        command.check_peer("decode", "llama2.c")
    monkeypatch.setenv(BINARY_VARIABLE, str(tmp_path))
    with pytest.raises(OrionError, match="no file that can be run"):
        command.check_peer("prefill", "llama2.c")
    monkeypatch.setenv(BINARY_VARIABLE, sys.executable)
    command.check_peer("decode", "llama2.c")


@pytest.mark.parametrize(
    ("name", "work", "cases"),
    [
        ("llama.cpp", "decode", 6),
        ("ctranslate2", "prefill", 4),
        ("onnxruntime", "prefill", 1),
        ("onnxruntime", "decode", 0),
        ("llama2.c", "decode", 1),
        ("llama2.c", "prefill", 1),
        (None, "decode", 6),
    ],
)
def test_a_peer_names_the_cases_that_it_runs(name: str | None, work: str, cases: int) -> None:
    every = [(model, weights) for model in TINY for weights in ("fp32", "fp16", "int8")]
    found = [case for case in every if model_peers.runs(name, work, *case)]
    assert len(found) == cases
    assert (cases > 0) == (name is None or name in command.PEERS[work])


@pytest.mark.parametrize(
    ("name", "model", "weights"),
    [
        (name, model, weights)
        for name, row in model_peers.PEERS.items()
        for model in row.models
        for weights in row.types
        if not row.binary
    ],
)
def test_a_peer_answers(name: str, model: str, weights: str) -> None:
    row = model_peers.PEERS[name]
    try:
        peer.check_modules(name, row.modules)
    except OrionError as error:
        pytest.skip(str(error))
    arguments = (json.dumps(TINY[model]), row.types[weights], "1")
    with start_peer(name, row.script, *arguments) as worker:
        for work in (*row.works, *row.works):
            assert worker.ask(**REQUESTS[work])["rate"] > 0


def test_llama2c_gets_a_model_a_tokenizer_and_a_prompt_of_as_many_tokens(tmp_path: Path) -> None:
    program = tmp_path / "run"
    program.write_text(LLAMA2C.format(python=sys.executable, kept=str(tmp_path)))
    program.chmod(0o755)
    config = presets.PRESETS["stories260k"]
    with start_peer("l", "model_llama2c", json.dumps(config), "fp32", "1", str(program)) as worker:
        assert worker.ask(**REQUESTS["decode"]) == {"rate": 123.5}
        assert worker.ask(**REQUESTS["prefill"]) == {"rate": 123.5}
    written = checkpoint.load(tmp_path / "model.bin")
    made = presets.make("stories260k")
    assert {name: tensor.shape for name, tensor in written.tensors.items()} == {
        name: tensor.shape for name, tensor in made.tensors.items()
    }
    decode, prefill = (tmp_path / "arguments").read_text().splitlines()
    # Two tokens of a prompt are no letters.
    assert decode.endswith("-t 0 -n 12 -i abcdef")
    assert prefill.endswith("-t 0 -n 16 -i abcdefghijklmn")


def test_a_program_that_tells_no_rate_is_named(tmp_path: Path) -> None:
    config = json.dumps(TINY["stories110m"])
    with (
        start_peer("llama2.c", "model_llama2c", config, "fp32", "1", "/bin/false") as worker,
        pytest.raises(
            OrionError, match=r"peer llama2.c failed: /bin/false ended with 1 and no rate"
        ),
    ):
        worker.ask(**REQUESTS["decode"])


def test_a_closed_pipe_ends_the_bench_without_a_word(tmp_path: Path) -> None:
    done = subprocess.run(
        f"{sys.executable} -m orion bench startup --repeats 1 | head -1",
        shell=True,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "TMPDIR": str(tmp_path)},
    )
    assert done.stdout.startswith("limit/multiply-add") and done.stderr == ""
    assert list(tmp_path.iterdir()) == []
