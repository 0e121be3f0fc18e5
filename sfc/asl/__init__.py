"""The Amazon States Language: parse, validate, compile. Pure."""

from sfc.asl.failure import Failure
from sfc.asl.machine import Machine
from sfc.asl.retry import Catcher, Retrier
from sfc.asl.states import ChoiceState, FailState, ParallelState, PassState, State, SucceedState, TaskState, WaitState

__all__ = [
    "Catcher",
    "ChoiceState",
    "FailState",
    "Failure",
    "Machine",
    "ParallelState",
    "PassState",
    "Retrier",
    "State",
    "SucceedState",
    "TaskState",
    "WaitState",
]
