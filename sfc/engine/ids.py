"""Names, draws and times that decide derives from what it is given: the same for the same arguments, always."""

from __future__ import annotations

from datetime import UTC, datetime
from hashlib import sha256

HASH_DIGITS = 8
CHILD_HASH_DIGITS = 40
FLOW_ID_CHARACTERS_MAX = 200
_DRAWS = float(2**64)


def token_stem(flow_id: str, run: int, seq: int) -> str:
    """A job token without its hash: ``<flow>/<run>/<seq>/``. ``seq`` is the number of the TaskScheduled event."""
    return f"{flow_id}/{run}/{seq}/"


def job_hash(task: str, state: str, value: bytes) -> str:
    """The token's hash: the first 8 hex digits of SHA-256 over task, state and input bytes (EXACTLY-ONCE 2)."""
    return sha256(f"{task}\0{state}\0".encode() + value).hexdigest()[:HASH_DIGITS]


def child_id(blueprint: str, parent: str, run: int, seq: int, index: int = -1) -> str:
    """The id of the flow that a flow starts: made of parent, run and the number of its TaskScheduled event, without the token's hash
    (EXACTLY-ONCE 2); of an iteration of a Map, of its MapRunStarted event and of the item's place. One that would be too long is
    hashed."""
    rest = f"{parent}.{run}.{seq}" if index < 0 else f"{parent}.{run}.{seq}-{index}"
    if len(blueprint) + 1 + len(rest) > FLOW_ID_CHARACTERS_MAX:
        rest = sha256(rest.encode()).hexdigest()[:CHILD_HASH_DIGITS]
    return f"{blueprint}:{rest}"


def map_run(token: str) -> str:
    """The name of a distributed Map's run, shaped as a UUID; made of the Map's token."""
    digits = sha256(token.encode()).hexdigest()
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:32]))


def draw(flow_id: str, run: int, seq: int) -> float:
    """A number in [0, 1) for the jitter of a retry, derived from the place in the flow's history."""
    digest = sha256(f"{flow_id}/{run}/{seq}/draw".encode()).digest()
    return int.from_bytes(digest[:8], "big") / _DRAWS


def rfc3339(time_ms: int) -> str:
    """Milliseconds since 1970 as RFC 3339 in UTC, as the context object shows times."""
    return datetime.fromtimestamp(time_ms // 1000, UTC).strftime("%Y-%m-%dT%H:%M:%S") + f".{time_ms % 1000:03d}Z"
