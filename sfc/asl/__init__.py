"""The Amazon States Language: parse, validate, compile. Pure.

``compile_machine`` turns a definition into a ``Machine`` whose paths, templates and conditions are prepared once;
``validate`` lists everything that is wrong with one. Errors of running a state are ``Failure`` values, never exceptions.
"""

from sfc.asl.conditions import compile_condition
from sfc.asl.context import Context
from sfc.asl.failure import Failure
from sfc.asl.join_state import JoinState
from sfc.asl.jsonpath import MISSING, Path, PathError, ReferencePath, compile_path, compile_reference_path
from sfc.asl.machine import Machine
from sfc.asl.map_state import MapState
from sfc.asl.reader import compile_machine, compile_template, retriers, validate
from sfc.asl.retry import Catcher, Retrier
from sfc.asl.states import ChoiceState, FailState, ParallelState, PassState, State, SucceedState, TaskState, WaitState
from sfc.asl.surrogates import lone_surrogates
from sfc.errors import InvalidDocument as InvalidBlueprint

__all__ = [
    "MISSING",
    "Catcher",
    "ChoiceState",
    "Context",
    "FailState",
    "Failure",
    "InvalidBlueprint",
    "JoinState",
    "Machine",
    "MapState",
    "ParallelState",
    "PassState",
    "Path",
    "PathError",
    "ReferencePath",
    "Retrier",
    "State",
    "SucceedState",
    "TaskState",
    "WaitState",
    "compile_condition",
    "compile_machine",
    "compile_path",
    "compile_reference_path",
    "compile_template",
    "lone_surrogates",
    "retriers",
    "validate",
]
