"""Reasons that lie with the flow's shard, and with the monitor."""

from __future__ import annotations

from sfc.runtime.explain.explanation import Reason
from sfc.runtime.explain.facts import Facts, ShardView
from sfc.words import duration, many

SLOW_MS = 5_000  # a command waits no longer where all is well


def shard_reasons(view: ShardView, facts: Facts) -> list[Reason]:
    """Why no command of the shard is decided; [] where they are."""
    number, waits_ms = view.number, facts.now_ms - view.waits_ms
    where = f"{facts.names.commands}-{number}"
    found = []
    nobody = f"nobody is in the consumer group {facts.names.engine_group}"
    if not view.engines and view.behind and waits_ms > SLOW_MS:
        said = f"no engine takes the {many(view.behind, 'command')} of shard {number}, which wait since {duration(waits_ms)}: {nobody}"
        do = "where engines have their shards by a list (SFC_ENGINE_SHARDS), look at the log of the one that lists this shard"
        found.append(Reason("no-engine", said, ["sfc engine", do], since_ms=view.waits_ms))
    elif not view.engines:
        listed = "That is as it should be where engines have their shards by a list (SFC_ENGINE_SHARDS): one without would take them away"
        said = f"no engine is seen: {nobody}. {listed}"
        found.append(Reason("no-engine-seen", said, ["sfc engine"]))
    elif not view.owner:
        said = f"no engine has shard {number}; {', '.join(view.engines)} may be about to take it"
        found.append(Reason("shard-without-engine", said, ["look at the engines' logs: they say which shards they take"]))
    if view.held:
        said = f"shard {number} is held: an open transaction on {where} keeps {many(view.held, 'record')} from being read"
        do = "a service that answers in transactions needs a ReplyTopic of its own in its task; end its transaction, or let it time out"
        found.append(Reason("shard-held", said, [do, "sfc doctor"]))
    if view.behind and view.owner and waits_ms > SLOW_MS:
        said = f"shard {number} is {many(view.behind, 'command')} behind; the first has waited for {duration(waits_ms)}"
        if view.state is not None and view.state.tries:
            said += f", and {many(view.state.tries, 'engine')} began on it and did not get on"
        do = f"look at the log of {view.owner}: a shard that has stopped says why there, and what to do"
        found.append(Reason("shard-behind", said, [do, "sfc doctor"], since_ms=view.waits_ms))
    return found


def monitor_reason(number: int, facts: Facts) -> Reason | None:
    """What is told of the flow may be old."""
    lag = facts.monitor_lag(number)
    if lag <= 0:
        return None
    said = f"the monitor has {many(lag, 'record')} of this shard's history still to read: the flow may have gone on since"
    return Reason("monitor-behind", said, ["sfc monitor", "ask again in a moment"], lag=lag)
