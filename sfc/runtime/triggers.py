"""The trigger role: consumes the input topics of all active topic triggers, and starts their flows."""

from __future__ import annotations

import time
from collections.abc import Callable

from sfc.errors import BadInput
from sfc.log import get_logger
from sfc.ports import Log
from sfc.runtime.carrier import Carrier
from sfc.runtime.definitions import Definitions
from sfc.runtime.topic_trigger import TopicTrigger
from sfc.wire.definitions import TriggerRecord
from sfc.wire.topics import Names

BATCH = 1_000
SLICE_S = 0.005  # several triggers are waited for in turn
RETRY_S = 1.0
SAY_AGAIN_S = 60.0
_ACTIVE = ("enabled", "paused", "disabled")

_log = get_logger()
_Key = tuple[str, str]  # blueprint, trigger id


class TriggerRole:
    """See ``sfc.runtime.roles.Role``. ``shards``: partitions of ``sfc.commands``. ``definitions`` is stepped by somebody else. ``now_s``: a
    monotonic clock."""

    def __init__(self, log: Log, names: Names, shards: int, definitions: Definitions, now_s: Callable[[], float] = time.monotonic) -> None:
        self._now_s = now_s
        self._log = log
        self._names = names
        self._definitions = definitions
        self._carrier = Carrier(log, names, shards, now_s)
        self._triggers: dict[_Key, TopicTrigger] = {}
        self._revision = -1
        self._retry_s = 0.0
        self._missing: dict[_Key, float] = {}  # triggers whose topic is not there; when to say so again
        self._left: dict[_Key, float] = {}  # triggers that were replaced, and when the new ones may join
        self._turn = 0

    @property
    def ready(self) -> bool:
        return self._revision >= 0

    def step(self, timeout_s: float = 0.1) -> int:
        """Carries what has come. Raises ProducerFailed: the work then resumes from the committed positions, in a new role."""
        if not self._definitions.ready:
            self._definitions.wait_change(timeout_s)
            return 0
        if self._definitions.revision != self._revision or ((self._missing or self._left) and self._now_s() >= self._retry_s):
            self._follow()
        carried = self._take(timeout_s)
        if self._carrier.due(carried):
            self._commit()
        return carried

    def close(self) -> None:
        """Commits and leaves the groups."""
        try:
            for trigger in self._triggers.values():
                trigger.close()
        finally:
            self._triggers.clear()
            self._carrier.close()

    def _take(self, timeout_s: float) -> int:
        triggers = list(self._triggers.values())
        if not triggers:
            self._definitions.wait_change(min(timeout_s, RETRY_S))
            return 0
        if len(triggers) == 1:
            return triggers[0].take(BATCH, timeout_s)
        carried = sum(trigger.take(BATCH, 0) for trigger in triggers)
        deadline = self._now_s() + timeout_s
        while not carried and (left := deadline - self._now_s()) > 0:
            self._turn += 1
            carried = triggers[self._turn % len(triggers)].take(BATCH, min(left, SLICE_S))
        return carried

    def _commit(self) -> None:
        """Commands first, offsets after (EXACTLY-ONCE 4)."""
        self._carrier.flush()
        for trigger in self._triggers.values():
            trigger.commit()

    # ---- edits

    def _follow(self) -> None:
        """New triggers join, those that are gone leave, the others learn of their edits."""
        self._revision = self._definitions.revision
        self._retry_s = self._now_s() + RETRY_S
        wanted: dict[_Key, tuple[TriggerRecord, bool]] = {}
        for head in list(self._definitions.heads.values()):
            current = self._definitions.current(head.name)
            if head.status in _ACTIVE and current is not None:
                paused = head.status != "enabled" or bool(self._definitions.held(current))
                wanted.update(((head.name, t.id), (t, paused)) for t in head.triggers)
        for key, running in list(self._triggers.items()):
            if key not in wanted or (wanted[key][0].uid, wanted[key][0].topic) != (running.trigger.uid, running.trigger.topic):
                del self._triggers[key]
                running.close()
                # The deploy says where the new one begins, which it can only while the group has no members.
                self._left[key] = self._now_s() + RETRY_S
        self._left = {key: until for key, until in self._left.items() if key in wanted}
        self._missing = {key: said for key, said in self._missing.items() if key in wanted}
        for key, (trigger, paused) in wanted.items():
            try:
                if key not in self._triggers:
                    self._join(key, trigger)
                if key in self._triggers:
                    self._triggers[key].follow(trigger, paused=paused)
            except BadInput as e:
                _log.error(e.message, action="trigger-unusable", blueprint=key[0], trigger=trigger.id)

    def _join(self, key: _Key, trigger: TriggerRecord) -> None:
        if self._now_s() < self._left.get(key, 0.0):
            return
        self._left.pop(key, None)
        topic = self._log.describe(trigger.topic)
        if topic is None:
            now = self._now_s()
            if now >= self._missing.get(key, 0.0):
                self._missing[key] = now + SAY_AGAIN_S
                _log.warning(
                    f"trigger {trigger.id} of {key[0]} waits for topic {trigger.topic}, which is not there: make it, or publish to it",
                    action="topic-missing", blueprint=key[0], topic=trigger.topic,
                )  # fmt: skip
            return
        is_new = self._missing.pop(key, None) is not None
        self._triggers[key] = TopicTrigger(
            self._log, self._names, self._definitions, self._carrier, key[0], trigger, topic, topic_is_new=is_new, now_s=self._now_s
        )
