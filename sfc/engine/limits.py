"""How large and how deep things may be: known before they are written (EXACTLY-ONCE 27)."""

from __future__ import annotations

import re
from itertools import accumulate

DEPTH_MAX = 200  # lists and objects within each other; what reads and writes them needs a few calls per level, of the interpreter's 1,000
PORTION_STEPS = 2_000  # transitions of one decision, and bytes of payloads that it tells the history: a flow with several branches yields
PORTION_BYTES = 4 * 1024 * 1024  # there, so that the other flows of its shard get their turn
HISTORY_BYTES_MAX = 16 * 1024 * 1024  # of the payloads that one decision tells the history
ERROR_CHARACTERS_MAX = 256
CAUSE_CHARACTERS_MAX = 32_768
REASON_CHARACTERS_MAX = 4_096
TRACEPARENT_CHARACTERS_MAX = 256  # W3C's have 55; a longer one is nobody's

# One that is not closed reaches to the end: else each of its quotes would be tried, and 8 MB of them would take hours.
_strings = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)
_BRACKETS = bytes.maketrans(b"{}", b"[]")
_STEP = {ord("["): 1, ord("]"): -1}
_OTHERS = bytes(set(range(256)) - set(b"[]{}"))


def is_too_deep(json: bytes, levels: int = DEPTH_MAX) -> bool:
    """Whether JSON text is nested deeper than so many levels. Most texts have fewer brackets, and cost two counts."""
    if json.count(b"[") + json.count(b"{") <= levels:
        return False
    brackets = _strings.sub(b"", json).translate(_BRACKETS, _OTHERS)
    taken = 0
    while brackets:  # takes the innermost pairs away: each time by one level, and as long as much goes with it
        fewer = brackets.replace(b"[]", b"")
        if 2 * len(fewer) > len(brackets):
            break
        brackets = fewer
        taken += 1
    return taken + max(accumulate(map(_STEP.__getitem__, brackets)), default=0) > levels


def cut(text: str | None, characters: int) -> str | None:
    """The text's beginning."""
    return text if text is None or len(text) <= characters else text[:characters]
