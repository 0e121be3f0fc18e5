"""Who leads: whoever owns the one partition of ``sfc.definitions`` in the consumer group ``sfc.scheduler``."""

from __future__ import annotations

from collections.abc import Callable

from sfc.log import get_logger
from sfc.ports import Log, Partition
from sfc.wire.topics import Names

_log = get_logger()


class Leadership:
    """A member of the group. It reads nothing: the partition is handed over paused, and only its ownership counts.

    ``ended`` is called while the partition is still ours, as far as that can be: with False when it is given back in good order (nobody
    else leads before it returns), with True when the group has put us out and somebody else may lead already.
    """

    def __init__(self, log: Log, names: Names, ended: Callable[[bool], None]) -> None:
        self.leads = False
        self._ended = ended
        self._consumer = log.consumer(
            names.scheduler_group,
            [names.definitions],
            paused=True,
            assigned=self._on_assigned,
            revoked=lambda partitions: self._end(False),
            lost=lambda partitions: self._end(True),
        )

    def step(self, timeout_s: float) -> None:
        self._consumer.take(1, timeout_s)

    def _on_assigned(self, partitions: list[Partition]) -> None:
        if partitions:
            self.leads = True
            _log.info("this scheduler leads", action="scheduler-leads")

    def _end(self, lost: bool) -> None:
        if self.leads:
            self.leads = False
            _log.info("this scheduler leads no more", action="scheduler-follows", put_out=lost)
            self._ended(lost)

    def close(self) -> None:
        self._consumer.close()
