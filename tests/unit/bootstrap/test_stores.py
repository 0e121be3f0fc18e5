"""Where an engine's local store stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from sfc.adapters.embedded import EmbeddedLog
from sfc.adapters.lmdb_store import LmdbStore
from sfc.adapters.memory_store import MemoryStateStore
from sfc.bootstrap.site import Site
from sfc.bootstrap.stores import open_store
from sfc.errors import StoreFailed
from sfc.settings import Settings
from sfc.wire.topics import Names


def site(**settings: object) -> Site:
    """A process that is told of a broker; nothing asks it anything here."""
    known = {"kafka": "127.0.0.1:1", "data": Path("/nowhere"), **settings}
    return Site(Settings.model_validate(known), EmbeddedLog.memory(), Names(), 2, "test")


def test_an_engine_that_comes_back_finds_its_own_store(tmp_path: Path) -> None:
    first = open_store(site(data=tmp_path))
    first.store.apply(0, {b"a": b"1"}, b"mark")
    first.close()
    again = open_store(site(data=tmp_path))
    assert again.store.checkpoint(0) == b"mark"
    again.close()
    assert (tmp_path / "state" / "sfc-0" / "data.mdb").is_file()


def test_engines_that_share_a_directory_have_stores_of_their_own(tmp_path: Path) -> None:
    first, second = open_store(site(state_dir=tmp_path)), open_store(site(state_dir=tmp_path))
    first.store.apply(0, {b"a": b"1"})
    assert second.store.get(0, b"a") is None
    first.close()
    third = open_store(site(state_dir=tmp_path))
    assert third.store.get(0, b"a") == b"1"
    other = open_store(site(state_dir=tmp_path, namespace="other"))
    assert other.store.get(0, b"a") is None
    for kept in (second, third, other):
        kept.close()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["other-0", "sfc-0", "sfc-1"]


def test_a_directory_that_cannot_be_written_is_refused_when_it_was_named(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreFailed, match="SFC_STATE_DIR names"):
        open_store(site(state_dir=tmp_path / "file" / "state"))


def test_else_the_store_is_a_temporary_one_and_is_removed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("")
    kept = open_store(site(data=tmp_path / "file"))
    said = capsys.readouterr()
    assert "store-scratch" in said.out + said.err  # where to, and how it is written, depends on who has configured the log before
    assert isinstance(kept.store, LmdbStore)
    folder = kept.store._folder
    assert folder.is_dir()
    kept.close()
    assert not folder.exists()


def test_beside_the_embedded_log_it_is_memory() -> None:
    kept = open_store(site(kafka=""))
    assert isinstance(kept.store, MemoryStateStore)
    kept.close()
