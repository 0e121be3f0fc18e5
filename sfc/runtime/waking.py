"""Which flows a lifted hold may have held: looked for in portions, in order of their ids."""

from __future__ import annotations

from collections.abc import Mapping

from sfc.engine.flow import Flow
from sfc.engine.shard import ShardState, Waking
from sfc.ports import StateStore


def flows_behind(waking: Waking, state: ShardState, uncommitted: Mapping[str, Flow | None], store: StateStore, portion: int) -> list[str]:
    """Up to one more than a portion of the flows behind the cursor, in order, the uncommitted among them: those of the subject's
    blueprint and of the blueprints of its children, or all where the subject is a group or a task."""
    cursor = waking.cursor
    prefixes = _prefixes(waking.subject, state)
    found = {f for f, flow in uncommitted.items() if flow is not None and f.startswith(prefixes) and f > cursor}
    stored = 0
    for prefix in prefixes:  # in this order all ids behind one are behind those of the one before
        for key, _ in store.scan(state.number, prefix=prefix.encode(), after=cursor.encode()):
            flow_id = key.decode()
            if flow_id in uncommitted or flow_id.startswith("/"):
                continue
            found.add(flow_id)
            stored += 1
            if stored > portion:
                return sorted(found)[: portion + 1]
    return sorted(found)[: portion + 1]


def _prefixes(subject: str, state: ShardState) -> tuple[str, ...]:
    kind, _, name = subject.partition(":")
    if kind not in ("blueprint", "version"):
        return ("",)
    blueprint = name.partition("@")[0]
    blueprints = {blueprint, *state.inherited.get(f"blueprint:{blueprint}", ())}
    return tuple(sorted(f"{blueprint}:" for blueprint in blueprints))
