"""Bulk requests against a server that is told what to answer."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, cast

import pytest
from elastic_transport import ApiResponseMeta, HttpHeaders, NodeConfig
from elasticsearch import ApiError, Elasticsearch

from sfc.adapters.elasticsearch.bulk import PAUSES_S, Action, Bulk
from sfc.adapters.elasticsearch.documents import RUN_BITS, SEQ_BITS, document_id, version_of
from sfc.adapters.elasticsearch.generations import features_of
from sfc.adapters.elasticsearch.server import Server
from sfc.adapters.elasticsearch.templates import EVENTS, Features, component_templates, index_templates
from sfc.errors import BadInput, IndexFailed, IndexUnavailable

Answer = Callable[[str, str], tuple[int, str]]  # id and body of a document: status and kind of error


def api_error(status: int) -> ApiError:
    meta = ApiResponseMeta(status, "1.1", HttpHeaders(), 0.0, NodeConfig("http", "es", 9200))
    return ApiError("refused", meta, {"error": "refused"})


class FakeServer:
    """Answers each document as it is told; ``whole``: statuses of the next requests as a whole."""

    shown = "http://es:9200"

    def __init__(self, answer: Answer, whole: list[int] | None = None) -> None:
        self.asked: list[list[str]] = []
        self._answer = answer
        self._whole = whole or []

    @contextmanager
    def asking(self) -> Iterator[FakeServer]:
        yield self

    def bulk(self, *, operations: list[bytes], filter_path: str) -> dict[str, Any]:
        heads = [json.loads(line) for line in operations[::2]]
        ids = [next(iter(head.values()))["_id"] for head in heads]
        self.asked.append(ids)
        if self._whole:
            raise api_error(self._whole.pop(0))
        items = []
        for head, id_, body in zip(heads, ids, operations[1::2], strict=True):
            status, kind = self._answer(id_, body.decode())
            items.append({next(iter(head)): {"status": status, **({"error": {"type": kind, "reason": "why"}} if kind else {})}})
        return {"items": items}


def action(id_: str, op: str = "create", **more: Any) -> Action:
    return Action(op, "test", id_, b'{"payload": 1}', {}, **more)


def send(server: FakeServer, *actions: Action) -> tuple[Bulk, list[float]]:
    slept: list[float] = []
    bulk = Bulk(cast("Server", server), slept.append)
    bulk.send(actions)
    return bulk, slept


def test_what_is_there_already_is_a_success() -> None:
    server = FakeServer(lambda id_, _: (409, "version_conflict_engine_exception") if id_ == "b" else (201, ""))
    send(server, action("a"), action("b"), action("c"))
    assert server.asked == [["a", "b", "c"]]


def test_only_what_an_overloaded_server_did_not_take_is_sent_again_after_growing_pauses() -> None:
    tries: dict[str, int] = {"b": 2, "d": 1}

    def answer(id_: str, _: str) -> tuple[int, str]:
        tries[id_] = tries.get(id_, 0) - 1
        return (429, "es_rejected_execution_exception") if tries[id_] >= 0 else (201, "")

    server = FakeServer(answer)
    _, slept = send(server, *map(action, "abcd"))
    assert server.asked == [["a", "b", "c", "d"], ["b", "d"], ["b"]]
    assert slept == list(PAUSES_S[:2])


def test_a_request_that_is_refused_whole_is_sent_again_whole() -> None:
    server = FakeServer(lambda *_: (201, ""), whole=[429])
    send(server, action("a"), action("b"))
    assert server.asked == [["a", "b"], ["a", "b"]]


def test_a_server_that_stays_overloaded_counts_as_away() -> None:
    server = FakeServer(lambda *_: (503, "unavailable_shards_exception"))
    with pytest.raises(IndexUnavailable, match="has not taken 1 documents"):
        send(server, action("a"))
    assert len(server.asked) == len(PAUSES_S) + 1


def test_a_conflict_of_an_update_is_no_success() -> None:
    statuses = iter([409, 200])
    server = FakeServer(lambda *_: (next(statuses), ""))
    send(server, action("a", "update"))
    assert server.asked == [["a"], ["a"]]


def test_a_payload_that_the_server_cannot_take_is_left_out_and_then_the_document() -> None:
    server = FakeServer(lambda id_, body: (201, "") if id_ == "a" and "payload" not in body else (400, "document_parsing_exception"))
    bulk, _ = send(server, action("a", plain=b"{}"), action("b", plain=b"{}"), action("c"))
    assert server.asked == [["a", "b", "c"], ["a", "b"]]
    assert bulk.left_out == 2


@pytest.mark.parametrize(("status", "error"), [(403, IndexFailed), (404, IndexUnavailable)])
def test_an_index_that_must_not_be_written_or_is_gone_stops_the_bulk(status: int, error: type[Exception]) -> None:
    with pytest.raises(error):
        send(FakeServer(lambda *_: (status, "security_exception")), action("a"))


def test_large_bulks_are_sent_in_portions() -> None:
    server = FakeServer(lambda *_: (201, ""))
    send(server, *(action(str(n)) for n in range(4_100)))
    assert [len(ids) for ids in server.asked] == [2_000, 2_000, 100]


def test_a_higher_run_always_wins_and_then_the_higher_number() -> None:
    order = [(0, 0), (0, 1), (0, 2**SEQ_BITS + 5), (1, 0), (1, 7), (2**RUN_BITS - 1, 3), (2**RUN_BITS + 9, 4)]
    versions = [version_of(*pair) for pair in order]
    assert versions == sorted(versions)
    assert len(set(versions)) == len(versions)
    assert versions[-1] < 2**63


def test_an_id_that_is_too_long_is_hashed() -> None:
    assert document_id("a" * 512) == "a" * 512
    assert len(document_id("ä" * 257)) == 64


def test_features_are_used_where_the_server_has_them() -> None:
    assert component_templates("sfc", Features(ilm=True, lifecycle=True))["sfc-events-life"] == {
        "settings": {"index.lifecycle.name": "sfc-events"}
    }
    assert component_templates("sfc", Features(ilm=False, lifecycle=True))["sfc-events-life"] == {"lifecycle": {"enabled": True}}
    assert component_templates("sfc", Features(ilm=False, lifecycle=False))["sfc-events-life"] == {}
    assert [name for name, body in index_templates("sfc").items() if "data_stream" in body] == [f"sfc-{EVENTS}"]


class Asked:
    """A client that answers with statuses by path."""

    def __init__(self, statuses: dict[str, int]) -> None:
        self._statuses = statuses

    def perform_request(self, _method: str, path: str, **_more: Any) -> None:
        if (status := self._statuses.get(path, 200)) >= 400:
            raise api_error(status)


def test_the_server_is_asked_for_its_features() -> None:
    def ask(**statuses: int) -> Features:
        paths = {"/_ilm/policy": statuses.get("ilm", 200), "/_lifecycle/stats": statuses.get("lifecycle", 200)}
        return features_of(cast("Elasticsearch", Asked(paths)))

    assert ask() == Features(ilm=True, lifecycle=True)
    assert ask(ilm=400, lifecycle=403) == Features(ilm=False, lifecycle=False)
    with pytest.raises(ApiError):
        ask(ilm=503)


def test_a_url_that_is_none_is_told() -> None:
    with pytest.raises(BadInput, match="no URL of Elasticsearch") as caught:
        Server("localhost")
    assert "http://127.0.0.1:9200" in caught.value.hint
