"""The workers of the blueprint ``tmall-order``. What they answer depends on the job alone, so that a job done twice is answered alike.

Where SFC_LEDGER names a folder, each process appends ``<token> <outcome>`` for every job to the file there that its process id names.
"""

from __future__ import annotations

import asyncio
import os
from collections import defaultdict
from pathlib import Path
from typing import Any

from sfc_workers import Job, TaskError, task

SUCCEEDED = "SUCCEEDED"
OUT_OF_STOCK = "OutOfStock"
SHORT_ATTEMPTS = 3  # one and two retries: the flow has failed then, and a redrive finds the stock filled up
VAT_PERCENT = 13

_short: dict[str, list[str]] = {}  # by run of a flow: the jobs that found its stock short


@task("order-receive")
async def receive(job: Job) -> dict[str, Any]:
    await asyncio.sleep(0.1)
    lines = job.input["items"]
    return _told(job, {"lines": len(lines), "amount": _amount(lines)})


@task("order-split")
async def split(job: Job) -> dict[str, Any]:
    await asyncio.sleep(0.2)
    order = job.input
    if order.get("stock") == "short" and _is_short(job.token):
        _tell(job, OUT_OF_STOCK)
        raise TaskError(OUT_OF_STOCK, f"{order['items'][0]['sku']} of order {order['order_id']} is out of stock")
    parcels: dict[str, list[str]] = defaultdict(list)
    for line in order["items"]:
        parcels[line["warehouse"]].append(line["sku"])
    return _told(job, {"parcels": [{"warehouse": name, "skus": skus} for name, skus in sorted(parcels.items())]})


@task("order-pick")
async def pick(job: Job) -> dict[str, Any]:
    await asyncio.sleep(0.3)
    return _told(job, {"pieces": sum(line["quantity"] for line in job.input["items"])})


@task("order-invoice", blocking=False)
def invoice(job: Job) -> dict[str, Any]:
    amount = _amount(job.input["items"])
    return _told(job, {"number": f"INV-{job.input['order_id']}", "amount": amount, "vat": amount * VAT_PERCENT // (100 + VAT_PERCENT)})


@task("order-send")
async def send(job: Job) -> dict[str, Any]:
    await asyncio.sleep(0.2)
    parcels = job.input["split"]["parcels"]
    return _told(job, {"carrier": "cainiao", "tracking": [f"CN{job.input['order_id']}-{number}" for number in range(1, len(parcels) + 1)]})


def _amount(lines: list[dict[str, Any]]) -> int:
    """In fen."""
    return sum(line["price"] * line["quantity"] for line in lines)


def _is_short(token: str) -> bool:
    """Whether this is one of the first jobs of its flow's run. A token that comes again gets the answer it got before."""
    run = token.rsplit("/", 2)[0]  # a token is <flow>/<run>/<event>/<hash>
    jobs = _short.get(run)
    if jobs is None:
        jobs = _short[run] = _written(run)
    if token not in jobs:
        if len(jobs) >= SHORT_ATTEMPTS:
            return False
        jobs.append(token)
    return True


def _written(run: str) -> list[str]:
    """The short jobs of a run that other processes have written down: this one may have taken over from one that died."""
    folder = os.environ.get("SFC_LEDGER")
    if not folder:
        return []
    entries = [line.split() for file in Path(folder).iterdir() for line in file.read_text().splitlines()]
    return sorted({e[0] for e in entries if len(e) == 2 and e[0].startswith(f"{run}/") and e[1] == OUT_OF_STOCK})


def _told(job: Job, output: dict[str, Any]) -> dict[str, Any]:
    _tell(job, SUCCEEDED)
    return output


def _tell(job: Job, outcome: str) -> None:
    folder = os.environ.get("SFC_LEDGER")
    if folder:
        with (Path(folder) / str(os.getpid())).open("a", encoding="utf-8") as ledger:
            ledger.write(f"{job.token} {outcome}\n")
