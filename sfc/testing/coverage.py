"""Which states were entered, and which ways out of Choice states were taken."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any


class Coverage:
    """Of one definition, over any number of runs. A way is a Choice state and the state that follows: rules with one Next are one way."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self.states: dict[str, bool] = {}
        self.ways: dict[tuple[str, str], bool] = {}
        for name, state in states_of(document):
            self.states[name] = False
            if state.get("Type") == "Choice":
                rules = [rule for rule in state.get("Choices") or () if isinstance(rule, dict)]
                for following in [*(rule.get("Next") for rule in rules), state.get("Default")]:
                    if isinstance(following, str):
                        self.ways[name, following] = False

    def add(self, history: Iterable[dict[str, Any]]) -> None:
        """Counts what a run's history says."""
        for row in history:
            if row["type"].endswith("StateEntered"):
                self.states[row["state"]] = True
            elif row["type"] == "ChoiceStateExited" and (row["state"], row.get("next")) in self.ways:
                self.ways[row["state"], row["next"]] = True

    @property
    def missed(self) -> list[str]:
        """States never entered, and ways never taken."""
        states = [name for name, entered in self.states.items() if not entered]
        return states + [f"{name} → {following}" for (name, following), taken in self.ways.items() if not taken]


def states_of(document: Any) -> Iterator[tuple[str, dict[str, Any]]]:
    """Every state of a definition, those of branches and of item processors too."""
    states = document.get("States") if isinstance(document, dict) else None
    for name, state in states.items() if isinstance(states, dict) else ():
        if not isinstance(state, dict):
            continue
        yield name, state
        branches = state.get("Branches")
        for inner in [*(branches if isinstance(branches, list) else ()), state.get("ItemProcessor"), state.get("Iterator")]:
            yield from states_of(inner)
