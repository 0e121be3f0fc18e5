"""What an operator wants of a pool of workers, over every database."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.errors import BadInput, NotPossible, UnknownName
from sfc.registry import Registry
from sfc.registry.pools import PoolEdited, Pools
from sfc.wire.definitions import PoolScale, decode_definition

SCALE = {"Min": 1, "Max": 4, "Module": "shop.workers"}


@pytest.fixture
def pools(registry: Registry, documents: Any) -> Pools:
    registry.deploy(
        [
            documents.task(Scale=SCALE),
            documents.task("by-hand"),
            documents.blueprint(MessageType="specific", Scale=SCALE),
        ]
    )
    return Pools(registry)


def published(registry: Registry) -> list[PoolScale]:
    found = [decode_definition(item.value) for item in registry.unpublished() if item.kind == "definition"]
    return [one for one in found if isinstance(one, PoolScale)]


def test_numbers_are_set_in_place_of_those_before_and_taken_back(registry: Registry, pools: Pools) -> None:
    before = registry.revision()
    assert pools.scale("task:split", 2, 3) == PoolEdited("task:split", before + 1, True, 2, 3, False)
    assert pools.scale("task:split", 2, 3) == PoolEdited("task:split", before + 1, False, 2, 3, False)
    assert pools.scale("task:split", None, 8).min is None
    assert pools.scale("task:split", None, None) == PoolEdited("task:split", before + 3, True, None, None, False)
    assert published(registry) == [
        PoolScale("task:split", before + 1, 2, 3),
        PoolScale("task:split", before + 2, None, 8),
        PoolScale("task:split", before + 3),
    ]


def test_a_drained_pool_keeps_its_numbers_for_later(registry: Registry, pools: Pools) -> None:
    pools.scale("blueprint:order", 2, 3)
    assert pools.drain("blueprint:order", True).drained
    assert not pools.drain("blueprint:order", True).changed
    assert pools.scale("blueprint:order", 3, 3).drained
    edited = pools.drain("blueprint:order", False)
    assert (edited.min, edited.max, edited.drained) == (3, 3, False)
    assert [one.drained for one in published(registry)] == [False, True, True, False]


@pytest.mark.parametrize(
    ("low", "high", "said"),
    [
        (-1, None, "min must be a whole number from 0 to 1000, it is -1"),
        (None, 0, "max must be a whole number from 1 to 1000, it is 0"),
        (None, 1_001, "it is 1001"),
        (3, 2, "task:split: min 3 is over max 2"),
        (5, None, "min 5 is over the document's max 4"),
    ],
)
def test_numbers_that_can_not_be_are_refused(pools: Pools, low: int | None, high: int | None, said: str) -> None:
    with pytest.raises(BadInput, match=said):
        pools.scale("task:split", low, high)


def test_only_a_pool_with_a_scale_can_be_scaled(pools: Pools) -> None:
    with pytest.raises(NotPossible, match="task:by-hand has no Scale"):
        pools.scale("task:by-hand", 1, 2)
    for name in ("task:order", "blueprint:split", "split", "group:split", "", "task:a\x00b", "task:\ud800"):
        with pytest.raises(UnknownName, match="there is no pool"):
            pools.drain(name, True)


def test_overrides_are_published_again_for_a_new_log(registry: Registry, pools: Pools) -> None:
    revision = pools.scale("task:split", 2, 3).revision
    registry.republish()
    assert published(registry)[-1] == PoolScale("task:split", revision, 2, 3)
    assert len(published(registry)) == 2
