"""Bulk requests: in portions, again for what an overloaded server did not take, and never again for what it took."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

import msgspec
from elasticsearch import ApiError

from sfc.adapters.elasticsearch.server import OVERLOADED, Server
from sfc.errors import IndexFailed, IndexUnavailable
from sfc.log import get_logger

PORTION = 2_000
PORTION_BYTES = 5 * 1024 * 1024
PAUSES_S = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)  # before another attempt; after the last one the server counts as away

_log = get_logger()


class Action(NamedTuple):
    """``target``: the index or data stream. ``options``: version and the like. ``plain``: a body that is sent where the server can't take
    the other; None: there is none."""

    op: str  # index, create or update
    target: str
    id: str
    body: bytes
    options: dict[str, Any]
    plain: bytes | None = None


class Bulk:
    """Raises IndexUnavailable when the server is away or stays overloaded. What it will never take is logged, left out and counted."""

    def __init__(self, server: Server, sleep: Callable[[float], None] = time.sleep) -> None:
        self.left_out = 0
        self._server = server
        self._sleep = sleep

    def send(self, actions: Sequence[Action]) -> None:
        for portion in _portions(actions):
            self._send(portion)

    def _send(self, portion: list[Action]) -> None:
        for pause_s in (*PAUSES_S, None):
            portion = self._attempt(portion)
            if not portion:
                return
            if pause_s is None:
                break
            self._sleep(pause_s)
        raise IndexUnavailable(
            f"Elasticsearch at {self._server.shown} is overloaded: it has not taken {len(portion)} documents",
            hint="nothing is lost: they are sent again",
        )

    def _attempt(self, portion: list[Action]) -> list[Action]:
        """What must be sent again."""
        lines: Any = [line for action in portion for line in (_head(action), action.body)]
        with self._server.asking() as es:
            try:
                answer = es.bulk(operations=lines, filter_path="items.*.status,items.*.error.type,items.*.error.reason")
            except ApiError as e:
                if e.meta.status == 429:
                    return portion
                raise
        again = []
        for action, item in zip(portion, answer["items"], strict=True):
            (result,) = item.values()
            left = self._judge(action, result["status"], result.get("error", {}))
            if left is not None:
                again.append(left)
        return again

    def _judge(self, action: Action, status: int, error: dict[str, str]) -> Action | None:
        """What is to be sent again for it. 409: the same document, or a later one, is there."""
        if status < 300 or (status == 409 and action.op != "update"):
            return None
        kind, reason = error.get("type", ""), error.get("reason", "")
        if status in (409, *OVERLOADED) or kind == "cluster_block_exception":
            return action
        if status == 404:
            raise IndexUnavailable(f"the index {action.target} is gone: {reason}", hint="it is made anew from the log")
        if status not in (400, 413):
            raise IndexFailed(f"Elasticsearch refused to write {action.target} ({status}): {reason}", hint="may this user write it?")
        if action.plain is not None:
            return action._replace(body=action.plain, plain=None)
        self.left_out += 1
        _log.warning("Elasticsearch can't take a document: it is left out", action="index.refused", document=action.id, reason=reason)
        return None


def _head(action: Action) -> bytes:
    return msgspec.json.encode({action.op: {"_index": action.target, "_id": action.id, **action.options}})


def _portions(actions: Sequence[Action]) -> Iterator[list[Action]]:
    portion: list[Action] = []
    size = 0
    for action in actions:
        if portion and (len(portion) >= PORTION or size + len(action.body) > PORTION_BYTES):
            yield portion
            portion, size = [], 0
        portion.append(action)
        size += len(action.body)
    if portion:
        yield portion
