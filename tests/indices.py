"""Names of their own on an Elasticsearch that others use too."""

from __future__ import annotations

import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from elasticsearch import ApiError, Elasticsearch

CLOCK_S = 0.25  # a little more than what Elasticsearch's coarse clock needs to move on: a version is forgotten when it is older than now


@contextmanager
def new_namespace(url: str) -> Iterator[str]:
    """A namespace that nobody has; afterwards what is left of it is deleted, data streams where the server can."""
    namespace = f"test-{uuid.uuid4().hex[:12]}"
    yield namespace
    delete_namespace(url, namespace)


def delete_namespace(url: str, namespace: str) -> None:
    """All indices and templates of a namespace, and data streams where the server can."""
    with Elasticsearch(url) as es:
        found = es.indices.resolve_index(name=f"{namespace}-*")
        if names := [one["name"] for one in found["indices"] if not one["name"].startswith(".")]:
            es.indices.delete(index=names)
        with suppress(ApiError):
            es.indices.delete_data_stream(name=f"{namespace}-*")
            es.indices.delete_index_template(name=f"{namespace}-*")
            es.cluster.delete_component_template(name=f"{namespace}-*")


def make_searchable(url: str, namespace: str) -> None:
    """What is written is found at once, and not only after each index's next refresh."""
    with Elasticsearch(url) as es:
        es.indices.refresh(index=f"{namespace}-*")


def empty(url: str, namespace: str) -> None:
    """Deletes all documents, and the memory of their versions, which would outlive them by a minute."""
    with Elasticsearch(url) as es:
        if es.indices.resolve_index(name=f"{namespace}-*")["indices"]:
            es.indices.put_settings(index=f"{namespace}-*", settings={"index.gc_deletes": "0s"})
            es.indices.refresh(index=f"{namespace}-*")
            if es.delete_by_query(index=f"{namespace}-*", query={"match_all": {}}, conflicts="proceed", refresh=True)["deleted"]:
                time.sleep(CLOCK_S)
                es.indices.refresh(index=f"{namespace}-*")
