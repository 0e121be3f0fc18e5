"""Items in object stores: here in fsspec's store in memory, and with drivers that are not there."""

from __future__ import annotations

import importlib
import io
import sys
from collections.abc import Iterator
from typing import Any

import pytest
from sfc_workers import item_readers
from sfc_workers.secrets import Secrets
from sfc_workers.tasks import TaskError

from tests.unit.workers.item_site import CSV, FAILED, Site

fsspec: Any = importlib.import_module("fsspec")


@pytest.fixture
def store() -> Iterator[Any]:
    """Objects in memory."""
    store = fsspec.filesystem("memory")
    yield store
    store.store.clear()


def test_an_object_is_read(site: Site, paged: None, store: Any) -> None:
    store.pipe_file("/shop/day/k.csv", b"a,b\n1,2\n3,4\n")
    rows = [{"a": "1", "b": "2"}, {"a": "3", "b": "4"}]
    assert site.read("memory://shop/day/k.csv", config=CSV) == rows
    assert site.read("memory:", {"Bucket": "shop", "Key": "day/k.csv"}, CSV) == rows


def test_objects_that_are_not_there_or_change_fail_the_reader(site: Site, store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    assert site.read("memory://shop/nowhere.json") == (FAILED, "there is no object memory://shop/nowhere.json")
    assert "names no object" in site.read("memory:", {"Key": "k"})[1]
    assert "must not have . or .." in site.read("memory:", {"Bucket": "shop", "Key": "../k"})[1]
    monkeypatch.setattr(item_readers, "PAGE_ITEMS_MAX", 1)
    store.pipe_file("/shop/k.json", b"[1, 2]")
    first = site.page("memory://shop/k.json")
    store.pipe_file("/shop/k.json", b"[1, 2, 3]")
    with pytest.raises(TaskError, match="it was written to meanwhile"):
        site.page("memory://shop/k.json", Cursor=first["Next"])


def test_what_is_not_installed_is_named(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str, **options: Any) -> Any:
        raise ImportError(name)

    monkeypatch.setattr(fsspec, "filesystem", missing)
    assert site.read("s3:", {"Bucket": "b", "Key": "k"}) == (FAILED, "this worker has no driver for s3: install the package s3fs")
    monkeypatch.setitem(sys.modules, "fsspec", None)
    assert "install service-flow-conductor[objects]" in site.read("gs://b/k")[1]


def test_a_secret_has_the_driver_s_options_and_stays_one(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    given: list[Any] = []

    def refuse(name: str, **options: Any) -> Any:
        given.append(options)
        raise ValueError(f"not with {options}")

    monkeypatch.setattr(fsspec, "filesystem", refuse)
    site.secrets = Secrets(environ={"SFC_SECRET_OBJECTS_S3": '{"key": "me", "secret": "hush"}'})
    assert site.read("s3://b/k") == (FAILED, "the driver for s3 can't be used: ValueError")
    assert given == [{"key": "me", "secret": "hush"}]
    site.secrets = Secrets(environ={"SFC_SECRET_OBJECTS_S3": "hush, hush"})
    assert site.read("s3://b/k") == (FAILED, "the secret objects-s3 must be a JSON object with options of the driver")


class Torn(io.BytesIO):
    """A content that can't be read to its end."""

    def readline(self, size: int | None = -1, /) -> bytes:
        raise RuntimeError("hush: the connection to https://me:word@store was lost")


@pytest.mark.parametrize("breaks", ["open", "read"])
def test_what_a_driver_raises_is_tried_again_and_its_words_stay_here(
    site: Site, store: Any, monkeypatch: pytest.MonkeyPatch, breaks: str
) -> None:
    store.pipe_file("/shop/k.jsonl", b"1\n2\n")
    opened: list[str] = []

    def fail(path: str, mode: str) -> Any:
        opened.append(path)
        if breaks == "open":
            raise ValueError("hush: not with the key word")
        return Torn(b"1\n2\n")

    monkeypatch.setattr(type(store), "open", lambda self, path, mode: fail(path, mode))
    error, cause = site.read("memory://shop/k.jsonl", InputType="JSONL")
    assert (error, len(opened)) == (FAILED, 3)
    assert "can't be read" in cause
    assert "hush" not in cause
    store.makedirs("/shop/folder", exist_ok=True)
    assert site.read("memory://shop/folder") == (FAILED, "memory://shop/folder is no object")
