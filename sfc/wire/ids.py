"""Flow ids: ``<blueprint>:<rest>``, at most 200 characters of ``[A-Za-z0-9._:-]`` (DESIGN section 8)."""

from __future__ import annotations

import hashlib
import re

ID_CHARACTERS_MAX = 200
_FITS = re.compile(r"[A-Za-z0-9._:-]+").fullmatch


def flow_id(blueprint: str, rest: str) -> str:
    """The id made of a chosen rest (a trigger's path, a caller's key); one that does not fit is hashed: SHA-256, 40 hex digits."""
    whole = f"{blueprint}:{rest}"
    if len(whole) <= ID_CHARACTERS_MAX and _FITS(rest):
        return whole
    return f"{blueprint}:{hashlib.sha256(rest.encode()).hexdigest()[:40]}"


def blueprint_of(flow: str) -> str:
    """The blueprint's name in a flow id."""
    return flow.partition(":")[0]
