"""One job, as a task function gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from datetime import datetime
from typing import Any

import msgspec

from sfc.ports import Record
from sfc.wire import headers

_decode = msgspec.json.Decoder().decode
_UNREAD: Any = object()


class _Done:
    """Awaiting it takes no time."""

    def __await__(self) -> Generator[Any, None, None]:
        return
        yield


_DONE = _Done()


class Job:
    """One dispatched attempt of a task for a flow. It may come more than once: ``token`` is then the same, and so the idempotency key."""

    __slots__ = ("_beat", "_input", "headers", "record")

    def __init__(self, record: Record, beat: Callable[[Job], None]) -> None:
        self.record = record
        self.headers: dict[str, bytes] = dict(record.headers)
        self._beat = beat
        self._input: Any = _UNREAD

    @property
    def input(self) -> Any:
        """The task's effective input. Raises msgspec.DecodeError when the record's value is no JSON."""
        if self._input is _UNREAD:
            self._input = _decode(self.record.value) if self.record.value else None
        return self._input

    @property
    def token(self) -> str:
        return self._text(headers.JOB)

    @property
    def flow(self) -> str:
        return self._text(headers.FLOW)

    @property
    def blueprint(self) -> str:
        """``name@version``."""
        return self._text(headers.BLUEPRINT)

    @property
    def state(self) -> str:
        return self._text(headers.STATE)

    @property
    def task(self) -> str:
        """The task as the blueprint pins it: ``task:NAME@VERSION``, or a URL."""
        return self._text(headers.TASK)

    @property
    def attempt(self) -> int:
        """1 for the first attempt of the state."""
        text = self._text(headers.ATTEMPT)
        return int(text) if text.isdigit() else 1

    @property
    def deadline(self) -> datetime | None:
        """When the flow stops waiting for the answer."""
        text = self._text(headers.DEADLINE)
        try:
            return datetime.fromisoformat(text) if text else None
        except ValueError:
            return None

    def heartbeat(self) -> Awaitable[None]:
        """Sends a sign of life. It is sent at once: a task that is no coroutine calls it without ``await``."""
        self._beat(self)
        return _DONE

    def _text(self, name: str) -> str:
        return self.headers.get(name, b"").decode("utf-8", "replace")
