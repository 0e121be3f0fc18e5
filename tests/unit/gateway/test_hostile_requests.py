"""Bodies, queries and headers that nobody means well with: each gets a clear refusal, or is taken as it is; never a 5xx."""

from __future__ import annotations

import json
from itertools import product
from typing import Any
from urllib.parse import quote

import pytest
from fastapi.testclient import TestClient

from sfc.ports import Partition

DEEP = b"[" * 100_000 + b"]" * 100_000
ALIASES = b"a0: &a0 [x]\n" + b"".join(b"a%d: &a%d [%s]\n" % (n, n, b",".join([b"*a%d" % (n - 1)] * 9)) for n in range(1, 9))
BODIES = {
    "deep": DEEP,
    "deep object": b'{"a":' * 50_000 + b"1" + b"}" * 50_000,
    "deep in a member": b'{"reason": "x", "input": ' + DEEP + b"}",
    "deeper than a payload may be": b"[" * 300 + b"]" * 300,
    "huge integer": b'{"input": ' + b"9" * 5_000 + b', "to": ' + b"9" * 5_000 + b', "min": ' + b"9" * 400 + b"}",
    "huge exponent": b'{"input": 1e999999, "min": 1e400, "to": 1e400}',
    "not a number": b'{"input": NaN}',
    "NUL": b'{"reason": "a\\u0000b", "name": "\\u0000", "value": "\\u0000", "source": "\\u0000"}',
    "raw NUL": b'{"reason": "a\x00b"}',
    "half a character": b'{"reason": "\\ud83d", "input": "\\ud83d", "value": "\\udc00"}',
    "half a character in a document": b'{"StartAt": "\\ud83d", "States": {"\\ud83d": {"Type": "Pass", "End": true}}, "Name": "split"}',
    "NUL in a document": b'{"StartAt": "A", "Comment": "\\u0000", "States": {"A": {"Type": "Pass", "End": true}}, "Name": "split"}',
    "no UTF-8": b'{"reason": "\xff\xfe"}',
    "UTF-16": '{"reason": "x"}'.encode("utf-16"),
    "mark in front": b'\xef\xbb\xbf{"reason": "x"}',
    "the same member twice": b'{"reason": "x", "reason": "y"}',
    "aliases": ALIASES,
    "an object of its own kind": b"!!python/object/apply:os.system ['true']",
    "itself": b"&a [*a]",
    "a number": b"1",
    "null": b"null",
    "a list": b"[]",
    "a list of lists": b"[[]]",
    "text": b'"x"',
}
TAKING = [
    ("POST", "/v1/blueprints/orders/flows"),
    ("POST", "/v1/flows/orders:o-1/pause"),
    ("POST", "/v1/flows/orders:o-1/stop"),
    ("POST", "/v1/flows/orders:o-1/redrive"),
    ("POST", "/v1/deploy"),
    ("PUT", "/v1/blueprints/orders"),
    ("PUT", "/v1/tasks/split"),
    ("POST", "/v1/blueprints/orders/rollback"),
    ("POST", "/v1/blueprints/orders/diff"),
    ("POST", "/v1/blueprints/orders/pause"),
    ("POST", "/v1/groups/shop/stop"),
    ("PUT", "/v1/drafts/blueprint/orders"),
    ("PUT", "/v1/workers/task:split"),
    ("POST", "/v1/dead-letters/x/replay"),
    ("POST", "/v1/keys"),
    ("POST", "/v1/dev/topics/numbers"),
]


@pytest.mark.parametrize("media", ["application/json", "application/yaml"])
def test_no_body_makes_a_gateway_fail(deployed: TestClient, media: str) -> None:
    for name, body in BODIES.items():
        for method, path in TAKING if media == "application/json" else TAKING[5:6]:
            answer = deployed.request(method, path, content=body, headers={"Content-Type": media})
            assert answer.status_code < 500, (name, method, path, answer.text[:500])
            assert answer.json(), (name, method, path)
            if answer.is_error:
                assert answer.headers["content-type"] == "application/problem+json"
                assert len(answer.content) < 10_000, (name, method, path)


def test_integers_of_any_size_come_back_as_they_were(gateway: Any, deployed: TestClient) -> None:
    digits = "9" * 4_000
    answer = deployed.post("/v1/blueprints/orders/flows", content=f'{{"n": {digits}}}')
    assert answer.status_code in (202, 400), answer.text
    if answer.status_code == 202:
        assert json.dumps(gateway.commands[-1][1].input) == f'{{"n": {digits}}}'


def test_no_query_makes_a_gateway_fail(deployed: TestClient) -> None:
    words = ["x" * 60_000, "\x00", "%00", "a\x00b", "\ud83d", "' OR 1=1 --", "%", "_", "../..", "\u202e", "²"]
    queries = {
        "/v1/flows": ["q", "error", "state", "blueprint", "status", "started_from", "cursor", "version", "limit"],
        "/v1/dead-letters": ["cursor", "state", "limit"],
        "/v1/statistics": ["blueprint"],
        "/v1/statistics/throughput": ["blueprint", "from", "to", "step"],
        "/v1/flows/orders:o-1/history": ["run", "cursor", "limit"],
        "/v1/blueprints/orders": ["version"],
        "/v1/blueprints/orders/diff": ["from", "to"],
        "/v1/dev/topics/numbers/records": ["from", "limit", "timeout"],
    }
    for path, names in queries.items():
        for name, word in product(names, words):
            answer = deployed.get(f"{path}?{name}={quote(word, errors='surrogatepass')}")
            assert answer.status_code < 500, (path, name, answer.text[:500])
            assert len(answer.content) < 10_000, (path, name, word[:20])


def test_no_name_makes_a_gateway_fail(deployed: TestClient) -> None:
    reads = (
        *("/v1/flows/{}", "/v1/flows/orders:{}", "/v1/blueprints/{}", "/v1/tasks/{}", "/v1/groups/{}", "/v1/drafts/{}/x"),
        *("/v1/drafts/task/{}", "/v1/dead-letters/{}", "/v1/schedules/{}/x", "/v1/schedules/orders/{}"),
        "/v1/dev/topics/{}/records?timeout=0",
    )
    writes = ("/v1/blueprints/{}/flows", "/v1/tasks/{}/pause", "/v1/groups/{}/stop", "/v1/keys/{}/revoke", "/v1/dead-letters/{}/discard")
    for text in ("x" * 10_000, "%00", "a%00b", "%ED%A0%BD", "%FF", "a@b", "A", "²", "é:1"):
        for method, pattern in [*(("GET", read) for read in reads), *(("POST", write) for write in writes)]:
            answer = deployed.request(method, pattern.format(text))
            assert 400 <= answer.status_code < 500, (pattern, text[:20], answer.text[:500])
        answer = deployed.post(f"/v1/dev/topics/{text}", content=b'{"value": "1"}')
        assert answer.status_code < 500, answer.text


def test_no_header_makes_a_gateway_fail(deployed: TestClient) -> None:
    names = (b"Idempotency-Key", b"Sfc-By", b"traceparent", b"Authorization", b"Content-Type", b"Content-Length")
    for name, value in product(names, (b"x" * 20_000, b"\xff", b"\xed\xa0\xbd", b"", b"-1")):
        for path in ("/v1/blueprints/orders/flows", "/v1/flows/orders:o-1/redrive"):
            answer = deployed.post(path, content=b"{}", headers=[(name, value)])
            assert answer.status_code < 500, (name, value[:20], answer.text)


@pytest.mark.parametrize("topic", ["state", "history", "definitions"])
def test_what_sfc_alone_writes_is_published_by_nobody_else(gateway: Any, deployed: TestClient, topic: str) -> None:
    own = f"{gateway.names.namespace}.{topic}"
    before = gateway.log.ends([Partition(own, 0)])
    answer = deployed.post(f"/v1/dev/topics/{own}", content=b'{"key": "settings", "value": "{}"}')
    assert answer.status_code == 409
    assert gateway.log.ends([Partition(own, 0)]) == before
