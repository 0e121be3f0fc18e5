"""How large and how deep things may be: known before they are written (EXACTLY-ONCE 27)."""

from __future__ import annotations

import random
import time
from typing import Any

import msgspec
import pytest

from sfc.engine.commands import Redrive, Stop
from sfc.engine.evolve import kept
from sfc.engine.limits import DEPTH_MAX, HISTORY_BYTES_MAX, is_too_deep
from sfc.engine.turn import FLOW_BYTES_MAX
from tests.unit.engine.bench import Bench, encode, program_of, task


def depth_of(value: Any) -> int:
    if isinstance(value, dict):
        return 1 + max(map(depth_of, value.values()), default=0)
    return 1 + max(map(depth_of, value), default=0) if isinstance(value, list) else 0


def grown(chance: random.Random, levels: int) -> Any:
    if not levels:
        return chance.choice([1, "a", '[[{"\\', "]]", None])
    inner = [grown(chance, chance.randrange(levels)) for _ in range(chance.randrange(3))] + [grown(chance, levels - 1)]
    chance.shuffle(inner)
    return inner if chance.random() < 0.5 else {f"k[{n}\\{{": x for n, x in enumerate(inner)}


def test_depth_is_told_as_counting_tells_it() -> None:
    chance = random.Random(7)
    for _ in range(300):
        value = grown(chance, chance.randrange(9))
        text, depth = encode(value), depth_of(value)
        assert [is_too_deep(text, n) for n in range(12)] == [n < depth for n in range(12)], text


@pytest.mark.parametrize("text", [b"[" * 1_000_000, b"{" * 300, b"]" * 300, b"[" * 4_000_000 + b"]" * 4_000_000])
def test_text_that_is_no_json_or_very_deep_is_told_at_once(text: bytes) -> None:
    assert is_too_deep(text) == text.startswith(b"[[") or b"{{" in text


@pytest.mark.parametrize(
    ("text", "deep"),
    [(b'"\\' * 1_000_000 + b"[" * 300, False), ((b"[" * 200 + b"]" * 200) * 2_500, False), ((b"[" * 201 + b"]" * 199) * 2_500, True)],
    ids=["quotes that are never closed", "as deep as may be, again and again", "deeper each time"],
)
def test_no_text_takes_longer_than_its_length_asks_for(text: bytes, deep: bool) -> None:
    """Each of these took seconds or hours, and a shard's other records waited."""
    began_s = time.thread_time()
    assert is_too_deep(text) == deep
    assert time.thread_time() - began_s < 2.0


def loop(effective: dict[str, Any]) -> Bench:
    """A machine that goes round without waiting."""
    again = {"Type": "Choice", "Choices": [{"Variable": "$.never", "IsPresent": True, "Next": "End"}], "Default": "A"}
    states = {"A": {"Type": "Pass", "Parameters": effective, "Next": "Again"}, "Again": again, "End": {"Type": "Succeed"}}
    return Bench(program_of(states))


def test_outputs_that_grow_deeper_in_a_loop_fail_the_flow() -> None:
    bench = loop({"x.$": "$"})
    bench.start(1)
    assert (bench.living.status, bench.living.error) == ("FAILED", "States.DataLimitExceeded")
    assert f"{DEPTH_MAX} levels" in (bench.living.cause or "")
    assert depth_of(bench.root.data) <= DEPTH_MAX


def test_a_loop_that_tells_too_much_in_one_go_fails_the_flow() -> None:
    bench = loop({"n.$": "States.MathAdd($.n, 1)", "x.$": "$.x"})
    decision = bench.start({"n": 0, "x": "x" * 40_000})
    assert (bench.living.status, bench.living.error) == ("FAILED", "States.Runtime")
    assert "without waiting" in (bench.living.cause or "")
    assert HISTORY_BYTES_MAX < decision.told < HISTORY_BYTES_MAX + 300_000
    assert len(encode(decision.events)) < HISTORY_BYTES_MAX * 1.1


def wide(branches: int, *more: dict[str, Any]) -> Bench:
    parts = [{"StartAt": f"W{n}", "States": {f"W{n}": task("a")}} for n in range(branches)]
    return Bench(program_of({"A": {"Type": "Parallel", "Branches": [*parts, *more], "End": True}}))


FAILING = {"StartAt": "F", "States": {"F": {"Type": "Fail", "Error": "E", "Cause": "c"}}}


def test_a_flow_that_ends_too_large_to_be_kept_stays_without_its_payloads() -> None:
    """It can't be redriven, and says so; its id stays taken."""
    bench = wide(59, FAILING)
    bench.start("x" * 200_000)
    assert (bench.living.status, bench.living.error, bench.living.branches, kept(bench.living)) == ("FAILED", "E", {}, True)
    assert len(encode(bench.flow)) < 2_000
    bench.do(Redrive(request="r", reply=bench.replies[0].to if bench.replies else None))
    assert bench.living.status == "FAILED"


@pytest.mark.parametrize("end", ["fails", "stopped"])
def test_whatever_is_kept_can_be_written(end: str) -> None:
    bench = wide(20) if end == "fails" else wide(12)
    bench.start("x" * 250_000)
    if end == "stopped":
        bench.do(Stop(cause="enough"))
    assert bench.living.status == ("FAILED" if end == "fails" else "ABORTED")
    assert kept(bench.living)
    assert len(encode(bench.flow)) <= FLOW_BYTES_MAX


def test_an_input_that_is_too_large_is_written_nowhere() -> None:
    bench = Bench(program_of({"A": task("a")}))
    decision = bench.start("x" * 5_000_000)
    assert (bench.living.status, bench.living.error) == ("FAILED", "States.DataLimitExceeded")
    assert "5000002 bytes" in (bench.living.cause or "")
    assert len(encode(decision.events)) + len(encode(bench.flow)) < 4_000
    assert not bench.do(Redrive(request="r")).events  # there is nothing to go on with


def test_the_input_that_a_parallel_makes_for_its_branches_is_measured() -> None:
    branch = {"StartAt": "W", "States": {"W": task("a")}}
    fields = {f"x{n}.$": "$" for n in range(9)}
    bench = Bench(program_of({"A": {"Type": "Parallel", "Parameters": fields, "Branches": [branch], "End": True}}))
    bench.start("x" * 200_000)
    assert (bench.living.error, bench.jobs) == ("States.DataLimitExceeded", [])
    assert len(encode(bench.flow)) < 500_000


@pytest.mark.parametrize("long", ["stop", "path"])
def test_long_texts_are_cut(long: str) -> None:
    failing = {"Type": "Fail", "ErrorPath": "$.e", "CausePath": "$.c"}
    bench = Bench(program_of({"A": task("a") if long == "stop" else failing}))
    bench.start({"e": "E" * 1_000, "c": "c" * 100_000})
    if long == "stop":
        bench.do(Stop("E" * 1_000, "c" * 100_000))
    assert (len(bench.living.error or ""), len(bench.living.cause or "")) == (256, 32_768)
    assert all(len(encode(e)) < 40_000 for e in bench.history[1:])


def test_limits_are_told_in_json_as_it_is_written() -> None:
    assert not is_too_deep(msgspec.json.encode(["[" * 1_000, {"]": 1}]))
