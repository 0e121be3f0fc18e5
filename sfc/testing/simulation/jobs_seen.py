"""Jobs as they lie in their topics, by token."""

from __future__ import annotations

from sfc.ports import Record
from sfc.wire import headers

Copy = tuple[str, bytes | None, bytes | None, tuple[tuple[str, bytes], ...]]


class JobsSeen:
    """``copies``: how many there are of each token; ``first``: what the first one is."""

    def __init__(self) -> None:
        self.copies: dict[str, int] = {}
        self.first: dict[str, Copy] = {}

    def take(self, record: Record) -> str:
        """Returns how this copy differs from the first one, "" when it does not."""
        token = headers.text(record.headers, headers.JOB)
        if token is None:
            return f"a record of {record.topic} has no token"
        copy: Copy = record.topic, record.key, record.value, tuple(record.headers)
        self.copies[token] = self.copies.get(token, 0) + 1
        first = self.first.setdefault(token, copy)
        return "" if first == copy else f"job {token} is in its topic as {first!r} and as {copy!r}"
