"""A client that keeps a number of 3-task flows open on a real SFC: starts are command records, ends are reply records.

flows.py BOOTSTRAP NAMESPACE VERSION HASH DEFINITIONS [--open N] [--seconds S]      prints one JSON object
"""

from __future__ import annotations

import argparse
import json
import os
import time
import uuid

from cpu import Watched, named
from floor import PAYLOAD, SHARDS, consumer, producer, send, take

from sfc.engine.commands import ReplyTo, Start
from sfc.wire.commands import encode_command
from sfc.wire.partition import partition_of
from sfc.wire.replies import decode_answer

BLUEPRINT = "bench"


def measure(a: argparse.Namespace) -> dict[str, object]:
    topic, replies = f"{a.namespace}.commands", f"{a.namespace}.replies"
    me = uuid.uuid4().hex
    done = consumer(a.bootstrap, f"bench-{me}", replies)
    starts = producer(a.bootstrap, a.open > 1)
    started_at: dict[str, float] = {}
    latencies_s: list[float] = []

    def start() -> None:
        flow = f"{BLUEPRINT}:{uuid.uuid4().hex}"
        command = Start(BLUEPRINT, a.version, a.hash, PAYLOAD, a.definitions, wait=ReplyTo(replies, me, flow))
        value, headers = encode_command(command)
        started_at[flow] = time.perf_counter()
        send(starts, topic, value, flow.encode(), headers=headers, partition=partition_of(flow.encode(), SHARDS))

    def ended() -> list[str]:
        flows = []
        for m in take(done):
            answer = decode_answer(m.value())
            if answer.flow in started_at:
                assert answer.status == "SUCCEEDED", answer
                assert answer.output == PAYLOAD, answer
                flows.append(answer.flow)
        return flows

    for _ in range(SHARDS * 4):  # engine, worker and groups warm up on every shard
        start()
    while started_at:
        for flow in ended():
            del started_at[flow]
    cpu = Watched({"client": os.getpid(), **named(a.watch)})
    began = time.perf_counter()
    for _ in range(a.open):
        start()
    while (lasted := time.perf_counter() - began) < a.seconds:
        for flow in ended():
            latencies_s.append(time.perf_counter() - started_at.pop(flow))
            if a.open == 1:
                time.sleep(0.002)
            start()
        starts.poll(0)
    latencies_s.sort()
    return {
        "flows_open": a.open,
        "flows_per_s": round(len(latencies_s) / lasted, 1),
        "p50_ms": round(latencies_s[len(latencies_s) // 2] * 1e3, 2),
        "p99_ms": round(latencies_s[int(len(latencies_s) * 0.99)] * 1e3, 2),
        "cpu_s_per_1000": cpu.per_1000(len(latencies_s)),
    }


if __name__ == "__main__":
    ap = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ap.add_argument("bootstrap")
    ap.add_argument("namespace")
    ap.add_argument("version", type=int)
    ap.add_argument("hash")
    ap.add_argument("definitions", type=int)
    ap.add_argument("--open", type=int, default=1)
    ap.add_argument("--seconds", type=float, default=10.0)
    ap.add_argument("--watch", nargs="*", default=[], help="name=pid of processes whose CPU time is told")
    print(json.dumps(measure(ap.parse_args())))
