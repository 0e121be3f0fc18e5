"""Durations in buckets that grow by 5 %: a percentile of any number of them from a few hundred counts, right within 3 %."""

from __future__ import annotations

import math
from collections.abc import Mapping

EXACT_MS = 32  # below this every millisecond is a bucket of its own
_GROWTH = math.log(1.05)


def bucket_of(duration_ms: int) -> int:
    """A negative duration (a clock that went back) counts as none."""
    if duration_ms < EXACT_MS:
        return max(duration_ms, 0)
    return EXACT_MS + int(math.log(duration_ms / EXACT_MS) / _GROWTH)


def middle_of(bucket: int) -> float:
    """The duration that stands for a bucket, in milliseconds."""
    if bucket < EXACT_MS:
        return float(bucket)
    return EXACT_MS * math.exp((bucket - EXACT_MS + 0.5) * _GROWTH)


def percentile(buckets: Mapping[int, int], share: float) -> float:
    """The duration that ``share`` of all do not exceed, by nearest rank; 0 where there are none."""
    rank = math.ceil(sum(buckets.values()) * share)
    for bucket in sorted(buckets):
        rank -= buckets[bucket]
        if rank <= 0:
            return middle_of(bucket)
    return 0.0
