"""Pages of lists that are ordered by a time and an id, newest first."""

from __future__ import annotations

from sfc.errors import BadInput

PAGE_MAX = 1_000
LAST = 2**63 - 1


def check_limit(limit: int) -> None:
    if not 1 <= limit <= PAGE_MAX:
        raise BadInput(f"a page has 1 to {PAGE_MAX} entries, {limit} were asked for")


def make_cursor(time_ms: int, id: str) -> str:
    """Behind which entry the next page begins."""
    return f"{time_ms}:{id}"


def read_cursor(cursor: str) -> tuple[int, str]:
    time, colon, id_ = cursor.partition(":")
    is_number = time.isascii() and time.isdigit() and len(time) < 20
    if not (colon and is_number and int(time) <= LAST and id_ and "\x00" not in id_):
        raise BadInput(f"{cursor!r:.120} is no cursor: give back a page's next_cursor as it came")
    return int(time), id_
