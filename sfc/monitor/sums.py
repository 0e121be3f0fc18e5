"""From counted rows to statistics: what every adapter shows, whichever way it counts."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from sfc.errors import BadInput
from sfc.monitor.histogram import percentile
from sfc.ports import BlueprintStatistics, StateStatistics, Statistics, Throughput

SLICES_MAX = 1_000


class FlowCount(NamedTuple):
    """How many flows are alike. ``held``: something holds them."""

    blueprint: str
    version: int
    status: str
    held: bool
    flows: int


class StateCount(NamedTuple):
    """``timed``: the completed visits whose duration is known; ``total_ms``: theirs together."""

    entered: int
    completed: int
    failed: int
    retries: int
    timed: int
    total_ms: int


State = tuple[str, int, str]  # blueprint, version, state


def statistics(flows: Iterable[FlowCount], states: Mapping[State, StateCount], buckets: Mapping[State, Mapping[int, int]]) -> Statistics:
    """``buckets``: how many completed visits by histogram.bucket_of their duration."""
    by_status: dict[tuple[str, int], dict[str, int]] = {}
    paused: dict[tuple[str, int], int] = {}
    for blueprint, version, status, held, count in flows:
        counts = by_status.setdefault((blueprint, version), {})
        counts[status] = counts.get(status, 0) + count
        paused[blueprint, version] = paused.get((blueprint, version), 0) + (count if held else 0)
    shown: dict[tuple[str, int], list[StateStatistics]] = {}
    for key in sorted(states):
        blueprint, version, state = key
        shown.setdefault((blueprint, version), []).append(_state(state, states[key], buckets.get(key, {})))
    return Statistics(
        [
            BlueprintStatistics(key[0], key[1], by_status.get(key, {}), paused.get(key, 0), shown.get(key, []))
            for key in sorted(by_status.keys() | shown.keys())
        ]
    )


def _state(state: str, sums: StateCount, buckets: Mapping[int, int]) -> StateStatistics:
    mean_ms = sums.total_ms / sums.timed if sums.timed else 0.0
    return StateStatistics(
        state, sums.entered, sums.completed, sums.failed, sums.retries, mean_ms, percentile(buckets, 0.5), percentile(buckets, 0.95)
    )


def check_slices(from_ms: int, to_ms: int, step_ms: int) -> None:
    """Raises BadInput for slices that make no sense, or are too many."""
    if not 0 <= from_ms < to_ms:
        raise BadInput(f"throughput needs a beginning before its end, from {from_ms} to {to_ms} were asked for (milliseconds since 1970)")
    if step_ms < 1:
        raise BadInput(f"a slice lasts at least 1 ms, {step_ms} were asked for")
    if (count := -(-(to_ms - from_ms) // step_ms)) > SLICES_MAX:
        raise BadInput(f"{count} slices were asked for, at most {SLICES_MAX} are given", hint="ask for a longer step or a shorter time")


def slices(from_ms: int, to_ms: int, step_ms: int, started: Mapping[int, int], ended: Mapping[int, Mapping[str, int]]) -> list[Throughput]:
    """All slices in order, the empty ones too. ``started`` and ``ended`` are keyed by the number of the slice."""
    return [
        Throughput(at_ms, started.get(number, 0), dict(sorted(ended.get(number, {}).items())))
        for number, at_ms in enumerate(range(from_ms, to_ms, step_ms))
    ]
