"""Generations of the index: ``<namespace>-flows-000001`` and its companions. The alias ``<namespace>-flows`` says which one counts."""

from __future__ import annotations

import re
from contextlib import suppress
from typing import Any

from elasticsearch import ApiError, BadRequestError, ConflictError, Elasticsearch, NotFoundError

from sfc.adapters.elasticsearch import templates as t
from sfc.adapters.elasticsearch.server import Server
from sfc.errors import IndexFailed

KEPT = 2  # generations: that which counts, and the one before: a monitor may be writing into it still


class Generations:
    """Of one namespace."""

    def __init__(self, server: Server, namespace: str) -> None:
        self.namespace = namespace
        self.alias = f"{namespace}-{t.FLOWS}"
        self._server = server

    def name(self, kind: str, generation: str) -> str:
        """Of an index, or of the events' data stream."""
        return f"{self.namespace}-{kind}-{generation}"

    def current(self) -> str | None:
        """The generation that counts; None before there is one."""
        with self._server.asking() as es:
            try:
                found = es.indices.get_alias(name=self.alias)
            except NotFoundError:
                return None
        names = sorted(found.body)
        return names[-1].removeprefix(f"{self.alias}-") if names else None

    def ensure(self) -> str:
        """The generation that counts, with its templates; the first one is made. Raises IndexFailed for one of another format."""
        self._put_templates()
        generation = self.current()
        if generation is None:
            generation = "000001"
            self._create(generation)
            self._point_to(generation, None)
            return generation
        with self._server.asking() as es:
            name = self.name(t.FLOWS, generation)
            found = es.indices.get_mapping(index=name)[name]["mappings"].get("_meta", {}).get("format")
        if found != t.FORMAT:
            raise IndexFailed(
                f"the flow index {name} has format {found}, this release reads and writes {t.FORMAT}",
                hint="`sfc monitor --rebuild` makes it anew from the log",
            )
        return generation

    def make_next(self) -> str:
        """An empty generation that nobody looks at yet."""
        self._put_templates()
        generation = f"{max(map(int, self._all()), default=0) + 1:06}"
        self._create(generation)
        return generation

    def switch(self, generation: str) -> None:
        """Everybody's next question goes to this one. The ones before the one before are deleted."""
        self._point_to(generation, self.current())
        old = [g for g in sorted(self._all()) if g < generation][: -(KEPT - 1)]
        with self._server.asking() as es:
            for one in old:
                es.indices.delete(index=[self.name(kind, one) for kind in t.INDICES], ignore_unavailable=True)
                with suppress(NotFoundError, BadRequestError):  # it had no events, or the server can't delete data streams
                    es.indices.delete_data_stream(name=self.name(t.EVENTS, one))

    def _point_to(self, generation: str, former: str | None) -> None:
        actions: list[dict[str, Any]] = [{"add": {"index": self.name(t.FLOWS, generation), "alias": self.alias}}]
        if former is not None and former != generation:
            actions.append({"remove": {"index": self.name(t.FLOWS, former), "alias": self.alias}})
        with self._server.asking() as es:
            es.indices.update_aliases(actions=actions)

    def _all(self) -> set[str]:
        """Those of which anything is there, leftovers of an interrupted rebuild included."""
        with self._server.asking() as es:
            found = es.indices.resolve_index(name=f"{self.namespace}-*")
        names = [one["name"] for one in (*found["indices"], *found["data_streams"])]
        kinds = "|".join((*t.INDICES, t.EVENTS))
        matches = (re.fullmatch(rf"{re.escape(self.namespace)}-(?:{kinds})-(\d{{6}})", name) for name in names)
        return {match[1] for match in matches if match}

    def _create(self, generation: str) -> None:
        with self._server.asking() as es:
            for kind in t.INDICES:
                try:
                    es.indices.create(index=self.name(kind, generation), wait_for_active_shards="0")
                except BadRequestError as e:
                    if e.error != "resource_already_exists_exception":
                        raise
            self._create_stream(es, self.name(t.EVENTS, generation))

    def _create_stream(self, es: Elasticsearch, name: str) -> None:
        """So that the first events need not wait for it. A server without that request makes it for the
        first document, and this one says nothing."""
        try:
            es.indices.create_data_stream(name=name)
        except BadRequestError as e:
            if e.error != "resource_already_exists_exception":
                with suppress(ConflictError):
                    es.create(index=name, id="made", document={"@timestamp": 0, "count": 0})

    def _put_templates(self) -> None:
        with self._server.asking() as es:
            features = features_of(es)
            if features.ilm:
                self._put_policy(es)
            for name, template in t.component_templates(self.namespace, features).items():
                es.cluster.put_component_template(name=name, template=template)
            for name, body in t.index_templates(self.namespace).items():
                es.indices.put_index_template(name=name, **body)

    def _put_policy(self, es: Elasticsearch) -> None:
        """Where there is none of that name: an operator's own is left alone."""
        name = f"{self.namespace}-{t.EVENTS}"
        try:
            es.ilm.get_lifecycle(name=name)
        except NotFoundError:
            es.ilm.put_lifecycle(name=name, policy=t.ROLLOVER_POLICY)


def features_of(es: Elasticsearch) -> t.Features:
    """Asks the server. What this user may not see it may not use either."""
    return t.Features(ilm=_answers(es, "/_ilm/policy"), lifecycle=_answers(es, "/_lifecycle/stats"))


def _answers(es: Elasticsearch, path: str) -> bool:
    try:
        es.perform_request("GET", path, headers={"accept": "application/json"})
    except ApiError as e:
        if e.meta.status in (400, 401, 403, 404, 405, 410):
            return False
        raise
    return True
