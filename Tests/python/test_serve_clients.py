"""Clients that hang, are too many, or come from pages elsewhere; what the server counts."""

import asyncio
import json
import socket
import threading
from collections.abc import MutableMapping
from typing import Any

import httpx
from serving import NAME, Serving, wait_for

from orion.generate import Model, Sampling
from orion.serve.exchange import Exchange
from orion.serve.forms import Form
from orion.serve.job import Job, News
from orion.serve.mailbox import Mailbox
from orion.serve.metrics import Metrics
from orion.tokenizer import StopStrings, TokenStream

ASKED = {"model": NAME, "prompt": "Once", "max_tokens": 3, "temperature": 0}


def connect(serving: Serving) -> socket.socket:
    host, port = serving.url.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=30)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the server closes."""
    found = b""
    while part := connection.recv(1 << 16):
        found += part
    return found


def error_in(answer: bytes) -> Any:
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"application/json" in head
    return json.loads(body)["error"]


def test_half_a_request_is_not_waited_for(model: Model) -> None:
    halves = (
        b"",
        b"GET /hea",
        b"GET /health HTTP/1.1\r\nHost: local",
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b'Content-Length: 99\r\n\r\n{"model"',
    )
    with Serving(model, idle_seconds=0.05) as serving:
        for half in halves:
            with connect(serving) as hanging:
                hanging.sendall(half)
                answer = all_of(hanging)
                assert answer.startswith(b"HTTP/1.1 408 ")
                assert error_in(answer)["code"] == "timeout"
        with connect(serving) as second:
            # The first one is answered; half of a second one is not waited for either.
            second.sendall(b"GET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /hea")
            answer = all_of(second)
            assert answer.startswith(b"HTTP/1.1 200 ")
        wait_for(lambda: not serving.server.server_state.connections)


def test_what_is_no_http_gets_an_error_in_json(serving: Serving) -> None:
    for noise in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", b"HELLO\r\n\r\n"):
        with connect(serving) as connection:
            connection.sendall(noise)
            answer = all_of(connection)
            assert answer.startswith(b"HTTP/1.1 400 ")
            assert error_in(answer)["code"] == "invalid_http"


def test_connections_beyond_the_limit_are_told_so(model: Model) -> None:
    with Serving(model, connections=2) as serving:
        silent = [connect(serving) for _ in range(2)]
        wait_for(lambda: len(serving.server.server_state.connections) == 2)
        answer = serving.post(json=ASKED)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert answer.json()["error"]["code"] == "too_many_connections"
        for connection in silent:
            connection.close()
        wait_for(lambda: not serving.server.server_state.connections)
        assert serving.post(json=ASKED).status_code == 200


def test_a_client_that_never_reads_costs_nobody_else(serving: Serving) -> None:
    stream = json.dumps({**ASKED, "max_tokens": 400, "stream": True, "n": 1}).encode()
    head = (
        b"POST /v1/completions HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
        b"Content-Length: %d\r\n\r\n" % len(stream)
    )
    deaf = [connect(serving) for _ in range(4)]
    for connection in deaf:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.sendall(head + stream)
    wait_for(lambda: serving.count("requests_running"))
    assert serving.post(json=ASKED).status_code == 200
    wait_for(serving.is_idle)
    for connection in deaf:
        connection.close()


def test_an_answer_that_is_not_taken_frees_its_jobs() -> None:
    async def run() -> Job:
        mailbox = Mailbox(asyncio.get_running_loop())
        job = Job(
            [1], 9, Sampling(), StopStrings(()), TokenStream(lambda *_: b""), None, lambda _: None
        )
        form = Form("completion", NAME, 1, lambda _: b"")
        exchange = Exchange([job], mailbox, form, is_streamed=True, idle_seconds=0.01)

        async def never(_message: MutableMapping[str, Any] | None = None) -> Any:
            await asyncio.Event().wait()

        threading.Thread(target=mailbox.put, args=(0, News("text", 1))).start()
        await asyncio.wait_for(exchange({"type": "http"}, never, never), 30)
        return job

    assert asyncio.run(run()).is_cancelled


def test_a_client_that_leaves_at_any_moment_leaves_nothing_behind() -> None:
    """So many turns of the loop lie between its leaving and the end of what is being sent."""

    async def run(turns: int) -> bool:
        mailbox, is_gone = Mailbox(asyncio.get_running_loop()), asyncio.Event()
        job = Job(
            [1], 9, Sampling(), StopStrings(()), TokenStream(lambda *_: b""), None, lambda _: None
        )
        form = Form("completion", NAME, 1, lambda _: b"")
        exchange = Exchange([job], mailbox, form, is_streamed=True, idle_seconds=30)

        async def receive() -> Any:
            await is_gone.wait()
            return {"type": "http.disconnect"}

        async def send(_message: MutableMapping[str, Any]) -> None:
            is_gone.set()
            for _ in range(turns):
                await asyncio.sleep(0)

        mailbox.put(0, News("text", 1))
        answering = asyncio.ensure_future(exchange({"type": "http"}, receive, send))
        done, _ = await asyncio.wait({answering}, timeout=1)
        answering.cancel()
        return bool(done)

    assert [turns for turns in range(12) if not asyncio.run(run(turns))] == []


def test_news_of_several_texts_stay_apart() -> None:
    async def run() -> list[tuple[int, News]]:
        mailbox = Mailbox(asyncio.get_running_loop())
        for index, text in ((1, "a"), (0, "b"), (1, "c"), (1, "d")):
            mailbox.put(index, News(text, 1, "length" if text == "d" else None))
        await asyncio.sleep(0)
        return [await mailbox.get(), await mailbox.get()]

    assert asyncio.run(run()) == [(1, News("acd", 3, "length")), (0, News("b", 1))]


def test_head_and_options_are_answered(serving: Serving) -> None:
    for path in ("/", "/health", "/metrics", "/v1/models", f"/v1/models/{NAME}"):
        head = httpx.head(f"{serving.url}{path}")
        assert (head.status_code, head.content) == (200, b"")
    for path, methods in (("/v1/models", "GET, HEAD"), ("/v1/completions", "POST")):
        answer = httpx.options(f"{serving.url}{path}")
        assert answer.status_code == 204
        assert sorted(answer.headers["allow"].split(", ")) == methods.split(", ")
        assert "access-control-allow-origin" not in answer.headers


def test_pages_elsewhere_ask_only_where_they_are_allowed(model: Model) -> None:
    ask = {"access-control-request-method": "POST", "access-control-request-headers": "x-y"}
    good, bad = "https://chat.example", "https://evil.example"
    with Serving(model, origins=(good,), api_key="k") as serving:
        url = f"{serving.url}/v1/completions"
        # A browser asks first, without the key.
        first = httpx.options(url, headers={"origin": good, **ask})
        assert (first.status_code, first.headers["access-control-allow-origin"]) == (200, good)
        assert httpx.options(url, headers={"origin": bad, **ask}).status_code == 400
        for origin, allowed in ((good, good), (bad, None)):
            headers = {"origin": origin, "authorization": "Bearer k"}
            answer = serving.post(json=ASKED, headers=headers)
            assert answer.headers.get("access-control-allow-origin") == allowed
        refused = serving.post(json=ASKED, headers={"origin": good})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, good)


def samples(text: str) -> dict[str, float]:
    rows = (line.rsplit(" ", 1) for line in text.splitlines() if not line.startswith("#"))
    return {name: float(value) for name, value in rows}


def test_metrics_say_what_happened(model: Model) -> None:
    with Serving(model, max_tokens=10) as serving:
        assert serving.post(json={**ASKED, "n": 3}).status_code == 200
        assert serving.post(json={**ASKED, "max_tokens": 11}).status_code == 400
        wait_for(serving.is_idle)
        found = samples(httpx.get(f"{serving.url}/metrics").text)
    expected = {
        'orion_requests_total{route="/v1/completions",status="200"}': 1,
        'orion_requests_total{route="/v1/completions",status="400"}': 1,
        'orion_finished_total{reason="length"}': 3,
        "orion_generated_tokens_total": 9,
        "orion_prompt_tokens_total": 3 * len(model.encode("Once")),
        "orion_first_token_seconds_count": 3,
        'orion_text_seconds_bucket{le="+Inf"}': 3,
        "orion_waiting_seconds_count": 3,
        "orion_requests_running": 0,
    }
    assert {name: found[name] for name in expected} == expected
    assert found["orion_batch_size_count"] == found["orion_decode_calls_total"]
    assert found['orion_batch_size_bucket{le="4"}'] == found["orion_batch_size_count"]


def test_histograms_count_up_to_their_bounds() -> None:
    metrics = Metrics()
    for value in (1, 2, 3, 64, 65):
        metrics.observe("batch_size", value)
    found = samples(metrics.text())
    counts = [found[f'orion_batch_size_bucket{{le="{bound}"}}'] for bound in (1, 2, 4, 32, 64)]
    assert counts == [1, 2, 3, 3, 4]
    assert found['orion_batch_size_bucket{le="+Inf"}'] == 5
    assert found["orion_batch_size_sum"] == 135
