"""The blueprints and tasks of every run: one for each way in which a flow may wait for something."""

from __future__ import annotations

import random
from hashlib import sha256
from typing import Any

import msgspec

from sfc.testing.generated import Jobs, blueprint
from sfc.wire.definitions import BlueprintHead, BlueprintVersion, Definition, TaskHead, TaskVersion, TriggerRecord

Document = dict[str, Any]

ERRORS = ("Busy", "Broken")
"""What workers fail with; blueprints retry Busy and catch both."""

TASKS: dict[str, Document] = {
    "pack": {"Name": "pack"},
    "pay": {"Name": "pay", "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2, "BackoffRate": 2.0}]},
    "quick": {"Name": "quick", "TimeoutSeconds": 4, "HeartbeatSeconds": 2},
    "book": {"Name": "book", "Delivery": "exactly-once"},
    "ship": {"Name": "ship", "Kafka": {"Topic": "ship", "ReplyTopic": "ship_done", "Correlate": {"Header": "sfc-job"}}},
    "weigh": {"Name": "weigh", "Kafka": {"Topic": "weigh", "ReplyTopic": "weigh_done", "Correlate": "Key"}, "TimeoutSeconds": 60},
}

_RETRY = [{"ErrorEquals": ["Busy", "States.Timeout"], "IntervalSeconds": 1, "MaxAttempts": 2, "JitterStrategy": "FULL"}]
_CATCH = [{"ErrorEquals": ["States.ALL"], "ResultPath": "$.error", "Next": "Sorry"}]


def _task(name: str, **more: Any) -> Document:
    resource = name if ":" in name else f"task:{name}@1"
    return {"Type": "Task", "Resource": resource, "ResultPath": "$.r", **more}


def _parallel(*branches: Document, **more: Any) -> Document:
    return {
        "Type": "Parallel",
        "Branches": [{"StartAt": next(iter(branch)), "States": branch} for branch in branches],
        "ResultPath": "$.all",
        **more,
    }


MACHINES: dict[str, Document] = {
    "orders": {
        "StartAt": "Pack",
        "States": {
            "Pack": _task("pack", Retry=_RETRY, Catch=_CATCH, Next="Big?"),
            "Big?": {"Type": "Choice", "Choices": [{"Variable": "$.n", "NumericGreaterThan": 5, "Next": "Pay"}], "Default": "Quick"},
            "Pay": _task("pay", Catch=_CATCH, Next="Done"),
            "Quick": _task("quick", Retry=_RETRY, Catch=_CATCH, Next="Done"),
            "Sorry": {"Type": "Pass", "Next": "Done"},
            "Done": {"Type": "Succeed"},
        },
    },
    "naps": {
        "StartAt": "Nap",
        "States": {
            "Nap": {"Type": "Wait", "Seconds": 2, "Next": "Work"},
            "Work": _task("pack", Retry=_RETRY, Next="Long"),
            "Long": {"Type": "Wait", "SecondsPath": "$.n", "Next": "Longer"},
            "Longer": {"Type": "Wait", "Seconds": 86_400, "End": True},
        },
    },
    "fan": {
        "StartAt": "Both",
        "States": {
            "Both": _parallel(
                {"A": _task("pack", Next="A2"), "A2": _task("quick", End=True)},
                {"B": {"Type": "Wait", "Seconds": 1, "Next": "B2"}, "B2": _task("pay", Retry=_RETRY, End=True)},
                Catch=_CATCH,
                Next="Tell",
            ),
            "Tell": _task("topic:audit", Next="Last"),
            "Last": _task("book", End=True),
            "Sorry": _task("topic:audit", End=True),
        },
    },
    "each": {
        "StartAt": "All",
        "States": {
            "All": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "MaxConcurrency": 2,
                "ItemProcessor": {"StartAt": "One", "States": {"One": {**_task("pack", Retry=_RETRY), "ResultPath": "$", "End": True}}},
                "ResultPath": "$.each",
                "Retry": [{"ErrorEquals": ["Broken"], "IntervalSeconds": 1, "MaxAttempts": 1}],
                "Next": "Sum",
            },
            "Sum": _task("book", Catch=_CATCH, End=True),
            "Sorry": {"Type": "Fail", "Error": "Sorry", "Cause": "no sum"},
        },
    },
    "spread": {
        "StartAt": "Spread",
        "States": {
            "Spread": {
                "Type": "Map",
                "ItemsPath": "$.items",
                "MaxConcurrency": 3,
                "ToleratedFailureCount": 1,
                "ItemProcessor": {
                    "ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"},
                    "StartAt": "Item",
                    "States": {
                        "Item": {**_task("pay", Retry=_RETRY), "ResultPath": "$", "Next": "Rest"},
                        "Rest": {"Type": "Wait", "Seconds": 1, "End": True},
                    },
                },
                "ResultPath": "$.spread",
                "Catch": _CATCH,
                "Next": "After",
            },
            "After": _task("quick", Retry=_RETRY, Catch=_CATCH, End=True),
            "Sorry": {"Type": "Succeed"},
        },
    },
    "parent": {
        "StartAt": "Children",
        "States": {
            "Children": _parallel(
                {"Order": _task("blueprint:orders@1", End=True)},
                {"First": _task("pack", Next="Fan"), "Fan": _task("blueprint:fan@1", End=True)},
                Catch=_CATCH,
                Next="Book",
            ),
            "Book": _task("book", Retry=_RETRY, End=True),
            "Sorry": {"Type": "Fail", "Error": "Sorry"},
        },
    },
    "asks": {
        "StartAt": "Before",
        "TimeoutSeconds": 3_600,
        "States": {
            "Before": _task("pack", Retry=_RETRY, Next="Ask"),
            "Ask": _task("signal:go", TimeoutSeconds=20, Retry=_RETRY, Catch=_CATCH, Next="Tell"),
            "Tell": _task("topic:audit", Next="Again"),
            "Again": _task("signal:go", TimeoutSeconds=600, Catch=_CATCH, End=True),
            "Sorry": _task("pay", End=True),
        },
    },
    "later": {
        "StartAt": "Send",
        "States": {
            "Send": _parallel(
                {"A": _task("pack", Next="A2"), "A2": {"Type": "Wait", "Seconds": 3, "End": True}},
                {"B": _task("quick", Retry=_RETRY, End=True)},
                Detached=True,
                Next="Meanwhile",
            ),
            "Meanwhile": _task("book", Next="Gather"),
            "Gather": {"Type": "Join", "Of": "Send", "Until": "Any", "TimeoutSeconds": 30, "Catch": _CATCH, "Next": "End"},
            "Sorry": {"Type": "Pass", "Next": "End"},
            "End": _task("pay", Catch=[{"ErrorEquals": ["States.ALL"], "Next": "Bye"}], Next="Bye"),
            "Bye": {"Type": "Succeed"},
        },
    },
    "serves": {
        "StartAt": "Ship",
        "States": {
            "Ship": _task("ship", TimeoutSeconds=30, Retry=_RETRY, Catch=_CATCH, Next="Weigh"),
            "Weigh": _task("weigh", Catch=_CATCH, Next="Tell"),
            "Tell": _task("topic:audit", End=True),
            "Sorry": _task("book", End=True),
        },
    },
    "counts": {
        "QueryLanguage": "JSONata",
        "StartAt": "Init",
        "States": {
            "Init": {"Type": "Pass", "Assign": {"i": 0, "id": "{% $uuid() %}", "at": "{% $millis() %}"}, "Next": "Step"},
            "Step": {
                "Type": "Task",
                "Resource": "task:pack@1",
                "Arguments": {"i": "{% $i %}", "id": "{% $id %}", "chance": "{% $random() %}"},
                "Assign": {"i": "{% $i + 1 %}"},
                "Retry": [{"ErrorEquals": ["Busy"], "IntervalSeconds": 1, "MaxAttempts": 2}],
                "Next": "More?",
            },
            "More?": {"Type": "Choice", "Choices": [{"Condition": "{% $i < 3 %}", "Next": "Step"}], "Default": "Done"},
            "Done": {"Type": "Succeed", "Output": {"id": "{% $id %}", "i": "{% $i %}"}},
        },
    },
}

GROUPS = {"orders": "shop", "fan": "shop"}
KEPT = {"asks": {"Ids": "PT1H", "Failed": "P1D"}}
TRIGGERS = {
    "orders": TriggerRecord("uid-orders", "in", "orders_in", flow_id="$.id", start="earliest"),
    "counts": TriggerRecord("uid-counts", "in", "orders_in", when="$.n > 5", start="earliest"),
}
TOPICS = {"orders_in": 2, "audit": 1, "ship": 2, "ship_done": 2, "weigh": 1, "weigh_done": 1}
"""Topics that are the user's, with their partitions."""


_GENERATED = 3
_JOBS = Jobs(
    tasks=("task:pack@1", "task:pay@1", "task:quick@1"), children=("blueprint:orders@1", "blueprint:naps@1"), signals=("signal:go",)
)


class Catalog:
    """The blueprints of one run: those above, and some that its seed has drawn. ``inputs``: of the latter."""

    def __init__(self, seed: int) -> None:
        chance = random.Random(seed ^ 0xB1)
        self.machines = dict(MACHINES)
        self.inputs: dict[str, Any] = {}
        for n in range(_GENERATED):
            name = f"drawn-{n}"
            self.machines[name], self.inputs[name] = blueprint(chance, jobs=_JOBS)
        self.names = list(self.machines)

    def version(self, name: str, version: int = 1) -> BlueprintVersion:
        """The second version of a blueprint has other content: its comment."""
        document = self._document(name) if version == 1 else {**self._document(name), "Comment": f"version {version}"}
        content = "" if name in MACHINES else sha256(msgspec.json.encode(document)).hexdigest()[:12]
        return BlueprintVersion(name, version, f"h-{name}-{version}-{content}", document)

    def _document(self, name: str) -> Document:
        section: Document = {"Name": name}
        if name in GROUPS:
            section["Group"] = GROUPS[name]
        if name in KEPT:
            section["Retention"] = KEPT[name]
        return {**self.machines[name], "Sfc": section}

    def head(self, name: str) -> BlueprintHead:
        """As it is when a run begins."""
        return BlueprintHead(name, 1, "enabled", 1, GROUPS.get(name, ""), [TRIGGERS[name]] if name in TRIGGERS else [])

    def definitions(self) -> list[Definition]:
        """What stands in sfc.definitions when a run begins."""
        found: list[Definition] = []
        for name, document in TASKS.items():
            found += [TaskVersion(name, 1, f"h-{name}", document), TaskHead(name, 1, 1)]
        for name in self.names:
            found += [self.version(name), self.head(name)]
        return found
