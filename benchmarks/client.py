"""The load of a benchmark: flows are started and awaited, and what that took is told. The same for the floor and for SFC."""

from __future__ import annotations

import time
from collections.abc import Callable, Hashable, Iterable
from typing import Any, NamedTuple

from cpu import Watched

WAIT_S = 0.2
BEAT_S = 0.005  # with a rate, flows are started so often, some at once: a client that wakes for each takes half a core


class Load(NamedTuple):
    """``flows_open`` at a time, each followed by the next when it has ended; or, with ``rate``, so many flows started each second whatever
    has ended, with times counted from when each was due to start. ``flows``: ends after so many, not after ``seconds``. The flows that
    are opened together at first are not counted, nor is the time that they take: they are a load that never comes again."""

    flows_open: int
    seconds: float
    rate: float = 0.0
    flows: int = 0


class Client(NamedTuple):
    """``start`` starts a flow and gives its key; ``ended`` waits for up to so many seconds and gives the keys of flows that have ended;
    ``poll`` lets the producer work."""

    start: Callable[[], Hashable]
    ended: Callable[[float], Iterable[Hashable]]
    poll: Callable[[], Any]


def warm(client: Client, flows: int) -> None:
    """Groups join and caches warm during the first flows."""
    left = {client.start() for _ in range(flows)}
    while left:
        left -= set(client.ended(WAIT_S))


def drive(client: Client, load: Load, pids: dict[str, int], told: Callable[[int, list[float]], None] | None = None) -> dict[str, Any]:
    """Puts the load on; ``told`` hears, after each look at the ends, how many flows have ended, and their latencies so far in s."""
    started_at: dict[Hashable, float] = {}
    latencies_s: list[float] = []
    watched = Watched(pids)
    began = due = time.perf_counter()
    started = 0  # with a rate
    opening = 0 if load.rate or load.flows or load.flows_open == 1 else load.flows_open
    if not load.rate:
        for _ in range(load.flows_open):
            started_at[client.start()] = time.perf_counter()
    while True:
        now = time.perf_counter()
        if opening and len(latencies_s) >= opening:
            opening = 0
            latencies_s.clear()
            watched = Watched(pids)
            began = now
        if (load.flows and len(latencies_s) >= load.flows) or (not load.flows and not opening and now - began >= load.seconds):
            break
        wait_s = WAIT_S
        if load.rate:
            while due <= now:
                while started < (due - began) * load.rate:
                    started_at[client.start()] = due
                    started += 1
                due += BEAT_S
            wait_s = due - now
        for key in client.ended(wait_s):
            at = started_at.pop(key, None)
            if at is None:
                continue
            latencies_s.append(time.perf_counter() - at)
            if not load.rate:
                if load.flows_open == 1:
                    time.sleep(0.002)
                started_at[client.start()] = time.perf_counter()
        client.poll()
        if told is not None:
            told(len(latencies_s), latencies_s)
    lasted = time.perf_counter() - began
    return {
        "flows_open": load.flows_open,
        **({"asked_per_s": round(load.rate, 1)} if load.rate else {}),
        "flows_per_s": round(len(latencies_s) / lasted, 1),
        **percentiles(latencies_s),
        "cpu_s_per_1000": watched.per_1000(len(latencies_s)),
    }


def percentiles(latencies_s: list[float]) -> dict[str, float]:
    """p50 and p99 in ms."""
    ordered = sorted(latencies_s)
    return {f"p{p}_ms": round(ordered[int(len(ordered) * p / 100)] * 1e3, 2) for p in (50, 99)} if ordered else {}
