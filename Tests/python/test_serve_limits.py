"""What a server refuses and how it says so; clients that leave, hang or are too many."""

import concurrent.futures
import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from serving import NAME, Serving, wait_for
from test_adapters import make

import orion as package
from orion.errors import OrionError, UsageError
from orion.generate import Model
from orion.generate.model import room_for
from orion.serve.settings import Limits

ASKED = {"model": NAME, "prompt": "Once", "max_tokens": 3, "temperature": 0}
TALK = [{"role": "user", "content": "Hi"}]
LONG = {**ASKED, "max_tokens": 500}

# What changes in a good request; status, param and code of the answer.
BAD_FIELDS: tuple[tuple[dict[str, Any], int, str | None, str | None], ...] = (
    ({"model": "other"}, 404, "model", "model_not_found"),
    ({"model": None}, 400, "model", "missing_required_parameter"),
    ({"model": 5}, 400, "model", "invalid_value"),
    ({"prompt": None}, 400, "prompt", "missing_required_parameter"),
    ({"prompt": {}}, 400, "prompt", "invalid_value"),
    ({"prompt": []}, 400, "prompt", "invalid_value"),
    ({"prompt": ["a", [1]]}, 400, "prompt", "invalid_value"),
    ({"prompt": [[1], []]}, 400, "prompt", "invalid_value"),
    ({"prompt": ["a"] * 17}, 400, "prompt", "invalid_value"),
    ({"prompt": ["a"] * 2, "n": 9}, 400, "n", "invalid_value"),
    ({"prompt": [1, 512]}, 400, "prompt", "invalid_value"),
    ({"prompt": [1, -1]}, 400, "prompt", "invalid_value"),
    ({"prompt": [1, 1 << 70]}, 400, "prompt", "invalid_value"),
    ({"prompt": "\ud800"}, 400, "prompt", "invalid_value"),
    ({"prompt": "word " * 2000}, 400, "prompt", "context_length_exceeded"),
    ({"max_tokens": 0}, 400, "max_tokens", "invalid_value"),
    ({"max_tokens": 1.5}, 400, "max_tokens", "invalid_value"),
    ({"max_tokens": True}, 400, "max_tokens", "invalid_value"),
    ({"max_tokens": 5000}, 400, "max_tokens", "invalid_value"),
    ({"temperature": -1}, 400, "temperature", "invalid_value"),
    ({"temperature": "hot"}, 400, "temperature", "invalid_value"),
    ({"top_p": 0}, 400, "top_p", "invalid_value"),
    ({"top_k": -1}, 400, "top_k", "invalid_value"),
    ({"min_p": 2}, 400, "min_p", "invalid_value"),
    ({"seed": 1 << 64}, 400, "seed", "invalid_value"),
    ({"stop": ""}, 400, "stop", "invalid_value"),
    ({"stop": [1]}, 400, "stop", "invalid_value"),
    ({"stop": ["a"] * 17}, 400, "stop", "invalid_value"),
    ({"stream": "yes"}, 400, "stream", "invalid_value"),
    ({"stream_options": {"often": True}}, 400, "stream_options", "invalid_value"),
    ({"n": 0}, 400, "n", "invalid_value"),
    ({"n": True}, 400, "n", "invalid_value"),
    ({"n": 1 << 40}, 400, "n", "invalid_value"),
    ({"best_of": 2}, 400, "best_of", "unsupported_parameter"),
    ({"echo": True}, 400, "echo", "unsupported_parameter"),
    ({"logprobs": 21}, 400, "logprobs", "invalid_value"),
    ({"logprobs": True}, 400, "logprobs", "invalid_value"),
    ({"top_logprobs": 3}, 400, "top_logprobs", "unknown_parameter"),
    ({"metadata": 5, "stop": {"a": 1}}, 400, "stop", "invalid_value"),
    ({"max_tokns": 3}, 400, "max_tokns", "unknown_parameter"),
    ({"messages": TALK}, 400, "messages", "unknown_parameter"),
)
BAD_MESSAGES: tuple[tuple[Any, str], ...] = (
    ([], "messages"),
    ("Hi", "messages"),
    ([5], "messages[0]"),
    ([{"role": "king", "content": "Hi"}], "messages[0].role"),
    ([{"role": [], "content": "Hi"}], "messages[0].role"),
    ([{"role": "user"}], "messages[0].content"),
    ([{"role": "user", "content": "\udfff"}], "messages[0].content"),
    ([{"role": "user", "content": [{"type": "image_url"}]}], "messages[0].content"),
    ([*TALK, {"role": "user", "content": "Hi", "mood": 1}], "messages[1].mood"),
    ([{"role": "system", "content": "Hi"}], "messages"),
)


@pytest.fixture(scope="module")
def serving(model: Model) -> Iterator[Serving]:
    with Serving(model, body_bytes=100_000) as running:
        yield running


def check_error(answer: httpx.Response, status: int, param: str | None, code: str | None) -> None:
    error = answer.json()["error"]
    found = (answer.status_code, error["param"], error["code"])
    assert found == (status, param, code), error
    assert error["message"]
    assert error["type"]


def test_bad_fields_are_named(serving: Serving) -> None:
    for change, status, param, code in BAD_FIELDS:
        # The client's own encoder refuses half surrogates.
        content = json.dumps({**ASKED, **change})
        headers = {"content-type": "application/json"}
        check_error(serving.post(content=content, headers=headers), status, param, code)
    assert serving.post(json=ASKED).status_code == 200


def test_bad_messages_are_placed(serving: Serving) -> None:
    for messages, param in BAD_MESSAGES:
        content = json.dumps({"model": NAME, "messages": messages})
        headers = {"content-type": "application/json"}
        answer = serving.post("/v1/chat/completions", content=content, headers=headers)
        assert (answer.status_code, answer.json()["error"]["param"]) == (400, param)
    for fields in ({"top_logprobs": 2}, {"logprobs": False, "top_logprobs": 2}):
        answer = serving.post(
            "/v1/chat/completions", json={"model": NAME, "messages": TALK, **fields}
        )
        check_error(answer, 400, "top_logprobs", "invalid_value")


def test_bad_bodies_are_refused(serving: Serving) -> None:
    headers = {"content-type": "application/json"}
    bodies = (b"", b"{", b"[]", b"5", b"[" * 50_000, b'{"model": NaN}', b"\xff", b"9" * 9000)
    for body in bodies:
        check_error(serving.post(content=body, headers=headers), 400, None, "invalid_json")
    check_error(serving.post(content=b"{}"), 415, None, None)
    deep = b'{"model": "stories", "prompt": ' + b"[" * 900 + b"]" * 900 + b"}"
    check_error(serving.post(content=deep, headers=headers), 400, "prompt", "invalid_value")
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        check_error(serving.post(content=b"{}", headers={"content-type": kind}), 415, None, None)
    huge = b" " * 100_001
    check_error(serving.post(content=huge, headers=headers), 413, None, "body_too_long")
    chunks = iter([huge[:60_000], huge[:60_000]])
    check_error(serving.post(content=chunks, headers=headers), 413, None, "body_too_long")
    check_error(httpx.get(f"{serving.url}/v1/completions"), 405, None, None)
    check_error(httpx.get(f"{serving.url}/v2"), 404, None, None)
    check_error(httpx.get(f"{serving.url}/v1/models/x"), 404, "model", "model_not_found")
    foreign = {"host": "evil.example"}
    check_error(httpx.get(f"{serving.url}/", headers=foreign), 403, None, "wrong_host")


def test_a_key_opens_the_server(model: Model) -> None:
    with Serving(model, api_key="secret") as serving:
        for key in ("wrong", "secre", "secret2"):
            with pytest.raises(openai.AuthenticationError):
                serving.client(api_key=key).models.list()
        assert httpx.get(f"{serving.url}/metrics").status_code == 401
        assert httpx.get(f"{serving.url}/health").status_code == 200
        assert serving.client(api_key="secret").models.list().data[0].id == NAME


def test_a_client_that_leaves_frees_its_slots(serving: Serving) -> None:
    for _ in range(3):
        stream = {**LONG, "stream": True}
        with httpx.stream("POST", f"{serving.url}/v1/completions", json=stream) as answer:
            next(answer.iter_bytes())
        wait_for(serving.is_idle)
    with pytest.raises(httpx.ReadTimeout):
        httpx.post(f"{serving.url}/v1/completions", json=LONG, timeout=0.001)
    wait_for(serving.is_idle)
    assert serving.post(json=ASKED).status_code == 200


def test_the_queue_is_bounded_and_clients_come_again(model: Model) -> None:
    with Serving(model, queue=2) as serving:

        def ask(_number: int) -> httpx.Response:
            return serving.post(json=LONG)

        with concurrent.futures.ThreadPoolExecutor(16) as pool:
            answers = list(pool.map(ask, range(16)))
        texts = {answer.text for answer in answers if answer.status_code == 503}
        refused = [answer for answer in answers if answer.status_code == 503]
        done = [answer.json() for answer in answers if answer.status_code == 200]
        assert len(done) + len(refused) == 16
        assert done
        assert refused
        assert all("queue_full" in text for text in texts)
        assert all(answer.headers["retry-after"] == "1" for answer in refused)
        assert len({answer["choices"][0]["text"] for answer in done}) == 1
        wait_for(serving.is_idle)


def test_time_is_bounded(model: Model) -> None:
    with Serving(model, request_seconds=0) as serving:
        check_error(serving.post(json=LONG), 504, None, "timeout")
        wait_for(serving.is_idle)
    with Serving(model, idle_seconds=0.05) as serving:
        host, port = serving.url.removeprefix("http://").split(":")
        with socket.create_connection((host, int(port)), timeout=30) as hanging:
            head = "POST /v1/completions HTTP/1.1\r\nHost: localhost\r\n"
            kind = "Content-Type: application/json\r\nContent-Length: 99\r\n\r\n"
            hanging.sendall((head + kind + '{"').encode())
            assert b" 408 " in hanging.recv(4096)


def test_limits_are_checked() -> None:
    assert Limits(max_tokens=5).default_tokens == 5
    with pytest.raises(UsageError, match="queue"):
        Limits(queue=0)
    with pytest.raises(UsageError, match="quue"):
        Limits(quue=5)


def arrived(serving: Serving) -> float:
    done = serving.count("finished_total", reason="length")
    return done + serving.count("requests_running") + serving.count("requests_waiting")


def test_stopping_ends_what_runs(model: Model) -> None:
    with Serving(model, grace_seconds=0) as serving:
        with concurrent.futures.ThreadPoolExecutor(4) as pool:
            asked = [pool.submit(serving.post, json=LONG) for _ in range(4)]
            # All have come; one that comes later finds no server.
            wait_for(lambda: arrived(serving) == 4)
            serving.stop()
            codes = {answer.result().status_code for answer in asked}
        assert codes <= {200, 503}
    assert model.generate("Once", 3).new_ids


def test_adapters_are_models(stories: Path, tmp_path: Path) -> None:
    targets = ("q_proj", "v_proj")
    paths = {name: make(stories, tmp_path / name, targets, seed=ord(name)) for name in "ab"}
    with package.load(stories, "cpu", adapter_room=room_for(*paths.values())) as model:
        expected = {}
        for name, path in paths.items():
            model.open_adapter(name, path)
            model.use_adapter(name)
            expected[name] = model.generate("Once", 20).text
        model.use_adapter(None)
        expected[NAME] = model.generate("Once", 20).text
        assert len(set(expected.values())) == 3
        with Serving(model, ("a", "b")) as serving:
            assert [each.id for each in serving.client().models.list()] == [NAME, "a", "b"]

            def ask(name: str) -> str:
                asked = {**ASKED, "model": name, "max_tokens": 20}
                return str(serving.post(json=asked).json()["choices"][0]["text"])

            names = [*expected] * 3
            with concurrent.futures.ThreadPoolExecutor(9) as pool:
                for name, text in zip(names, pool.map(ask, names), strict=True):
                    assert "Once" + text == expected[name]


def test_an_adapter_of_another_model_is_refused_at_the_start(
    data: Path, stories: Path, tmp_path: Path, orion: Callable[..., Any]
) -> None:
    path = make(data / "golden/qwen3-tiny", tmp_path / "other", ("q_proj", "v_proj"), seed=1)
    arguments = ["--model", stories, "--device", "cpu", "--port", "0"]
    failed = orion("serve", *arguments, "--adapter", f"other={path}")
    assert failed.code == 1
    assert "adapter" in failed.err
    assert str(path) in failed.err
    assert "Traceback" not in failed.err
    with package.load(stories, "cpu") as model, pytest.raises(OrionError, match="never opened"):
        Serving(model, ("never opened",))


def test_the_command_serves_until_it_is_told_to_stop(
    stories: Path, orion: Callable[..., Any]
) -> None:
    arguments = ["serve", "--model", str(stories), "--device", "cpu", "--port", "0"]
    with subprocess.Popen(
        [sys.executable, "-m", "orion", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "ORION_API_KEY": "k"},
    ) as server:
        assert server.stderr is not None
        url = next(word for line in server.stderr for word in line.split() if "/v1," in word)
        client = openai.OpenAI(base_url=url.rstrip(","), api_key="k")
        assert client.models.list().data[0].id == stories.name
        client.close()
        server.send_signal(signal.SIGTERM)
        assert server.wait(60) == 0
    failed = orion(*arguments, "--adapter", "nothing")
    assert (failed.code, "NAME=DIR" in failed.err) == (2, True)
    assert orion(*arguments, "--queue", "0").code == 2
