"""What is LMDB's own beside the contract of the state store."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from sfc.adapters.lmdb_store import LmdbStore
from sfc.errors import StoreFailed


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
    assert store.wipe(7, 20_000)
    assert list(store.scan(7)) == []
    assert list(store.scan(8)) == [(b"other", b"stays")]
    store.close()


WRITE_AND_DIE = """
import os, signal, sys
from pathlib import Path
from sfc.adapters.lmdb_store import LmdbStore
store = LmdbStore(Path(sys.argv[1]), boot="b")
store.apply(3, {b"k%d" % i: b"v" * 1000 for i in range(2000)}, b"mark")
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_what_was_applied_outlives_the_process(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", WRITE_AND_DIE, str(tmp_path)], check=False, timeout=60)
    store = LmdbStore(tmp_path, boot="b")
    assert store.checkpoint(3) == b"mark"
    assert len(list(store.scan(3))) == 2_000
    store.close()


@pytest.mark.parametrize("boot", ["another", ""], ids=["another boot", "boots that can't be told apart"])
def test_a_store_that_was_written_before_the_machine_fell_is_removed_unopened(tmp_path: Path, boot: str) -> None:
    """It is never synced: its pages may have reached the disk in any order."""
    store = LmdbStore(tmp_path, boot="one")
    store.apply(0, {b"a": b"1"}, b"mark")
    store.close()
    (tmp_path / "data.mdb").write_bytes(os.urandom(100_000))
    again = LmdbStore(tmp_path, boot=boot)
    assert (again.get(0, b"a"), again.checkpoint(0)) == (None, None)
    again.close()


def test_a_damaged_file_is_made_anew(tmp_path: Path) -> None:
    LmdbStore(tmp_path, boot="one").close()
    (tmp_path / "data.mdb").write_bytes(b"not a database" * 1000)
    store = LmdbStore(tmp_path, boot="one")
    assert store.checkpoint(0) is None
    store.close()


def test_a_store_that_is_full_says_where_it_is(tmp_path: Path) -> None:
    store = LmdbStore(tmp_path, map_bytes=100_000)
    with pytest.raises(StoreFailed, match=str(tmp_path)):
        store.apply(0, {b"%d" % i: b"x" * 1000 for i in range(1_000)})
    assert list(store.scan(0)) == []
    store.close()


def test_a_folder_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed) as caught:
        LmdbStore(tmp_path / "file" / "store")
    assert "SFC_STATE_DIR" in caught.value.hint
