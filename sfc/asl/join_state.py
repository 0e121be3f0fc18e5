"""Join: waits for branches that a detached Parallel has started. An extension of the language."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from sfc.asl.checks import Checks, at, came, did_you_mean
from sfc.asl.failure import Failure
from sfc.asl.retry import Catcher, Retrier
from sfc.asl.states import State, Step, whole_seconds

WORDS = ("All", "Any")


@dataclass(frozen=True, slots=True, kw_only=True)
class JoinState(State):
    """``of``: the detached Parallel. ``until``: how many branches must be done, 0 for all. The result lists the branches' outputs in
    their order, null where a branch has none."""

    kind: ClassVar[str] = "Join"
    has_result: ClassVar[bool] = True
    of: str
    until: int = 0
    timeout: int | Step | None = None
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    def timeout_s(self, raw: Any, context: Any) -> int | Failure | None:
        """``TimeoutSeconds`` or what ``TimeoutSecondsPath`` finds in the raw input."""
        return whole_seconds(self.timeout, raw, context)


def read_until(checks: Checks, document: dict[str, Any], pointer: str) -> int:
    """``Until``: All (by default), Any, or how many."""
    value, here = document.get("Until", "All"), at(pointer, "Until")
    if value in WORDS:
        return WORDS.index(value)
    if isinstance(value, bool) or not isinstance(value, int):
        checks.error("bad-value", here, f"expected All, Any or a number of branches, {came(value)}", did_you_mean(value, WORDS))
        return 0
    if value < 1:
        checks.error("out-of-range", here, f"expected a number from 1, {came(value)}")
        return 0
    return value


def check_joins(checks: Checks, states: dict[str, Any], pointer: str) -> None:
    """What each Join of a scope names must be a detached Parallel of the same scope, with branches enough."""
    detached = {
        name: len(state["Branches"]) if isinstance(state.get("Branches"), list) else 0
        for name, state in states.items()
        if isinstance(state, dict) and state.get("Type") == "Parallel" and state.get("Detached") is True
    }
    joined: set[str] = set()
    for name, state in states.items():
        if not isinstance(state, dict) or state.get("Type") != "Join" or not isinstance(state.get("Of"), str):
            continue
        here, of, until = at(pointer, name), state["Of"], state.get("Until")
        joined.add(of)
        if of not in detached:
            what = "a Parallel state without Detached" if _is_parallel(states.get(of)) else "none of this name" if of not in states else of
            hint = 'Write "Detached": true in it.' if _is_parallel(states.get(of)) else did_you_mean(of, detached)
            checks.error("bad-join", at(here, "Of"), f"expected a detached Parallel of the same branch, came {what}", hint)
        elif isinstance(until, int) and not isinstance(until, bool) and until > detached[of] > 0:
            checks.error("out-of-range", at(here, "Until"), f"expected at most {detached[of]}, as {of!r} has branches, {came(until)}")
    for name in detached:
        if name not in joined:
            message = f"expected a Join that names {name!r}, came none: its branches end with the flow, and nobody hears of their failures"
            checks.warning("never-joined", at(pointer, name), message, f'Write {{"Type": "Join", "Of": "{name}"}}.')


def _is_parallel(state: Any) -> bool:
    return isinstance(state, dict) and state.get("Type") == "Parallel"
