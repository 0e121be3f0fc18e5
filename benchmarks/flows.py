"""A client that keeps a number of 3-task flows open on a real SFC: starts are command records, ends are reply records.

flows.py BOOTSTRAP NAMESPACE VERSION HASH DEFINITIONS [--open N] [--seconds S]      prints one JSON object
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid
from typing import Any

from client import Client, Load, drive, percentiles, warm
from cpu import named, rss_mb
from floor import PAYLOAD, SHARDS, consumer, producer, send, take

from sfc.engine.commands import ReplyTo, Start
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of
from sfc.wire.replies import decode_answer

BLUEPRINT = "bench"


def client_of(a: argparse.Namespace) -> Client:
    topic, replies = f"{a.namespace}.commands", f"{a.namespace}.replies"
    me = uuid.uuid4().hex
    done = consumer(a.bootstrap, f"bench-{me}", replies)
    starts = producer(a.bootstrap, a.open > 1)

    def start() -> str:
        flow = f"{BLUEPRINT}:{uuid.uuid4().hex}"
        command = Start(BLUEPRINT, a.version, a.hash, PAYLOAD, a.definitions, wait=ReplyTo(replies, me, flow))
        value, headers = encode_command(command)
        send(starts, topic, value, flow.encode(), headers=headers, partition=partition_of(flow.encode(), a.shards))
        return flow

    def ended(wait_s: float) -> list[str]:
        flows = []
        for m in take(done, wait_s):
            if m.key() == me.encode():
                answer = decode_answer(m.value())
                assert answer.status == "SUCCEEDED", answer
                assert answer.output == PAYLOAD, answer
                flows.append(answer.flow)
        return flows

    return Client(start, ended, lambda: starts.poll(0))


class Tenths:
    """Rate, latency and the engine's memory of each tenth of a run of so many flows."""

    def __init__(self, flows: int, engine: int) -> None:
        self.rows: list[dict[str, Any]] = []
        self._size = max(1, flows // 10)
        self._engine = engine
        self._began = time.perf_counter()

    def __call__(self, ended: int, latencies_s: list[float]) -> None:
        if ended < self._size * (len(self.rows) + 1):
            return
        before = sum(row["flows"] for row in self.rows)
        now = time.perf_counter()
        self.rows.append(
            {
                "flows": ended - before,
                "flows_per_s": round((ended - before) / (now - self._began), 1),
                **percentiles(latencies_s[before:]),
                "rss_mb": round(rss_mb(self._engine), 1),
            }
        )
        self._began = now


def main() -> None:
    ap = argparse.ArgumentParser()
    ap.add_argument("bootstrap")
    ap.add_argument("namespace")
    ap.add_argument("version", type=int)
    ap.add_argument("hash")
    ap.add_argument("definitions", type=int)
    ap.add_argument("--open", type=int, default=1)
    ap.add_argument("--seconds", type=float, default=10.0)
    ap.add_argument("--rate", type=float, default=0.0, help="flows started per second, in place of a number kept open")
    ap.add_argument("--flows", type=int, default=0, help="ends after so many flows, and tells of each tenth of them")
    ap.add_argument("--shards", type=int, default=SHARDS)
    ap.add_argument("--watch", nargs="*", default=[], help="name=pid of processes whose CPU time is told")
    a = ap.parse_args()
    pids = {"client": os.getpid(), **named(a.watch)}
    client = client_of(a)
    warm(client, a.shards * 4)  # engine and worker on every shard
    tenths = Tenths(a.flows, pids["engine"]) if a.flows else None
    result = drive(client, Load(a.open, a.seconds, a.rate, a.flows), pids, tenths)
    print(json.dumps({**result, **({"tenths": tenths.rows} if tenths else {})}))


if __name__ == "__main__":
    main()
