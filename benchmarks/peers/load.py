"""What every peer's client does: keeps a number of flows open, one after the other, and measures how long each takes.

Runs in the peers' own environment (see run.py), and so imports nothing of SFC.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import time
from collections.abc import Awaitable, Callable

PAYLOAD = {"order": "o-1", "customer": "c-42", "lines": [{"sku": f"sku-{n}", "count": n} for n in range(8)]}
TASKS = ("bench-one", "bench-two", "bench-three")
OPENING_MAX_S = 60.0
Flow = Callable[[], Awaitable[None]]


async def warmed(flow: Flow, seconds: float, at_once: int = 20) -> None:
    """Lets flows through until the time is over: a JVM needs it."""
    end = time.perf_counter() + seconds

    async def one() -> None:
        while time.perf_counter() < end:
            await flow()

    await asyncio.gather(*(one() for _ in range(at_once)))


async def measured(flow: Flow, at_once: int, seconds: float) -> dict[str, float]:
    """``at_once`` flows are open all the time. Those count that end within the window, which begins when as many have ended as were opened
    together at first (or a minute is over): that load never comes again."""
    took_s: list[float] = []
    ended = 0
    began = time.perf_counter()
    window = [float("inf"), began + OPENING_MAX_S + seconds]
    if at_once == 1:
        window = [began, began + seconds]

    async def one() -> None:
        nonlocal ended
        while (start := time.perf_counter()) < window[1]:
            await flow()
            now = time.perf_counter()
            ended += 1
            if window[0] <= now <= window[1]:
                took_s.append(now - start)
            elif window[0] > now and (ended >= at_once or now > began + OPENING_MAX_S):
                window[:] = now, now + seconds
            if at_once == 1:
                await asyncio.sleep(0.002)

    # Open flows are given their time to end, so that the next measurement begins with none.
    await asyncio.gather(*(one() for _ in range(at_once)))
    took_s.sort()
    if not took_s:
        return {"open": at_once, "flows_per_s": 0.0, "p50_ms": float("nan"), "p99_ms": float("nan")}
    return {
        "open": at_once,
        "flows_per_s": round(len(took_s) / seconds, 1),
        "p50_ms": round(took_s[len(took_s) // 2] * 1e3, 2),
        "p99_ms": round(took_s[int(len(took_s) * 0.99)] * 1e3, 2),
    }


async def client(flow: Flow, a: argparse.Namespace) -> None:
    """Prints one JSON object per measurement."""
    await warmed(flow, a.warm)
    for at_once in a.open:
        print(json.dumps(await measured(flow, at_once, a.seconds)), flush=True)


def arguments(*modes: str) -> argparse.Namespace:
    parser = argparse.ArgumentParser()
    parser.add_argument("mode", choices=modes)
    parser.add_argument("--open", type=lambda text: [int(part) for part in text.split(",")], default=[1, 50, 200, 1000])
    parser.add_argument("--seconds", type=float, default=8.0)
    parser.add_argument("--warm", type=float, default=20.0)
    return parser.parse_args()
