"""History as people read it: folded from what the engine really decides."""

from __future__ import annotations

from sfc.engine import events as e
from sfc.monitor.folding import fold


def test_inputs_and_outputs_follow_the_data_through_parallel_branches() -> None:
    def seq() -> int:
        seq.n += 1  # type: ignore[attr-defined]
        return seq.n  # type: ignore[attr-defined, no-any-return]

    seq.n = 0  # type: ignore[attr-defined]
    history = fold(
        [
            e.ExecutionStarted(seq(), 0, 1, flow="o:1", blueprint="o", version=1, hash="h", input={"in": 1}),
            e.StateEntered(seq(), 0, 1, branch=0, state="Split", kind="Task"),
            e.TaskScheduled(seq(), 0, 1, branch=0, token="t", task="task:split@1"),
            e.TaskSucceeded(seq(), 0, 2, branch=0, output={"out": 2}),
            e.StateExited(seq(), 0, 2, branch=0, state="Split", kind="Task", next="Both"),
            e.StateEntered(seq(), 0, 2, branch=0, state="Both", kind="Parallel"),
            e.ParallelStarted(seq(), 0, 2, branch=0, ids=[1, 2]),
            e.StateEntered(seq(), 0, 2, branch=1, state="L", kind="Pass"),
            e.StateExited(seq(), 0, 2, branch=1, state="L", kind="Pass", output="left"),
            e.BranchSucceeded(seq(), 0, 2, branch=1),
            e.StateEntered(seq(), 0, 2, branch=2, state="R", kind="Pass"),
            e.StateExited(seq(), 0, 2, branch=2, state="R", kind="Pass", output="right"),
            e.BranchSucceeded(seq(), 0, 2, branch=2),
            e.ParallelSucceeded(seq(), 0, 2, branch=0),
            e.StateExited(seq(), 0, 2, branch=0, state="Both", kind="Parallel"),
            e.ExecutionSucceeded(seq(), 0, 2),
        ]
    )
    payloads = [(h["state"], h.get("input", h.get("output"))) for h in history if "state" in h]
    assert payloads == [
        ("Split", {"in": 1}), ("Split", {"out": 2}), ("Both", {"out": 2}),
        ("L", {"out": 2}), ("L", "left"), ("R", {"out": 2}), ("R", "right"), ("Both", ["left", "right"]),
    ]  # fmt: skip
    assert history[2]["name"] == "TaskScheduled"
    assert history[6]["name"] == "ParallelStateStarted"


def test_events_of_signals_keep_their_names() -> None:
    given: list[e.AnyEvent] = [
        e.ExecutionStarted(1, 0, 1, flow="o:1", blueprint="o", version=1, hash="h", input={}),
        e.SignalReceived(2, 0, 1, name="approved", by="ada", kept=True, output={"ok": True}),
        e.StateEntered(3, 0, 1, branch=0, state="Wait", kind="Task"),
        e.TaskScheduled(4, 0, 1, branch=0, token="t", task="signal:approved"),
        e.SignalTaken(5, 0, 1, branch=0, name="approved"),
        e.TaskSucceeded(6, 0, 1, branch=0),
    ]
    history = fold(given)
    assert [row["name"] for row in history] == [e.name_of(event) for event in given]
    assert [row.get("signal") for row in history] == [None, "approved", None, None, "approved", None]
    assert (history[1]["by"], history[1]["output"]) == ("ada", {"ok": True})
