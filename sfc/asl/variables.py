"""Variables: what ``Assign`` may name, in which scope, and how its values are read in either language."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from sfc.asl.checks import Checks, at, came
from sfc.asl.jsonata import INPUT
from sfc.asl.states import Step
from sfc.asl.template import read_template
from sfc.asl.values import read_value

_NAME = re.compile(r"[^\W\d]\w*")
_NAME_MAX = 80
_RESERVED = "states"


def read_assign(
    checks: Checks, document: dict[str, Any], pointer: str, field: str, *, jsonata: bool, members: tuple[str, ...] = INPUT
) -> Step | None:
    """The ``Assign`` of a state, a choice rule or a catcher, which stands at ``pointer``: gives the variables' values by their names.

    ``field``: its name in causes, as in Assign or Catch[0]/Assign. In JSONata its expressions see ``members`` of ``$states``.
    """
    if "Assign" not in document:
        return None
    here = at(pointer, "Assign")
    given = checks.object(document["Assign"], here, "variables by their names")
    if given is None:
        return None
    for key in given:
        name = key if jsonata else key.removesuffix(".$")
        if name == _RESERVED:
            checks.error("bad-name", at(here, key), f"expected another name than {name!r}, which is reserved", "Rename the variable.")
        elif len(name) > _NAME_MAX or _NAME.fullmatch(name) is None:
            wanted = f"a variable's name: letters, digits and _, no digit first, at most {_NAME_MAX}"
            checks.error("bad-name", at(here, key), f"expected {wanted}, {came(name)}")
    if jsonata:
        return read_value(checks, given, here, field, members)
    return read_template(checks, given, here)


def assigned_names(states: Any) -> Iterator[tuple[str, str]]:
    """Name and pointer (from the States) of each variable that the states of one scope assign; whatever they look like."""
    for name, state in states.items() if isinstance(states, dict) else ():
        here = at("", name)
        for pointer, holder in _holders(state, here):
            given = holder.get("Assign")
            for key in given if isinstance(given, dict) else ():
                if isinstance(key, str):
                    yield key.removesuffix(".$"), at(pointer, "Assign", key)


def _holders(state: Any, pointer: str) -> Iterator[tuple[str, dict[str, Any]]]:
    if not isinstance(state, dict):
        return
    yield pointer, state
    for field in ("Choices", "Catch"):
        listed = state.get(field)
        for number, each in enumerate(listed if isinstance(listed, list) else ()):
            if isinstance(each, dict):
                yield at(pointer, field, number), each
