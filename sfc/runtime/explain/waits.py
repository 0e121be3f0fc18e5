"""What the branches of a flow wait for."""

from __future__ import annotations

from collections.abc import Iterator

from msgspec import structs

from sfc.asl import JoinState
from sfc.engine.children import map_child
from sfc.engine.flow import Branch, Flow
from sfc.engine.ids import rfc3339
from sfc.engine.program import Program, Target
from sfc.engine.spread import jobs_of
from sfc.ports import TopicSpec
from sfc.runtime.explain.explanation import Reason
from sfc.runtime.explain.facts import Facts, GroupView
from sfc.runtime.topics import creating
from sfc.words import duration, many

LATE_MS = 5_000
CHILDREN_MAX = 3  # of one distributed Map that are explained


def waits_of(flow: Flow, program: Program | None, facts: Facts) -> Iterator[Reason]:
    """One reason for each branch that waits, in the order of their branches; those around them come before."""
    for branch in flow.branches.values():
        if branch.detached is not None:
            continue
        match branch.phase:
            case "branches":
                yield _branches(flow, branch)
            case "spread":
                yield _spread(branch, facts)
                for token, target in jobs_of(branch, program).items() if program is not None else ():
                    what = "items to be read" if target.kind == "reader" else "results to be written"
                    due_ms = branch.due_ms if target.kind == "reader" else branch.heartbeat_due_ms
                    at = f"{branch.state!r} waits for {what}, {_since(branch, facts)},"
                    yield _dispatched(flow, structs.replace(branch, token=token, due_ms=due_ms), target, at, facts)
            case "job":
                yield _job(flow, branch, program, facts)
            case "waiting":
                yield _waiting(flow, branch, program, facts)
            case "retrying":
                until = f"attempt {1 + sum(branch.retries)} begins at {rfc3339(branch.due_ms)}"
                yield _timer("retrying", f"{branch.state!r} failed and is tried again: {until}", branch, facts)
            case "entered" if not flow.yielded_ms:
                said = f"it is about to enter {branch.state!r}" if branch.state else "it is about to begin"
                yield Reason("entering", said, state=branch.state)
            case _:
                pass
    if flow.yielded_ms:
        said = "it does much at once, has let other flows go first, and goes on at once"
        yield Reason("yielded", said, due_ms=flow.yielded_ms)


def awaited_children(flow: Flow) -> list[str]:
    """The children that it waits for, of each distributed Map the first three."""
    found: list[str] = []
    for branch in flow.branches.values():
        if branch.phase == "spread" and branch.map is not None:
            found += [map_child(flow, branch.token, index) for index in branch.map.open[:CHILDREN_MAX]]
        elif branch.child:
            found.append(branch.child)
    return found


def _since(branch: Branch, facts: Facts) -> str:
    return f"since {duration(facts.now_ms - branch.entered_ms)}"


def _timer(code: str, said: str, branch: Branch, facts: Facts, do: tuple[str, ...] = ()) -> Reason:
    if branch.due_ms and facts.now_ms - branch.due_ms > LATE_MS:
        said += f", {duration(facts.now_ms - branch.due_ms)} ago: its timer has not fired"
        code, do = "timer-late", ("sfc doctor", "look at the log of the shard's engine")
    elif branch.due_ms:
        said += f", in {duration(branch.due_ms - facts.now_ms)}"
    return Reason(code, said, list(do), branch.state, branch.entered_ms, branch.due_ms)


def _branches(flow: Flow, branch: Branch) -> Reason:
    below = [b for b in flow.branches.values() if b.parent == branch.id]
    out = sum(b.phase != "done" for b in below)
    if branch.map is None:
        said = f"{branch.state!r} waits for {out} of its {many(len(below), 'branch')}".replace("branchs", "branches")
        return Reason("branches", said, state=branch.state, since_ms=branch.entered_ms)
    started = len(branch.map.results)
    said = f"the Map {branch.state!r} has {many(branch.map.living, 'iteration')} at work; {started} were started"
    return Reason("map", f"{said}, {branch.map.limit} may be at work at once", state=branch.state, since_ms=branch.entered_ms)


def _spread(branch: Branch, facts: Facts) -> Reason:
    assert branch.map is not None  # a distributed Map at work
    count = len(branch.map.open)
    said = f"the Map {branch.state!r} waits for {many(count, 'iteration')}, flows of their own, {_since(branch, facts)}"
    said += f"; {branch.map.started} were started, {branch.map.limit} may be at work at once"
    return Reason("map", said, state=branch.state, since_ms=branch.entered_ms)


def _waiting(flow: Flow, branch: Branch, program: Program | None, facts: Facts) -> Reason:
    state = program.machine.states.get(branch.state) if program is not None else None
    if isinstance(state, JoinState):
        holders = [b.id for b in flow.branches.values() if b.detached is not None and b.state == state.of]
        below = [b for b in flow.branches.values() if b.parent in holders]
        done = sum(b.phase == "done" for b in below)
        need = "all" if not state.until else str(state.until)
        said = f"the Join {branch.state!r} waits for the branches of {state.of!r}: {done} of {len(below)} are done, {need} must be"
        return _timer("join", said, branch, facts) if branch.due_ms else Reason("join", said, [], branch.state, branch.entered_ms)
    return _timer("timer", f"{branch.state!r} waits until {rfc3339(branch.due_ms)}", branch, facts)


def _job(flow: Flow, branch: Branch, program: Program | None, facts: Facts) -> Reason:
    target = program.targets.get(branch.state) if program is not None else None
    at = f"{branch.state!r} waits {_since(branch, facts)}"
    if target is None:
        said = f"{at}, and {flow.blueprint}@{flow.version} can't be run here: {facts.definitions.why_not(flow.blueprint, flow.version)}"
        mend = f"deploy it again, or bring {facts.names.definitions} back"
        return Reason("definition-missing", said, [mend], branch.state, branch.entered_ms)
    if target.signal:
        tell = f"sfc signal {flow.id} {target.signal} --output '{{…}}'"
        said = f"{at} for the signal {target.signal!r}: a person or a program must send it"
        if branch.due_ms:
            said += f", until {rfc3339(branch.due_ms)}"
        return Reason("signal", said, [tell], branch.state, branch.entered_ms, branch.due_ms, token=branch.token)
    if branch.child:
        said = f"{at} for the child flow {branch.child}"
        do = [f"sfc explain {branch.child}"]
        return Reason("child", said, do, branch.state, branch.entered_ms, branch.due_ms, token=branch.token, child=branch.child)
    if branch.due_ms and facts.now_ms - branch.due_ms > LATE_MS:
        return _timer("job", f"{at} for {target.resource}; the job had until {rfc3339(branch.due_ms)}", branch, facts)
    return _dispatched(flow, branch, target, at, facts)


def _dispatched(flow: Flow, branch: Branch, target: Target, at: str, facts: Facts) -> Reason:
    """A job that is in its topic, or should be."""
    topic, base = target.topic, f"{at} for {target.resource}"

    def reason(code: str, said: str, do: list[str], group: GroupView | None = None, before: int = -1) -> Reason:
        return Reason(
            code,
            f"{base}: {said}",
            do,
            branch.state,
            branch.entered_ms,
            branch.due_ms,
            1 + sum(branch.retries),
            branch.token,
            topic,
            group.name if group else "",
            list(group.members) if group else [],
            group.lag if group else -1,
            before,
        )

    if topic not in facts.topics():
        make = creating(TopicSpec(topic, facts.shards), facts.bootstrap)
        return reason("topic-missing", f"there is no topic {topic}", [make, f"sfc audit --flow {flow.id}"])
    if target.kind == "topic":
        return reason("publishing", f"its record goes to {topic} with the shard's next commit", [])
    name, pool = facts.group_of(target, flow.blueprint)
    place, offset = facts.place_of_job(topic, branch.token, flow.id, branch.entered_ms)
    group = facts.group(name, place)
    if group.trouble:
        return reason("group-unknown", f"the consumer group {name} can't be looked at: {group.trouble}", [], group)
    jobs = f"{many(group.lag, 'job')} of {topic} {'waits or is' if group.lag == 1 else 'wait or are'} at work"
    if group.lag < 0:
        jobs = f"its job is in {topic}"
    if not group.members:
        override = facts.definitions.pools.get(pool) if pool else None
        if override is not None and override.drained:
            said = f"somebody has drained {pool}, so that nobody is in the consumer group {name}; {jobs}"
            return reason("drained", said, [f"sfc workers undrain {pool}"], group)
        said = f"nobody consumes {topic}: the consumer group {name} has no members; {jobs}"
        return reason("no-consumer", said, [_worker(target, pool, name, topic, facts)], group)
    if offset < 0:
        said = f"its job was not found in {topic} (looked at {place.topic}-{place.number}, for two seconds)"
        return reason("job-not-found", said, [f"sfc audit --flow {flow.id}"], group)
    if not group.readers:
        said = f"nobody of the consumer group {name} reads {place.topic}-{place.number}, where its job is; {jobs}"
        return reason("partition-unread", said, [f"look at the logs of {', '.join(group.members)}"], group)
    if group.position > offset:
        said = f"{group.readers[0]} has taken the job, and has not answered"
        if branch.due_ms:
            said += f"; it has until {rfc3339(branch.due_ms)}"
        return reason("job-at-work", said, [f"look at the log of {group.readers[0]}: the job is {branch.token}"], group, 0)
    before = offset - max(group.position, 0)
    said = f"its job is at {place.topic}-{place.number}@{offset}, and {group.readers[0]} reads there"
    said += f"; up to {many(before, 'job')} come before it, {jobs}" if before else f", and has it at work or takes it next; {jobs}"
    more = [f"sfc workers scale {pool} --min {len(group.members) + 1}"] if pool and before else []
    return reason("job-queued", said, [*more, f"look at the log of {group.readers[0]}: the job is {branch.token}"], group, before)


def _worker(target: Target, pool: str, group: str, topic: str, facts: Facts) -> str:
    """What to start."""
    kind, _, name = pool.partition(":")
    if kind == "blueprint":
        return f"sfc worker MODULE --blueprint {name}"
    if kind == "task":
        head = facts.definitions.task_heads.get(name)
        task = facts.definitions.task(name, head.current) if head is not None else None
        module = ((task.document.get("Scale") or {}) if task is not None else {}).get("Module") or "MODULE"
        return f"sfc worker {module}"
    if target.topic == facts.names.jobs:
        return "sfc worker"
    return f"start the service that reads {topic} as consumer group {group}"
