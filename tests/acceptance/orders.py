"""The example's orders in a test: documents that read a topic of their own, and how each order must end."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import yaml
from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

BLUEPRINT = Path(__file__).parents[2] / "blueprints" / "tmall-order"
MODULE = "sfc_workers.examples.tmall"
TRIGGER_GROUP = ("tmall-order", "orders")
TASKS = ("order-receive", "order-split", "order-pick", "order-invoice", "order-send")


def documents(topic: str) -> tuple[dict[str, Any], dict[str, dict[str, Any]]]:
    """The blueprint, reading that topic, and its tasks by name."""
    blueprint = yaml.safe_load((BLUEPRINT / "blueprint.yaml").read_text(encoding="utf-8"))
    blueprint["Sfc"]["Triggers"][0]["Topic"] = topic
    tasks = {name: yaml.safe_load((BLUEPRINT / "tasks" / f"{name}.yaml").read_text(encoding="utf-8")) for name in TASKS}
    return blueprint, tasks


def order_lines() -> list[bytes]:
    """The records of the example, one of which is not JSON."""
    return (BLUEPRINT / "orders.jsonl").read_bytes().splitlines()


def expected_ends(lines: list[bytes]) -> dict[str, str]:
    """Status by flow, from the records alone: nobody fills up the stock of a short order here."""
    ends = {}
    for line in lines:
        try:
            order = json.loads(line)
        except ValueError:
            continue
        ends[f"tmall-order:{order['order_id']}"] = "SUCCEEDED" if order["paid"] and order.get("stock") != "short" else "FAILED"
    return ends


def members_at_work(admin: AdminClient, group: str) -> int:
    """Members of a consumer group that have partitions."""
    try:
        described = admin.describe_consumer_groups([group])[group].result(10)
    except KafkaException:  # nobody has joined it yet
        return 0
    return sum(bool(member.assignment.topic_partitions) for member in described.members)
