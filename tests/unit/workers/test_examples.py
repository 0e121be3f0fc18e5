"""The example workers, as a function sees its job."""

from __future__ import annotations

import asyncio
import json
import os
from pathlib import Path
from typing import Any

import pytest
from sfc_workers import Job, TaskError, load_modules
from sfc_workers.examples import hello, tmall

from sfc.ports import Record

ORDERS = Path(__file__).resolve().parents[3] / "blueprints" / "tmall-order"
SHORT = next(json.loads(line) for line in (ORDERS / "orders.jsonl").read_text().splitlines() if '"short"' in line)


@pytest.fixture(autouse=True)
def at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    async def no_time(_seconds: float) -> None:
        return

    monkeypatch.setattr(asyncio, "sleep", no_time)
    monkeypatch.setattr(tmall, "_short", {})
    monkeypatch.delenv("SFC_LEDGER", raising=False)


def job(value: Any, token: str = "tmall-order:T1/5/3/abcd") -> Job:
    return Job(Record("t", 0, 0, b"k", json.dumps(value).encode(), [("sfc-job", token.encode())], 0, None), lambda _job: None)


def split(token: str) -> str:
    try:
        asyncio.run(tmall.split(job(SHORT, token)))
    except TaskError as e:
        return e.error
    return "SUCCEEDED"


def test_the_modules_do_every_task_of_their_blueprints() -> None:
    tasks = {path.stem for folder in ("tmall-order", "hello") for path in (ORDERS.parent / folder / "tasks").iterdir()}
    assert load_modules(["sfc_workers.examples.tmall", "sfc_workers.examples.hello"]).keys() == tasks


def test_a_short_order_fails_three_jobs_and_a_job_that_comes_again_is_answered_alike() -> None:
    run = "tmall-order:T1/5"
    asked = [f"{run}/{event}/aa" for event in (3, 6, 6, 9, 14, 3)]
    assert [split(token) for token in asked] == ["OutOfStock"] * 4 + ["SUCCEEDED", "OutOfStock"]
    assert split("tmall-order:T1/88/3/aa") == "OutOfStock"  # another run of the same order


def test_a_worker_that_takes_over_knows_what_the_one_before_wrote_down(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SFC_LEDGER", str(tmp_path))
    (tmp_path / "1").write_text("".join(f"tmall-order:T1/5/{event}/aa OutOfStock\n" for event in (3, 6, 9)) + "tmall-order:T2/7/3/aa SUCC")
    assert split("tmall-order:T1/5/14/aa") == "SUCCEEDED"
    assert (tmp_path / str(os.getpid())).read_text() == "tmall-order:T1/5/14/aa SUCCEEDED\n"


def test_an_order_is_added_up_split_picked_invoiced_and_sent() -> None:
    lines = [
        {"sku": "a", "quantity": 2, "price": 500, "warehouse": "south"},
        {"sku": "b", "quantity": 1, "price": 130, "warehouse": "east"},
    ]
    order: dict[str, Any] = {"order_id": "T9", "items": lines}
    assert asyncio.run(tmall.receive(job(order))) == {"lines": 2, "amount": 1130}
    order["split"] = asyncio.run(tmall.split(job(order)))
    assert order["split"] == {"parcels": [{"warehouse": "east", "skus": ["b"]}, {"warehouse": "south", "skus": ["a"]}]}
    assert asyncio.run(tmall.pick(job(order))) == {"pieces": 3}
    assert tmall.invoice(job(order)) == {"number": "INV-T9", "amount": 1130, "vat": 130}
    assert asyncio.run(tmall.send(job(order))) == {"carrier": "cainiao", "tracking": ["CNT9-1", "CNT9-2"]}


def test_hello_greets_whom_the_input_names() -> None:
    assert hello.hello(job({"name": "Ada"})) == {"greeting": "Hello, Ada!"}
    assert hello.hello(job(None)) == {"greeting": "Hello, world!"}
