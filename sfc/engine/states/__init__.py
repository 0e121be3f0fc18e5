"""One small file per state type. A type is added by its file and its line in ``ENTER``."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.engine.flow import Branch
from sfc.engine.states import choice, fail, join, map, parallel, pass_, succeed, task, wait
from sfc.engine.turn import Turn

ENTER: dict[str, Callable[[Turn, Branch, Any], None]] = {
    "Task": task.enter,
    "Choice": choice.enter,
    "Pass": pass_.enter,
    "Wait": wait.enter,
    "Succeed": succeed.enter,
    "Fail": fail.enter,
    "Parallel": parallel.enter,
    "Join": join.enter,
    "Map": map.enter,
}
"""What a state does when it is entered, and when it is tried again; by its type."""
