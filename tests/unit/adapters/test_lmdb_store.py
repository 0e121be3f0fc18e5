"""What is LMDB's own beside the contract of the state store."""

from __future__ import annotations

from pathlib import Path

from sfc.adapters.lmdb_store import LmdbStore


def test_a_scan_goes_on_while_the_store_is_changed(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    keys = [b"%05d" % i for i in range(5_000)]
    store.apply(1, {key: b"before" + key for key in keys})
    seen = {}
    for i, (key, value) in enumerate(store.scan(1)):
        seen[key] = value
        if i % 500 == 0:
            # Rewrites every page again and again: freed ones are taken up anew.
            store.apply(1, {other: b"%d" % i + other for other in keys})
    assert list(seen) == keys
    assert all(value.endswith(key) for key, value in seen.items())
    store.close()


def test_a_scan_ends_with_its_shard(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    for shard in (0, 1, 255, 256):
        store.apply(shard, {b"%04d" % i: b"%d" % shard for i in range(1_000)})  # a whole portion: the next one starts at its end
    assert {value for _, value in store.scan(255)} == {b"255"}
    assert len(list(store.scan(255))) == 1_000
    assert len(list(store.scan(255, after=b"0499"))) == 500
    store.close()


def test_nothing_is_left_of_a_wiped_shard_and_it_is_quick(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path)
    store.apply(7, {b"%06d" % i: b"x" * 100 for i in range(20_000)})
    store.apply(8, {b"other": b"stays"})
    store.wipe(7)
    assert list(store.scan(7)) == []
    assert list(store.scan(8)) == [(b"other", b"stays")]
    store.close()
