"""Where machines stand inside a state: the branches of a Parallel, the processor of a Map."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

PROCESSORS = ("ItemProcessor", "Iterator")  # the second is what the first was called


def machines_in(state: Mapping[str, Any]) -> Iterator[tuple[tuple[str | int, ...], dict[str, Any]]]:
    """Place within the state, and the machine; in the order in which a Parallel and a Map are written. What is no object is left out."""
    branches = state.get("Branches")
    for index, branch in enumerate(branches) if isinstance(branches, list) else ():
        if isinstance(branch, dict):
            yield ("Branches", index), branch
    for field in PROCESSORS:
        processor = state.get(field)
        if isinstance(processor, dict):
            yield (field,), processor


def is_distributed(state: Mapping[str, Any]) -> bool:
    """Whether a Map of a checked document is to run as child flows: by its Mode, or by a field that only such a Map can have."""
    if any(field in state for field in ("ItemReader", "ItemBatcher", "ResultWriter")):
        return True
    return any((machine.get("ProcessorConfig") or {}).get("Mode") == "DISTRIBUTED" for _, machine in machines_in(state))
