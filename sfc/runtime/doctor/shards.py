"""The shards: whether each has an engine, gets on, and may be taken by this release; and who consumes the jobs."""

from __future__ import annotations

from sfc.engine.rules import RULES
from sfc.ports import Log, Partition
from sfc.runtime.audit.reading import interval_of
from sfc.runtime.definitions import Definitions
from sfc.runtime.doctor.diagnosis import Diagnosis
from sfc.runtime.explain.facts import Facts, ShardView
from sfc.runtime.pools import lags, pools_of
from sfc.runtime.shard_records import TAIL_RECORDS, between
from sfc.wire.state import shard_key
from sfc.wire.topics import Names
from sfc.words import duration, many

SLOW_MS = 5_000


def check_shards(log: Log, names: Names, shards: int, definitions: Definitions, now_ms: int, found: Diagnosis, *, running: bool) -> None:
    """``running``: engines should be there."""
    facts = Facts(log, names, shards, definitions, now_ms)
    found.shards = shards
    engines: tuple[str, ...] = ()
    waiting: list[int] = []
    for number in range(shards):
        view = facts.shard(number, "")
        engines = view.engines
        if view.behind and now_ms - view.waits_ms > SLOW_MS:
            waiting.append(number)
        _check(log, names, view, now_ms, found)
    if running and not engines:
        nobody = f"nobody is in the consumer group {names.engine_group}"
        if waiting:
            said = f"no engine takes the commands of {many(len(waiting), 'shard')} ({', '.join(map(str, waiting))}): {nobody}"
            found.error("no-engine", said, "their flows stand", "sfc engine, or the one that has them by its list (SFC_ENGINE_SHARDS)")
        else:
            breaks = (
                "no flow moves, unless engines have their shards by a list (SFC_ENGINE_SHARDS): those are in no group, and an engine"
                " without a list beside them would take their shards"
            )
            found.warn("no-engine-seen", f"no engine is seen: {nobody}", breaks, "sfc engine")


def _check(log: Log, names: Names, view: ShardView, now_ms: int, found: Diagnosis) -> None:
    number, state = view.number, view.state
    at = Partition(names.commands, number)
    where = f"{at.topic}-{number}"
    if state is not None and (torn := _torn(log, names, number, state.interval)):
        said = f"{names.state}-{number} has records of interval {torn}, the shard's own record ends at {state.interval}: it is torn"
        found.error(
            "torn", said, "no engine takes it", f"sfc audit --shard {number} names the flows; bring the topic back", names.state, number
        )
    if state is not None:
        start, end = log.starts([at])[at], log.ends([at], committed=False)[at]
        if state.next_offset < start or state.next_offset > end:
            said = f"shard {number} stands at offset {state.next_offset}, and {where} has {start} to {end}"
            breaks = (
                "commands were deleted before an engine took them" if state.next_offset < start else "the topic was truncated, or made anew"
            )
            mend = "another namespace (SFC_NAMESPACE), or bring the topic back; `sfc audit` says which flows it concerns"
            found.error("position", said, breaks, mend, at.topic, number)
            return
        if state.interval and state.rules != RULES and not (state.closed and state.rules < RULES):
            _rules(number, state.rules, state.closed, found)
    if view.held:
        said = f"shard {number} is held: an open transaction on {where} keeps {many(view.held, 'record')} from being read"
        mend = "a service that answers in transactions needs a ReplyTopic in its task; kafka-transactions.sh --list finds the open one"
        found.error("shard-held", said, "its flows stand until the transaction ends, or times out", mend, at.topic, number)
    if view.engines and not view.owner:
        mend = "they may be about to take it; if it stays so, their logs say why"
        found.error("shard-without-engine", f"no engine has shard {number}", "its flows stand", mend, at.topic, number)
    waits_ms = now_ms - view.waits_ms
    if view.behind and view.owner and waits_ms > SLOW_MS:
        said = f"shard {number} is {many(view.behind, 'command')} behind, the first has waited for {duration(waits_ms)}"
        if state is not None and state.tries:
            said += f"; {many(state.tries, 'engine')} began on it and did not get on"
        mend = (
            f"look at the log of {view.owner}: a shard that has stopped says why there, with the command to type; a slow one needs engines"
        )
        found.error("shard-behind", said, "its flows wait so long", mend, at.topic, number)


def _torn(log: Log, names: Names, number: int, interval: int) -> int:
    """An interval beyond the shard's own record, among the last records of its state; 0 for none."""
    at = Partition(names.state, number)
    start, end = log.starts([at])[at], log.ends([at])[at]
    records = between(log, at, max(start, end - TAIL_RECORDS), end)
    if any(r.key == shard_key(number) and interval_of(r) > interval for r in records):
        return 0  # it goes on while it is looked at
    return max((n for r in records if (n := interval_of(r)) > interval), default=0)


def _rules(number: int, rules: int, closed: bool, found: Diagnosis) -> None:
    said = f"shard {number} was decided by rules number {rules}{', and closed' if closed else ', and not closed'}; this release has {RULES}"
    if rules > RULES:
        mend = "run engines of the newer release: an older one never takes such a shard"
        found.error("rules", said, "engines of this release leave it alone", mend, shard=number)
        return
    mend = f"start an engine of that release and stop it cleanly; or, if none is left: sfc doctor --accept-rules {number}"
    found.error("rules", said, "engines of this release wait for one of that release to close it", mend, shard=number)


def check_groups(log: Log, names: Names, definitions: Definitions, found: Diagnosis) -> None:
    """Jobs that wait for workers of whom there are none."""
    pools = pools_of(definitions, names)
    for name, lag in lags(log, pools.values()).items():
        pool = pools[name]
        if lag.trouble:
            found.notes.append(f"the consumer groups of {name} can't be looked at: {lag.trouble}")
            continue
        groups = list(dict.fromkeys(pool.topics.values()))
        members = [member for group in groups for member in log.group_members(group)]
        if lag.jobs and not members:
            topics = ", ".join(pool.topics)
            said = f"{many(lag.jobs, 'job')} of {topics} wait, and nobody is in the consumer group {', '.join(groups)}"
            found.warn(
                "no-consumer",
                said,
                f"flows that need {pool.subject} wait",
                "sfc worker MODULE, or start the service",
                next(iter(pool.topics)),
            )
