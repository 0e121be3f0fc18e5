"""Lists in pages: ``limit``, ``cursor`` and ``next_cursor``, the same everywhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Annotated, Any

from fastapi import Query

from sfc.errors import BadInput
from sfc.monitor.paging import PAGE_MAX

Limit = Annotated[int, Query(ge=1, le=PAGE_MAX, description="How many at most.")]
Cursor = Annotated[str, Query(description="The `next_cursor` of the page before, as it came. None: the first page.")]

LIMIT = 50
_NUMBER_MAX = 2**63 - 1


def page(member: str, found: Sequence[Any], limit: int, cursor_of: Callable[[Any], str]) -> dict[str, Any]:
    """An answer of at most ``limit`` of what was found; ``found`` has one more where there are more.
    ``next_cursor`` is empty on the last page."""
    shown = found[:limit]
    return {member: shown, "next_cursor": cursor_of(shown[-1]) if len(found) > limit else ""}


def number_in(text: str, cursor: str) -> int:
    """A number within a cursor. Raises BadInput."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and int(text) <= _NUMBER_MAX):
        raise no_cursor(cursor)
    return int(text)


def no_cursor(cursor: str) -> BadInput:
    return BadInput(f"{cursor!r:.120} is no cursor: give back a page's next_cursor as it came")
