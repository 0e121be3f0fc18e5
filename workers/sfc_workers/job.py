"""One job, as a task function gets it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Generator
from datetime import datetime
from typing import Any

import msgspec

from sfc.ports import Record
from sfc.wire import headers
from sfc.wire.http_call import CREDENTIALS
from sfc_workers.secrets import Opened, Secrets

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

    __slots__ = ("_beat", "_input", "_secrets", "headers", "opened", "record")

    def __init__(self, record: Record, beat: Callable[[Job], None], secrets: Secrets | None = None) -> None:
        self.record = record
        self.headers: dict[str, bytes] = dict(record.headers)
        self._beat = beat
        self._input: Any = _UNREAD
        self._secrets = secrets
        self.opened: Opened | None = None  # what was looked up, and must not leave the worker

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

    @property
    def credentials(self) -> str:
        """The name that the state's ``Credentials`` give, never a secret; '' for none."""
        return self._text(headers.CREDENTIALS)

    def secret(self, part: str = "") -> str:
        """The secret of the job's credentials, as this worker knows it: ``SFC_SECRET_NAME``, or a file in ``SFC_SECRETS_DIR``. ``part``:
        where there are several, ``user`` of ``billing`` is the secret ``billing.user``. Raises TaskError (``SFC.SecretMissing``).

        It is taken out of whatever the function returns or raises.
        """
        if self.opened is None:
            self.opened = Opened(self._secrets or Secrets(), self.credentials)
        return self.opened(CREDENTIALS + part)

    def heartbeat(self) -> Awaitable[None]:
        """Sends a sign of life. It is sent at once: a task that is no coroutine calls it without ``await``."""
        self._beat(self)
        return _DONE

    def _text(self, name: str) -> str:
        return self.headers.get(name, b"").decode("utf-8", "replace")
