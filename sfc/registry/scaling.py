"""What may stand in ``Scale``: how many workers a task or a specific blueprint has."""

from __future__ import annotations

import re
from typing import Any

from sfc.registry.shapes import Checks, join, shown
from sfc.wire.scale import REPLICAS_MAX

LAG_MAX = 1_000_000_000
_MODULE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*").fullmatch


def check_scale(checks: Checks, value: Any, at: str, *, module_needed: bool) -> None:
    """``module_needed``: nothing could be started without one (workers of a specific blueprint do HTTP jobs without any)."""
    scale = checks.fields(value, at, ["Min", "Max", "LagPerReplica", "Module"], ["Module"] if module_needed else [])
    low = _whole(checks, scale, at, "Min", 0, REPLICAS_MAX)
    high = _whole(checks, scale, at, "Max", 1, REPLICAS_MAX)
    _whole(checks, scale, at, "LagPerReplica", 1, LAG_MAX)
    if low is not None and high is not None and low > high:
        checks.add("wrong-value", join(at, "Max"), f"Max {high} is less than Min {low}.", f"Write {low} or more.")
    if "Module" in scale and (not isinstance(scale["Module"], str) or not _MODULE(scale["Module"])):
        checks.add("bad-module", join(at, "Module"), f"expected a Python module as in `import`, came {shown(scale['Module'])}.",
                   "Write for example shop.workers.")  # fmt: skip


def _whole(checks: Checks, scale: dict[str, Any], at: str, field: str, least: int, most: int) -> int | None:
    if field not in scale:
        return None
    value = scale[field]
    if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
        checks.add("wrong-value", join(at, field), f"expected a whole number from {least} to {most}, came {shown(value)}.")
        return None
    return value
