"""How many replicas a pool should have: the decision alone."""

from __future__ import annotations

import pytest
from sfc_scheduler.decision import Sample, wanted

from sfc.wire.definitions import PoolScale
from sfc.wire.scale import Scale, scale_of

SCALE = Scale(min=1, max=6, lag_per_replica=100)
NONE = PoolScale("task:t", 1)


def override(low: int | None = None, high: int | None = None, *, drained: bool = False) -> PoolScale:
    return PoolScale("task:t", 1, low, high, drained)


@pytest.mark.parametrize(
    ("lag", "number"),
    [(0, 1), (1, 1), (100, 1), (101, 2), (300, 3), (301, 4), (600, 6), (601, 6), (1_000_000, 6)],
)
def test_one_replica_for_each_part_of_the_lag_within_min_and_max(lag: int, number: int) -> None:
    assert wanted(SCALE, None, lag, 0.0, [], partitions=8, down_after_s=30) == number


@pytest.mark.parametrize(
    ("scale", "over", "lag", "partitions", "number"),
    [
        (SCALE, None, 1_000, 4, 4),  # more than partitions would idle
        (SCALE._replace(min=5), None, 0, 4, 4),
        (SCALE, None, 1_000, 0, 0),  # its topic is not there
        (SCALE._replace(min=0), None, 0, 8, 0),
        (SCALE._replace(min=0), None, 1, 8, 1),  # one job is enough to start one
        (SCALE, NONE, 250, 8, 3),  # an override that says nothing
        (SCALE, override(low=3), 0, 8, 3),
        (SCALE, override(high=2), 1_000, 8, 2),
        (SCALE, override(low=7, high=8), 0, 8, 7),
        (SCALE._replace(min=4), override(high=2), 0, 8, 2),  # the document has changed since: Max holds
        (SCALE, override(drained=True), 1_000, 8, 0),
        (SCALE, override(low=3, high=8, drained=True), 1_000, 8, 0),
    ],
)
def test_partitions_and_what_an_operator_wants_bound_it(
    scale: Scale, over: PoolScale | None, lag: int, partitions: int, number: int
) -> None:
    assert wanted(scale, over, lag, 0.0, [], partitions=partitions, down_after_s=30) == number


def test_it_goes_up_at_once_and_down_when_the_lag_has_been_lower_for_a_while() -> None:
    history: list[Sample] = []
    numbers = []
    for at_s, lag in ((0, 100), (3, 500), (6, 300), (9, 0), (32, 0), (33, 0), (36, 0), (39, 0), (40, 600)):
        numbers.append(wanted(SCALE, None, lag, at_s, history, partitions=8, down_after_s=30))
        history.append(Sample(at_s, lag))
    assert numbers == [1, 5, 5, 5, 5, 3, 1, 1, 6]


def test_what_somebody_changed_counts_at_once() -> None:
    history = [Sample(0.0, 600)]
    assert wanted(SCALE, None, 0, 1.0, history, partitions=8, down_after_s=30) == 6
    assert wanted(SCALE, override(high=2), 0, 1.0, history, partitions=8, down_after_s=30) == 2
    assert wanted(SCALE, override(drained=True), 0, 1.0, history, partitions=8, down_after_s=30) == 0
    assert wanted(SCALE._replace(lag_per_replica=300), None, 0, 1.0, history, partitions=8, down_after_s=30) == 2


def test_a_document_without_max_has_one_worker_or_its_minimum() -> None:
    assert scale_of({"Module": "m"}) == Scale(0, 1, 100, "m")
    assert scale_of({"Min": 3})[:2] == (3, 3)
