"""Makes orders.jsonl, the sample records, and expected.json: what must come of them, derived from the records alone.

Nothing here knows SFC, and nothing is drawn by chance: the same bytes come out each time.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

RECORDS = 300
FIRST_HALF = 150  # published under version 1 of the blueprint, the rest under version 2
NOT_JSON = 40  # this line is cut off
SHORT = 20  # the stock of this order is short until somebody redrives its flow
RETRIES = 2  # of a short order's split, before its flow fails

CITIES = ("杭州", "上海", "北京", "广州", "成都", "武汉", "西安")
GOODS = (
    ("tea-250", 6800),
    ("silk-scarf", 15900),
    ("teapot", 23900),
    ("fan", 3900),
    ("lantern", 8900),
    ("brush-set", 12900),
    ("inkstone", 31900),
)
WAREHOUSES = ("east", "south", "north")


def order(number: int) -> dict[str, Any]:
    """Prices are in fen."""
    items = []
    for line in range(1 + number % 3):
        sku, price = GOODS[(number * 5 + line * 3) % len(GOODS)]
        items.append({"sku": sku, "quantity": 1 + (number + line) % 4, "price": price, "warehouse": WAREHOUSES[(number + 2 * line) % 3]})
    made: dict[str, Any] = {
        "order_id": f"T{880_000 + number * 7}",
        "channel": "tmall",
        "paid": number % 10 != 7,
        "buyer": f"buyer-{number * 37 % 211:03d}",
        "city": CITIES[number % len(CITIES)],
        "items": items,
    }
    if number == SHORT:
        made["stock"] = "short"
    return made


def lines() -> list[str]:
    made = [json.dumps(order(number), ensure_ascii=False) for number in range(RECORDS)]
    made[NOT_JSON] = made[NOT_JSON][:60]
    return made


def expected(records: list[str]) -> dict[str, Any]:
    """The numbers by version of the blueprint: 1 takes the first half, 2 the rest."""
    versions = {"1": records[:FIRST_HALF], "2": records[FIRST_HALF:]}
    unreadable = 0
    short: list[str] = []
    before: dict[str, dict[str, int]] = {}
    after: dict[str, dict[str, int]] = {}
    entered: dict[str, dict[str, int]] = {}
    retries: dict[str, dict[str, int]] = {}
    for version, half in versions.items():
        count: Counter[str] = Counter()
        for record in half:
            try:
                found = json.loads(record)
            except ValueError:
                unreadable += 1
                continue
            count["flows"] += 1
            count["paid" if found["paid"] else "unpaid"] += 1
            if found.get("stock") == "short":
                count["short"] += 1
                short.append(found["order_id"])
        paid, unpaid, failing = count["paid"], count["unpaid"], count["short"]
        before[version] = {"SUCCEEDED": paid - failing, "FAILED": unpaid + failing}
        after[version] = {"SUCCEEDED": paid, "FAILED": unpaid}
        entered[version] = {
            "Receive": count["flows"],
            "Paid?": count["flows"],
            "Split": paid + failing,  # a redriven flow enters the state where it failed once more
            "Fulfil": paid,
            "Pick": paid,
            "Invoice": paid,
            **({"Label": paid} if version == "2" else {}),
            "Send": paid,
            "Done": paid,
            "Unpaid": unpaid,
        }
        retries[version] = {"Split": failing * RETRIES}
    return {
        "records": len(records),
        "first_half": FIRST_HALF,
        "dead_letters": {"not-json": unreadable},
        "short": short,
        "before_redrive": before,
        "after_redrive": after,
        "entered": entered,
        "retries": retries,
    }


def write(folder: Path) -> None:
    made = lines()
    (folder / "orders.jsonl").write_bytes("".join(f"{line}\n" for line in made).encode())
    (folder / "expected.json").write_bytes((json.dumps(expected(made), indent=2) + "\n").encode())


if __name__ == "__main__":
    write(Path(__file__).parent)
