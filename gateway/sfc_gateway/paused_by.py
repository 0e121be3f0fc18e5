"""What holds a flow, as of now: the index knows it as of the flow's last event, and a hold that comes to a flow is no event of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from msgspec.structs import replace

from sfc.asl.nesting import machines_in
from sfc.ports import FlowDocument, FlowPage, FlowQuery
from sfc.runtime.definitions import Definitions


def with_holds(flow: FlowDocument, definitions: Definitions) -> FlowDocument:
    """The document with the subjects that hold the flow by now, and without those that do no more."""
    if flow.status != "RUNNING":
        return flow
    known = [subject for subject in flow.paused_by if _may_hold(subject, definitions)]
    subjects = list(dict.fromkeys([*known, *_holding(flow, definitions)]))
    return flow if subjects == flow.paused_by else replace(flow, paused_by=subjects)


def page_with_holds(page: FlowPage, definitions: Definitions) -> FlowPage:
    return replace(page, flows=[with_holds(flow, definitions) for flow in page.flows])


def query_of_paused(query: FlowQuery, definitions: Definitions) -> FlowQuery:
    """A query for ``PAUSED`` flows of what is on hold as a whole asks for all that run: the index may know of the hold in none of them."""
    if query.status != "PAUSED" or not query.blueprint:
        return query
    version = definitions.version(query.blueprint, query.version)
    if _is_paused(query.blueprint, definitions) or (version is not None and definitions.held(version)):
        return replace(query, status="RUNNING")
    return query


def _is_paused(blueprint: str, definitions: Definitions) -> bool:
    head = definitions.heads.get(blueprint)
    return head is not None and head.status == "paused"


def _may_hold(subject: str, definitions: Definitions) -> bool:
    """False for a hold that is known to be lifted."""
    kind, _, name = subject.partition(":")
    if kind == "blueprint":
        return name not in definitions.heads or _is_paused(name, definitions)
    hold = definitions.holds.get(subject)
    return hold is None or hold.held


def _holding(flow: FlowDocument, definitions: Definitions) -> Iterator[str]:
    if _is_paused(flow.blueprint, definitions):
        yield f"blueprint:{flow.blueprint}"
    version = definitions.version(flow.blueprint, flow.version)
    if version is None:
        return
    yield from definitions.held(version)
    tasks = {hold.subject for hold in list(definitions.holds.values()) if hold.held and hold.subject.startswith("task:")}
    if tasks:
        yield from (task for task in _tasks_at(version.document, set(flow.states)) if task in tasks)


def _tasks_at(document: dict[str, Any], states: set[str]) -> Iterator[str]:
    """The tasks of these states, as ``task:NAME``, in the order of the document."""
    resources = (document.get("Sfc") or {}).get("Resources") or {}
    machines = [document]
    while machines:
        machine = machines.pop()
        for name, state in machine["States"].items():
            machines.extend(inner for _, inner in machines_in(state))
            resource = state.get("Resource", "")
            if name in states and (task := str(resources.get(resource, resource))).startswith("task:"):
                yield task.partition("@")[0]
