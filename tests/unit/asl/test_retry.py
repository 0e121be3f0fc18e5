"""Retriers and catchers."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import Catcher, Failure, Retrier, TaskState, compile_machine, retriers
from sfc.asl.retry import DELAY_S_MAX


def retrier(**fields: Any) -> Retrier:
    return retriers([{"ErrorEquals": ["E"], **fields}])[0]


@pytest.mark.parametrize(
    ("names", "error", "matches"),
    [
        (["E"], "E", True),
        (["E"], "F", False),
        (["E", "F"], "F", True),
        (["E"], None, False),
        (["States.ALL"], "anything", True),
        (["States.ALL"], None, True),
        (["States.ALL"], "States.Timeout", True),
        (["States.ALL"], "States.DataLimitExceeded", True),
        (["States.ALL"], "States.Runtime", False),
        (["States.TaskFailed"], "anything", True),
        (["States.TaskFailed"], None, True),
        (["States.TaskFailed"], "States.Timeout", False),
        (["States.TaskFailed", "States.Timeout"], "States.Timeout", True),
        (["States.Runtime"], "States.Runtime", False),
        (["State.ALL"], "anything", False),
    ],
)
def test_which_errors_a_retrier_and_a_catcher_take(names: list[str], error: str | None, matches: bool) -> None:
    assert retrier(ErrorEquals=names).matches(error) is matches
    assert Catcher(tuple(names), "Next").matches(error) is matches


@pytest.mark.parametrize(
    ("fields", "delays_ms"),
    [
        ({}, [1000, 2000, 4000]),
        ({"IntervalSeconds": 3, "BackoffRate": 1}, [3000, 3000, 3000]),
        ({"IntervalSeconds": 2, "BackoffRate": 1.5}, [2000, 3000, 4500]),
        ({"IntervalSeconds": 2, "MaxDelaySeconds": 5}, [2000, 4000, 5000]),
    ],
)
def test_delays_grow_up_to_their_limit(fields: dict[str, Any], delays_ms: list[int]) -> None:
    assert [retrier(**fields).delay_ms(attempt) for attempt in range(3)] == delays_ms


def test_the_fourth_retry_waits_sixteen_seconds() -> None:
    assert retrier(MaxAttempts=10).delay_ms(4) == 16_000


def test_jitter_takes_a_share_of_the_delay_that_is_drawn_elsewhere() -> None:
    full, none = retrier(JitterStrategy="FULL"), retrier(JitterStrategy="NONE")
    assert (full.jitter, none.jitter) == (True, False)
    assert [full.delay_ms(2, draw) for draw in (0.0, 0.25, 1.0)] == [0, 1000, 4000]
    assert none.delay_ms(2, 0.25) == 4000


def test_a_delay_beyond_all_numbers_is_the_longest_one() -> None:
    assert retrier(BackoffRate=99_999_999).delay_ms(99_999_999) == DELAY_S_MAX * 1000


def test_the_defaults_of_the_language() -> None:
    assert retrier() == Retrier(("E",), interval_s=1, max_attempts=3, backoff_rate=2.0, max_delay_s=None, jitter=False)


@pytest.mark.parametrize(
    ("fields", "output"),
    [
        ({}, {"Error": "E", "Cause": None}),
        ({"ResultPath": "$"}, {"Error": "E", "Cause": None}),
        ({"ResultPath": "$.failure"}, {"a": 1, "failure": {"Error": "E", "Cause": None}}),
        ({"ResultPath": None}, {"a": 1}),
    ],
)
def test_a_catcher_puts_the_error_into_the_raw_input_past_the_states_own_paths(fields: dict[str, Any], output: Any) -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "B", **fields}]
    task = {"Type": "Task", "Resource": "task:a", "End": True, "ResultPath": "$.other", "OutputPath": "$.x", "Catch": catch}
    state = compile_machine({"StartAt": "A", "States": {"A": task, "B": {"Type": "Succeed"}}}).states["A"]
    assert isinstance(state, TaskState)
    catcher = state.catch[0]
    assert catcher.next == "B"
    assert catcher.output({"a": 1}, {"Error": "E", "Cause": None}, {}) == output


def test_a_catcher_that_can_not_put_its_error_gives_a_failure() -> None:
    catch = [{"ErrorEquals": ["States.ALL"], "Next": "A", "ResultPath": "$.failure"}]
    state = compile_machine({"StartAt": "A", "States": {"A": {"Type": "Task", "Resource": "r:r", "End": True, "Catch": catch}}}).states["A"]
    assert isinstance(state, TaskState)
    failure = state.catch[0].output("text", {"Error": "E", "Cause": ""}, {})
    assert isinstance(failure, Failure)
    assert failure.error == "States.ResultPathMatchFailure"
