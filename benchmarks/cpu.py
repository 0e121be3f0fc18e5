"""CPU time of processes, as the kernel counts it: unlike a wall clock it does not mind who else uses the machine."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

_TICKS_PER_S = os.sysconf("SC_CLK_TCK")


def seconds_of(pid: int) -> float:
    """CPU seconds of a process and its threads since it began; 0 when there is none of that number."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    return (int(fields[11]) + int(fields[12])) / _TICKS_PER_S


def rss_mb(pid: int) -> float:
    """Resident memory of a process in MiB."""
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1024**2


class Watched:
    """CPU seconds of several processes from now on."""

    def __init__(self, pids: Mapping[str, int]) -> None:
        self._pids = dict(pids)
        self._before = {name: seconds_of(pid) for name, pid in self._pids.items()}

    def per_1000(self, flows: int) -> dict[str, float]:
        """CPU seconds for each 1,000 flows, by name."""
        return {name: round((seconds_of(pid) - self._before[name]) * 1000 / max(1, flows), 3) for name, pid in self._pids.items()}


def named(pairs: list[str]) -> dict[str, int]:
    """``name=pid`` of a command line."""
    return {name: int(pid) for name, _, pid in (pair.partition("=") for pair in pairs)}
