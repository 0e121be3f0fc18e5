"""The contract of ``sfc.ports.StateStore``, over every adapter."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from sfc.adapters.lmdb_store import LmdbStore
from sfc.adapters.memory_store import MemoryStateStore
from sfc.ports import StateStore


@pytest.fixture(params=["memory", "lmdb"])
def store(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[StateStore]:
    made: StateStore = LmdbStore(tmp_path) if request.param == "lmdb" else MemoryStateStore()
    yield made
    made.close()


def test_what_is_put_is_there_until_it_is_deleted(store: StateStore) -> None:
    assert store.get(0, b"a") is None
    store.apply(0, {b"a": b"1", b"b": b""})
    assert (store.get(0, b"a"), store.get(0, b"b")) == (b"1", b"")
    store.apply(0, {b"a": b"2", b"b": None, b"never": None})
    assert (store.get(0, b"a"), store.get(0, b"b"), store.get(0, b"never")) == (b"2", None, None)


def test_shards_do_not_see_each_other(store: StateStore) -> None:
    store.apply(0, {b"a": b"zero"})
    store.apply(1, {b"a": b"one", b"b": b"one"})
    assert (store.get(0, b"a"), store.get(1, b"a")) == (b"zero", b"one")
    assert list(store.scan(0)) == [(b"a", b"zero")]
    assert store.wipe(1, 10)
    assert list(store.scan(1)) == []
    assert store.get(0, b"a") == b"zero"
    store.apply(1, {b"c": b"after"})
    assert list(store.scan(1)) == [(b"c", b"after")]


def test_a_scan_is_in_order_of_key(store: StateStore) -> None:
    store.apply(3, {b"b": b"2", b"a": b"1"})
    assert [key for key, _ in store.scan(3)] == [b"a", b"b"]
    store.apply(3, {b"\xff": b"4", b"aa": b"x", b"b": None})
    assert list(store.scan(3)) == [(b"a", b"1"), (b"aa", b"x"), (b"\xff", b"4")]


def test_a_scan_keeps_to_its_prefix_and_begins_behind_a_key(store: StateStore) -> None:
    store.apply(0, {key: key for key in (b"/shard/0", b"f:1", b"f:2", b"f:3", b"g:1")})
    assert [key for key, _ in store.scan(0, prefix=b"f:")] == [b"f:1", b"f:2", b"f:3"]
    assert [key for key, _ in store.scan(0, after=b"f:2")] == [b"f:3", b"g:1"]
    assert [key for key, _ in store.scan(0, prefix=b"f:", after=b"f:1")] == [b"f:2", b"f:3"]
    assert [key for key, _ in store.scan(0, prefix=b"f:", after=b"a")] == [b"f:1", b"f:2", b"f:3"]
    assert list(store.scan(0, prefix=b"f:", after=b"z")) == []
    assert list(store.scan(0, prefix=b"nothing")) == []


def test_a_checkpoint_is_written_with_the_changes_and_no_scan_meets_it(store: StateStore) -> None:
    assert store.checkpoint(0) is None
    store.apply(0, {b"a": b"1"}, b"first")
    store.apply(1, {}, b"other")
    store.apply(0, {b"b": b"2"})
    assert (store.checkpoint(0), store.checkpoint(1), store.checkpoint(2)) == (b"first", b"other", None)
    assert [key for key, _ in store.scan(0)] == [b"a", b"b"]
    assert store.wipe(0, 10)
    assert (store.checkpoint(0), store.checkpoint(1)) == (None, b"other")


def test_a_shard_is_wiped_in_portions_and_its_checkpoint_with_the_first(store: StateStore) -> None:
    store.apply(0, {b"%d" % n: b"x" for n in range(5)}, b"mark")
    store.apply(1, {b"other": b"stays"})
    assert not store.wipe(0, 2)
    assert (store.checkpoint(0), len(list(store.scan(0)))) == (None, 3)
    assert not store.wipe(0, 2)
    assert store.wipe(0, 2)
    assert store.wipe(0, 2)
    assert (list(store.scan(0)), list(store.scan(1))) == ([], [(b"other", b"stays")])
