"""An example for each body and answer, by its type."""

from __future__ import annotations

from typing import Any

from sfc.ports import DeadLetterDocument, DeadLetterPage, FlowDocument, FlowPage
from sfc.registry import DraftInfo, Edited, HoldEdited, KeyInfo, MadeKey, RolledBack, ScheduleInfo
from sfc.registry.pools import PoolEdited
from sfc.runtime.explain import Explanation
from sfc_gateway import shapes as s

BLUEPRINT = {
    "Comment": "Greets somebody",
    "StartAt": "Greet",
    "States": {"Greet": {"Type": "Pass", "End": True}},
    "Sfc": {"Name": "hello"},
}
TASK = {"Name": "split", "Comment": "Splits an order by warehouse", "TimeoutSeconds": 30}
_AT = 1_769_846_400_000
_HASH = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
_HOLD = {
    "subject": "blueprint:hello", "freeze": True, "reason": "stocktaking", "by": "ann", "since_ms": _AT, "revision": 12
}  # fmt: skip
_BLUEPRINT = {
    "name": "hello", "current": 2, "status": "enabled", "revision": 12, "group": "", "triggers": [], "hold_reason": "", "hold_by": "",
    "hold_freeze": True, "created_ms": _AT, "updated_ms": _AT, "hash": _HASH, "document": BLUEPRINT, "holds": [],
}  # fmt: skip
_TASK = {"name": "split", "current": 1, "revision": 3, "created_ms": _AT, "updated_ms": _AT, "hash": _HASH, "document": TASK}
_FLOW = {
    "flow": "hello:o-1", "run": 7, "blueprint": "hello", "version": 2, "status": "RUNNING", "seq": 3, "started_ms": _AT,
    "updated_ms": _AT + 12, "states": ["Greet"], "origin": {"kind": "http"},
}  # fmt: skip
_DEPLOYED = {
    "source": "hello.yaml", "kind": "blueprint", "name": "hello", "version": 2, "hash": _HASH, "revision": 12, "created": True,
    "changed": True, "before": 1, "notes": [], "warnings": [],
}  # fmt: skip
_DRAFT = {"kind": "blueprint", "name": "hello", "document": BLUEPRINT, "by": "ann", "updated_ms": _AT}
_GROUP = {
    "name": "shop", "blueprints": {"hello": "enabled"}, "versions": {"hello": [1, 2]}, "tasks": ["split"], "hold": None,
    "flows": {"RUNNING": 3, "SUCCEEDED": 40}, "paused": 0,
}  # fmt: skip
_SCHEDULE = {
    "blueprint": "hello", "id": "nightly", "uid": "6f1c2b", "cron": "0 3 * * *", "time_zone": "Asia/Shanghai", "catch_up": "latest",
    "input": {}, "status": "enabled", "next_ms": _AT + 3_600_000, "last_ms": _AT, "upcoming": [_AT + 3_600_000, _AT + 90_000_000],
}  # fmt: skip
_LETTER = {
    "id": "dded34e9-1-13", "at_ms": _AT, "reason": "not-json", "detail": "the value must be JSON: Input data was truncated",
    "topic": "order_created", "partition": 1, "offset": 13, "value": "eyJvcmRlcl9pZCI6",
}  # fmt: skip
_PROBLEM = {
    "code": "unknown-state", "pointer": "/StartAt", "message": "there is no state 'Gret'.", "hint": "Did you mean 'Greet'?",
    "severity": "error",
}  # fmt: skip
_KEY = {"id": "5d41402abc4b", "name": "ci", "role": "editor", "created_ms": _AT, "revoked_ms": 0}

EXAMPLES: dict[Any, Any] = {
    s.Nothing: {},
    s.Reason: {"reason": "stocktaking"},
    s.HoldOptions: {"reason": "stocktaking", "timers": "freeze"},
    s.StopOptions: {"error": "Cancelled", "cause": "the customer rang"},
    s.RedriveOptions: {"input": {"name": "Ada"}},
    s.SignalOptions: {"output": {"approved": True}},
    list[s.SourceDocument]: [{"source": "hello.yaml", "document": BLUEPRINT}, {"source": "split.yaml", "document": TASK}],
    s.RollbackOptions: {"to": 1},
    s.PoolNumbers: {"min": 1, "max": 4},
    s.Mended: {"value": {"order_id": "T880140"}},
    s.NewKey: {"name": "ci", "role": "editor"},
    s.BlueprintDocument: BLUEPRINT,
    s.TaskDocument: TASK,
    s.AnyDocument: BLUEPRINT,
    s.AnyJson: {"name": "Ada"},
    s.Lines: '{"key": "T880140", "value": "{\\"order_id\\": \\"T880140\\"}"}\n',
    s.Text: "# HELP sfc_commands_total …\n",
    s.Started: {"flow": "hello:o-1", "blueprint": "hello", "version": 2, "status_url": "/v1/flows/hello:o-1"},
    s.Outcome: {"flow": "hello:o-1", "status": "SUCCEEDED", "output": {"greeting": "Hello, Ada!"}},
    FlowDocument: _FLOW,
    FlowPage: {"flows": [_FLOW], "next_cursor": ""},
    Explanation: {
        "flow": "hello:o-1", "status": "RUNNING", "moving": False, "shard": 3, "run": 7, "blueprint": "hello", "version": 2,
        "states": ["Ask"],
        "reasons": [{
            "code": "signal", "said": "'Ask' waits since 4 min 5 s for the signal 'go': a person or a program must send it",
            "do": ["sfc signal hello:o-1 go --output '{…}'"], "state": "Ask", "since_ms": _AT, "token": "hello:o-1/7/3/9f86d081",
        }],
    },
    s.Runs: {"flow": "hello:o-1", "runs": [7, 3]},
    s.HistoryPage: {
        "flow": "hello:o-1",
        "events": [{"name": "ExecutionStarted", "type": "ExecutionStarted", "seq": 1, "offset": 41, "at_ms": _AT, "version": 2}],
        "next_cursor": "7:1",
    },
    s.Verdict: {"flow": "hello:o-1", "done": "pause", "changed": True},
    s.ProblemDocument: {
        "type": "urn:sfc:problem:unknown-name",
        "title": "There is nothing of that name",
        "status": 404,
        "detail": "there is no blueprint helo",
        "instance": "/v1/blueprints/helo",
        "hint": "Did you mean 'hello'?",
    },
    s.DeployedDocument: _DEPLOYED,
    s.DeployAnswer: {"deployed": [_DEPLOYED]},
    s.BlueprintList: {"blueprints": [_BLUEPRINT]},
    s.BlueprintAt: {**_BLUEPRINT, "version": 2},
    s.VersionPage: {
        "versions": [
            {"kind": "blueprint-version", "name": "hello", "version": 1, "hash": _HASH, "document": BLUEPRINT, "created_ms": _AT}
        ],
        "next_cursor": "1",
    },
    s.TaskList: {"tasks": [_TASK]},
    s.TaskAt: {**_TASK, "version": 1, "holds": []},
    RolledBack: {"name": "hello", "version": 1, "before": 2, "revision": 13, "changed": True},
    s.DiffShown: {
        "name": "hello", "from": 1, "to": 2, "same": False, "start": [], "triggers": [], "sfc": [], "fields": [],
        "states": [{"pointer": "/States/Greet", "change": "added", "type": "Pass"}], "text": "--- hello@1\n+++ hello@2\n",
    },
    Edited: {"name": "hello", "status": "paused", "revision": 12, "changed": True},
    s.StatusEdited: {"name": "hello", "status": "disabled", "revision": 14, "changed": True, "running": 3},
    HoldEdited: {"subject": "task:split", "held": True, "revision": 12, "changed": True},
    s.HoldList: {"holds": [_HOLD]},
    s.GroupShown: _GROUP,
    s.GroupList: {"groups": [_GROUP]},
    s.GroupStopped: {"group": "shop", "asked": 3},
    DraftInfo: _DRAFT,
    s.DraftPage: {"drafts": [_DRAFT], "next_cursor": ""},
    s.Checked: {"valid": False, "problems": [_PROBLEM]},
    ScheduleInfo: _SCHEDULE,
    s.ScheduleList: {"schedules": [_SCHEDULE]},
    s.PoolList: {
        "pools": [
            {
                "pool": "task:split",
                "topics": [{"topic": "sfc.task.split", "group": "sfc.task.split"}],
                "scale": {"min": 1, "max": 4, "lag_per_replica": 100, "module": "shop.workers"},
                "override": None,
                "members": [{"instance": "box-1", "host": "/10.0.0.7", "partitions": ["sfc.task.split-0"]}],
                "lag": 12,
                "partitions": 8,
            }
        ],
        "scheduler": {"leader": "box-0", "waiting": []},
    },
    PoolEdited: {"pool": "task:split", "revision": 15, "changed": True, "min": 1, "max": 4, "drained": False},
    DeadLetterDocument: _LETTER,
    DeadLetterPage: {"dead_letters": [_LETTER], "next_cursor": ""},
    s.Replayed: {"id": "dded34e9-1-13", "state": "replayed", "topic": "order_created"},
    s.Discarded: {"id": "dded34e9-1-13", "state": "discarded"},
    s.StatisticsShown: {
        "blueprints": [{"blueprint": "hello", "version": 2, "flows": {"SUCCEEDED": 40}, "paused": 0, "states": []}],
        "dead_letters": {"not-json": 1},
        "replies_dropped": 0,
    },
    s.ThroughputShown: {
        "from_ms": _AT, "to_ms": _AT + 300_000, "step_ms": 300_000,
        "slices": [{"from_ms": _AT, "started": 40, "ended": {"SUCCEEDED": 39}}],
    },
    s.Cluster: {
        "cluster": "dded34e9", "namespace": "sfc", "shards": 8, "kind": "kafka", "release": "0.1.0", "instance": "box-0", "dev": False
    },
    KeyInfo: _KEY,
    s.KeyList: {"keys": [_KEY]},
    MadeKey: {**_KEY, "key": "sfc_5d41402abc4b_THIS-IS-AN-EXAMPLE-AND-NO-KEY"},
    s.TopicList: {"topics": [{"name": "order_created", "partitions": 8}]},
    s.Published: {"topic": "order_created", "published": 1, "made": False, "triggers": ["hello"]},
    s.Health: {"status": "ok"},
}  # fmt: skip

PARAMETERS = {
    "name": "hello", "flow": "hello:o-1", "letter": "dded34e9-1-13", "pool": "task:split", "kind": "blueprint", "blueprint": "hello",
    "topic": "order_created", "version": 1, "id": "o-1", "wait": "10s", "status": "FAILED", "started_from": "2026-01-31T08:00:00Z",
    "state": "Greet", "limit": 50, "step": "5m",
}  # fmt: skip
"""Of paths and queries, by their names."""
