"""SFC's own client against a gateway that listens, the development-only topics, and the server itself."""

from __future__ import annotations

import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest
from sfc_gateway.server import serve

from sfc.client import Client
from sfc.engine.effects import Reply
from sfc.errors import BadInput, InvalidDocument, LogUnavailable, NoAnswer, NotPossible, SfcError, UnknownName

MACHINE = {"StartAt": "A", "States": {"A": {"Type": "Pass", "End": True}}, "Sfc": {"Name": "orders"}}
BIG = 123456789012345678901234567890


@pytest.fixture
def client(gateway: Any) -> Iterator[Client]:
    server = serve(gateway.app(verdict_s=0.3), "127.0.0.1", 0)
    with Client(server.url, timeout=10) as made:
        yield made
    server.stop()
    assert not server.alive


def test_a_day_with_the_client(gateway: Any, client: Client) -> None:
    assert client.ready()
    (saved,) = client.deploy([("orders.yaml", MACHINE)])
    assert (saved["name"], saved["version"], saved["created"]) == ("orders", 1, True)
    assert client.deploy([{"Name": "split"}])[0]["kind"] == "task"
    assert client.put_blueprint("orders", {**MACHINE, "Comment": "2"})["version"] == 2
    assert client.put_task("split", {"Name": "split"})["created"] is False
    assert [b["name"] for b in client.blueprints()] == ["orders"]
    assert client.blueprint("orders")["version"] == 2
    assert client.blueprint("orders", version=1)["version"] == 1
    assert [v["version"] for v in client.blueprint_versions("orders")] == [1, 2]
    assert [t["name"] for t in client.tasks()] == ["split"]
    assert client.task("split", version=1)["hash"]
    assert client.start("orders", {"n": 1}, id="o-1")["flow"] == "orders:o-1"
    assert client.start("orders", idempotency_key="o-2")["flow"] == "orders:o-2"
    assert client.pause("orders:o-1", reason="x")["done"] == "pause"
    assert client.resume("orders:o-1")["done"] == "resume"
    assert client.stop("orders:o-1", reason="x")["done"] == "stop"
    assert client.redrive("orders:o-1", request="r-1", input=None)["done"] == "redrive"
    assert gateway.commands[-1][1].edited
    assert client.pause_blueprint("orders", reason="stock")["status"] == "paused"
    assert client.resume_blueprint("orders")["status"] == "enabled"
    assert client.flows(status="RUNNING", limit=5) == {"flows": [], "next_cursor": ""}
    assert client.dead_letters(limit=5)["dead_letters"] == []
    assert client.stats()["replies_dropped"] == 0
    assert client.cluster()["instance"] == "gw-1"


def test_a_waiting_start_keeps_integers_of_any_size(gateway: Any, client: Client) -> None:
    client.deploy([MACHINE])
    gateway.answering = lambda flow, command, to: Reply(to, flow, "SUCCEEDED", command.input)
    assert client.start("orders", {"n": BIG}, wait="5s")["output"] == {"n": BIG}


def test_problems_come_back_as_the_errors_they_were(gateway: Any, client: Client) -> None:
    with pytest.raises(UnknownName, match="there is no blueprint") as unknown:
        client.start("ordres")
    assert "nothing has been deployed yet" in unknown.value.hint
    with pytest.raises(InvalidDocument, match="StartAt") as invalid:
        client.deploy([("o.yaml", {**MACHINE, "StartAt": "B"})])
    assert next(p.pointer for p in invalid.value.problems if p.severity == "error").endswith("/StartAt")
    with pytest.raises(BadInput, match="wait must be a time"):
        client.start("orders", wait="soon")
    gateway.answering = lambda flow, command, to: Reply(to, flow, "not-possible", detail="it has ended")
    with pytest.raises(NotPossible, match="it has ended"):
        client.pause("orders:1")
    gateway.answering = lambda flow, command, to: None
    with pytest.raises(NoAnswer, match="the command is on the log"):
        client.pause("orders:1")
    with pytest.raises(UnknownName, match="there is nothing at /v1/flows/orders:a/b"):
        client.flow("orders:a/b")


def test_no_gateway_is_said_with_what_to_do() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with Client(url) as nobody, pytest.raises(LogUnavailable, match=f"no gateway answers at {url}") as error:
            nobody.flows()
    assert "`sfc dev`" in error.value.hint


def test_another_program_at_the_address_is_said() -> None:
    import httpx

    other = httpx.MockTransport(lambda request: httpx.Response(404, text="<html>nothing</html>"))
    with (
        Client("http://other", transport=other) as client,
        pytest.raises(SfcError, match="404 that no gateway of SFC gives"),
    ):
        client.flows()


def test_records_are_published_and_followed(gateway: Any, client: Client) -> None:
    answer = client.publish("order_created", [(b"k", b'{"n": 1}'), (None, b"\xff"), (b"t", None)])
    assert answer == {"topic": "order_created", "published": 3, "made": True, "triggers": []}
    assert {"name": "order_created", "partitions": 2} in client.topics()
    found = sorted(client.tail("order_created", from_beginning=True, limit=3), key=lambda r: str(r.get("key")))
    assert [r.get("value", "absent") for r in found] == ["absent", '{"n": 1}', None]
    assert found[0]["value_base64"] == "/w=="
    assert list(client.tail("order_created", timeout=0.1)) == []
    with pytest.raises(UnknownName, match="there is no topic order_craeted") as unknown:
        next(client.tail("order_craeted"))
    assert unknown.value.hint == "Did you mean 'order_created'?"


def test_the_tail_shows_what_comes_after_it_began(gateway: Any, client: Client) -> None:
    client.publish("t", [(b"k", b"before")])
    lines = client._http.stream("GET", "/v1/dev/topics/t/records", params={"limit": 1})
    with lines as answer:
        client.publish("t", [(b"k", b"after")])
        (line,) = [line for line in answer.iter_lines() if line]
    assert '"value":"after"' in line


@pytest.mark.parametrize(
    ("line", "said"),
    [
        (b"nope", "line 2 of a batch must be JSON"),
        (b"[]", "line 2 of a batch must be an object"),
        (b'{"value": {"n": 1}}', "line 2 of a batch: value must be text"),
        (b'{"value_base64": "?"}', "line 2 of a batch: value_base64 is no base64"),
        (b'{"value": "v", "headers": []}', "headers must be an object"),
    ],
)
def test_a_batch_with_a_bad_line_publishes_nothing(gateway: Any, client: Client, line: bytes, said: str) -> None:
    answer = client._http.post("/v1/dev/topics/t", content=b'{"value": "v"}\n' + line)
    assert answer.status_code == 400
    assert said in answer.json()["detail"]
    assert "t" not in gateway.log.topics()


def test_on_kafka_publishing_to_a_missing_topic_names_the_command(gateway: Any) -> None:
    server = serve(gateway.app(embedded=False), "127.0.0.1", 0)
    try:
        with Client(server.url) as client, pytest.raises(UnknownName, match="there is no topic orders") as unknown:
            client.publish("orders", [(None, b"{}")])
    finally:
        server.stop()
    assert "kafka-topics.sh --create --topic orders --partitions 2" in unknown.value.hint


def test_the_development_endpoints_are_absent_elsewhere(gateway: Any) -> None:
    server = serve(gateway.app(dev=False), "127.0.0.1", 0)
    try:
        with Client(server.url) as client, pytest.raises(UnknownName, match="no access to topics") as refused:
            client.topics()
    finally:
        server.stop()
    assert "--kafka" in refused.value.hint


def test_the_server_listens_at_once_and_a_taken_address_is_said(gateway: Any) -> None:
    began = time.monotonic()
    server = serve(gateway.app(), "127.0.0.1", 0)
    assert time.monotonic() - began < 5
    with pytest.raises(BadInput, match=f"can't listen on 127.0.0.1:{server.port}"):
        serve(gateway.app(), "127.0.0.1", server.port)
    server.stop()
    with Client(server.url) as client:
        assert not client.ready()
