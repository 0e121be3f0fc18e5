"""The reply bridge: answers that services give on reply topics of their own, carried over to ``sfc.commands``.

A task definition names its ``ReplyTopic`` and how an answer finds its flow (``Correlate``): ``Header``: the job's headers come back
(or the named one holds the token), ``Key``: only the record's key comes back, which is the flow id. Answers carry source and mark, so that
a repeated one is dropped; offsets are committed only behind what the log has acknowledged.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from sfc.engine.commands import AnswerByKey, Command, Complete, Fail
from sfc.engine.sizes import DATA_LIMIT
from sfc.errors import LogError, LogUnavailable, MalformedRecord, RecordTooLarge
from sfc.log import get_logger
from sfc.ports import Consumer, Log, Partition, Position, Record
from sfc.runtime.carrier import Carrier, mark_of
from sfc.runtime.definitions import Definitions
from sfc.runtime.intake import is_flow_id
from sfc.wire import headers
from sfc.wire.commands import decode_reply
from sfc.wire.payload import decode_any
from sfc.wire.topics import Names

_log = get_logger()

RETRY_S = 5.0  # until a reply topic that was missing is looked for again
LOOK_AGAIN_S = 60.0  # until one that is there is looked at: it may have been made anew


@dataclass(frozen=True)
class Route:
    """How the answers of one task come back."""

    task: str
    topic: str
    correlate: str  # header, key
    header: str


class BridgeRole:
    """One consumer for each task that has a reply topic. ``definitions`` is stepped by somebody else. ``now_s``: a monotonic clock."""

    def __init__(self, log: Log, names: Names, shards: int, definitions: Definitions, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._log_port = log
        self._names = names
        self._definitions = definitions
        self._seen = -1
        self._carrier = Carrier(log, names, shards, now_s)
        self._consumers: dict[Route, Consumer] = {}
        self._sources: dict[Route, tuple[str, str]] = {}  # source of its commands, topic id
        self._missing_until_s: dict[Route, float] = {}
        self._next: dict[Route, dict[int, int]] = {}  # the offset that comes next, by partition
        self._look_s = self._now_s() + LOOK_AGAIN_S

    @property
    def ready(self) -> bool:
        return self._definitions.ready

    def step(self, timeout_s: float = 0.1) -> int:
        """Carries over what has come on all reply topics."""
        self._follow()
        if not self._consumers:
            self._definitions.wait_change(timeout_s)
            return 0
        carried = 0
        now_s = self._now_s()
        look = now_s >= self._look_s
        if look:
            self._look_s = now_s + LOOK_AGAIN_S
        for route, consumer in list(self._consumers.items()):
            records = consumer.take(1_000, timeout_s / len(self._consumers))
            if (look or self._goes_back(route, records)) and self._made_anew(route):
                continue  # what was taken is read again, under the new topic's name
            if not records:
                continue
            for record in records:
                self._carry(route, record)
            self._carrier.commit(consumer, records)
            carried += len(records)
        return carried

    def _goes_back(self, route: Route, records: list[Record]) -> bool:
        """Whether offsets begin, or begin again: a partition given back to us may do that, and a topic that was made anew does."""
        following = self._next.setdefault(route, {})
        back = any(record.offset < following.get(record.partition, record.offset + 1) for record in records)
        for record in records:
            following[record.partition] = record.offset + 1
        return back

    def _made_anew(self, route: Route) -> bool:
        """Whether the route's topic is another one by now, whose offsets are marks of another source; then it is left, and joined again
        from its beginning."""
        try:
            info = self._log_port.describe(route.topic)
        except LogUnavailable:
            return False  # looked at again in a while
        if info is not None and info.id == self._sources[route][1]:
            return False
        what = f"reply topic {route.topic} of task {route.task} was deleted or made anew"
        _log.warning(what, action="reply-topic-anew", topic=route.topic)
        self._consumers.pop(route).close()
        self._next.pop(route, None)
        if info is not None:
            group = self._names.bridge_group(route.task)
            begin = self._log_port.starts([Partition(route.topic, n) for n in range(info.partitions)])
            try:
                self._log_port.set_group_positions(group, {p: Position(offset) for p, offset in begin.items()})
            except LogError as e:  # another bridge is in the group, and finds the same
                _log.info("a group's offsets were not set", action="bridge-reset-refused", group=group, reason=e.message)
        self._missing_until_s[route] = self._now_s()  # _follow looks for it at once
        return True

    def _follow(self) -> None:
        """Joins the reply topics of the current tasks, and leaves those that no task names any more."""
        if self._seen == self._definitions.revision and not self._missing_until_s:
            return
        self._seen = self._definitions.revision
        wanted = self._routes()
        for route in [r for r in self._consumers if r not in wanted]:
            self._consumers.pop(route).close()
            self._next.pop(route, None)
        now_s = self._now_s()
        for route in [r for r in wanted if r not in self._consumers]:
            if self._missing_until_s.get(route, 0.0) > now_s:
                continue
            info = self._log_port.describe(route.topic)
            if info is None:
                if route not in self._missing_until_s:
                    _log.warning(
                        f"reply topic {route.topic} of task {route.task} is not there", action="reply-topic-missing", topic=route.topic
                    )
                self._missing_until_s[route] = now_s + RETRY_S
                continue
            self._missing_until_s.pop(route, None)
            self._sources[route] = f"bridge/{route.task}/{info.id}", info.id
            self._consumers[route] = self._log_port.consumer(self._names.bridge_group(route.task), [route.topic])
        self._missing_until_s = {r: until for r, until in self._missing_until_s.items() if r in wanted}

    def _routes(self) -> list[Route]:
        """Of every task's versions, since older ones may still have jobs open; the latest one says how."""
        routes: dict[tuple[str, str], Route] = {}
        for task in sorted(self._definitions.tasks(), key=lambda t: (t.name, t.version)):
            kafka = task.document.get("Kafka") or {}
            topic = kafka.get("ReplyTopic")
            if topic:
                correlate = kafka.get("Correlate") or {"Header": headers.JOB}
                how, named = (correlate, "") if isinstance(correlate, str) else next(iter(correlate.items()))
                routes[task.name, topic] = Route(
                    task.name, topic, str(how).lower(), named if isinstance(named, str) and named else headers.JOB
                )
        return list(routes.values())

    def _carry(self, route: Route, record: Record) -> None:
        source, topic_id = self._sources[route]
        try:
            flow, command, bad_value = self._command(route, record)
        except MalformedRecord as e:
            self._carrier.dead_letter(record, topic_id, "unknown-token", e.message)
            return
        if not is_flow_id(flow):
            self._carrier.dead_letter(
                record, topic_id, "bad-flow-id", f"an answer of task {route.task} names {flow[:200]!r}, which is no flow's id"
            )
            return
        if bad_value:
            self._carrier.dead_letter(record, topic_id, "not-json", bad_value)
        source, mark = f"{source}/{record.partition}", mark_of(record)
        try:
            self._carrier.command(flow.decode(), command, source, mark)
        except RecordTooLarge as e:
            self._carrier.dead_letter(record, topic_id, "too-large", f"the answer can't be carried to its flow: {e.message}")
            self._carrier.command(flow.decode(), _too_large(command, e.message), source, mark)

    def _command(self, route: Route, record: Record) -> tuple[bytes, Command, str]:
        """Flow id, command, and why the value could not be read. Raises MalformedRecord when it can't be told whose answer it is."""
        head = list(record.headers)
        if route.correlate == "key":
            if not record.key:
                raise MalformedRecord(f"an answer of task {route.task} came without a key: the flow id, as in its job, was expected")
            error = headers.text(head, headers.ERROR)
            if error is not None:
                return record.key, AnswerByKey(route.task, failed=True, error=error, cause=headers.text(head, headers.CAUSE)), ""
            try:
                return record.key, AnswerByKey(route.task, decode_any(record.value) if record.value else None), ""
            except MalformedRecord as e:
                reason = f"the value of a reply must be JSON: {e.message}"
                return record.key, AnswerByKey(route.task, failed=True, error="States.Runtime", cause=reason), reason
        token = headers.text(head, route.header)
        if token is None:
            raise MalformedRecord(
                f"an answer of task {route.task} came without the header {route.header}: a job's headers come back with its answer"
            )
        flow = token.partition("/")[0].encode()
        received = decode_reply(flow, record.value, dict(head), token)
        return flow, received.command, received.bad_value

    def close(self) -> None:
        for consumer in self._consumers.values():
            consumer.close()
        self._carrier.close()


def _too_large(command: Command, cause: str) -> Command:
    """What the flow is told of an answer that no record of its shard can hold."""
    if isinstance(command, AnswerByKey):
        return AnswerByKey(command.task, failed=True, error=DATA_LIMIT, cause=cause)
    return Fail(command.token, DATA_LIMIT, cause) if isinstance(command, (Complete, Fail)) else command
