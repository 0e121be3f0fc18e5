"""What the chaos run deploys: four blueprints, and how a flow of each must end."""

from __future__ import annotations

from random import Random
from typing import Any, NamedTuple

NAMESPACE = "chaos"
SHARDS = 4
BILLS, BILLED = "bills", "bills-done"  # the service's topics
SHIPPED = "shipped"  # what leaves exactly once
INPUT_PARTITIONS = 4

Json = dict[str, Any]

# A job that no broker takes within 10 s fails its attempt: while brokers die that is no news.
AGAIN: Json = {"ErrorEquals": ["SFC.DispatchFailed"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 1000}


def _task(resource: str, **more: Any) -> Json:
    return {"Type": "Task", "Resource": resource, **({"End": True} if "Next" not in more else {}), "Retry": [AGAIN], **more}


def input_topic(blueprint: str) -> str:
    return f"{blueprint}-in"


TASKS: list[Json] = [
    {"Name": "pack"},
    {"Name": "weigh"},
    {"Name": "fetch"},
    {"Name": "seal", "Delivery": "exactly-once"},
    {"Name": "bill", "Kafka": {"Topic": BILLS, "ReplyTopic": BILLED, "Correlate": {"Header": "sfc-job"}}},
]

_SCALE: Json = {"ErrorEquals": ["Scale"], "IntervalSeconds": 1, "BackoffRate": 1, "MaxAttempts": 3}

_MACHINES: dict[str, Json] = {
    "parcel": {
        "StartAt": "Pack",
        "States": {
            "Pack": _task("task:pack", ResultPath="$.pack", Next="Weigh"),
            "Weigh": _task("task:weigh", ResultPath="$.weight", Retry=[_SCALE, AGAIN]),
        },
    },
    "sealed": {
        "StartAt": "Seal",
        "States": {
            "Seal": _task("task:seal", ResultPath="$.seal", Next="Ship"),
            "Ship": _task(f"topic:{SHIPPED}"),
        },
    },
    "order": {
        "StartAt": "Both",
        "States": {
            "Both": {
                "Type": "Parallel",
                "Branches": [
                    {"StartAt": "Left", "States": {"Left": _task("task:pack")}},
                    {"StartAt": "Right", "States": {"Right": _task("task:fetch")}},
                ],
                "ResultPath": "$.both",
                "Next": "Rest",
            },
            "Rest": {"Type": "Wait", "Seconds": 1, "Next": "Child"},
            "Child": _task("blueprint:parcel", ResultPath="$.child"),
        },
    },
    "billed": {"StartAt": "Bill", "States": {"Bill": _task("task:bill")}},
}

BLUEPRINTS: list[Json] = [
    {**machine, "Sfc": {"Name": name, "Triggers": [{"Id": "in", "Topic": input_topic(name), "FlowId": "$.id", "From": "earliest"}]}}
    for name, machine in _MACHINES.items()
]

SHARES = {"parcel": 55, "sealed": 15, "order": 15, "billed": 15}  # of a hundred flows


class Start(NamedTuple):
    """A flow to be started. ``ends``: the status that it must end with; ``children``: how many flows it starts."""

    blueprint: str
    id: str
    input: Json
    ends: str
    children: int

    @property
    def flow(self) -> str:
        return f"{self.blueprint}:{self.id}"


def draw(random: Random, number: int, by: str) -> Start:
    """The flow of that number. ``by``: the way by which it comes, a letter of its id."""
    blueprint = random.choices(list(SHARES), list(SHARES.values()))[0]
    id_ = f"{by}{number}"
    told: Json = {"id": id_}
    ends = "SUCCEEDED"
    if blueprint == "parcel":
        luck = random.random()
        if luck < 0.1:
            told["broken"], ends = True, "FAILED"
        elif luck < 0.3:
            told["fails"] = random.randint(1, 2)
    return Start(blueprint, id_, told, ends, int(blueprint == "order"))
