"""A fault of the core, planted: a real one is mended as soon as somebody knows it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sfc.asl.functions import FUNCTIONS

POISON = 666
DOUBLE = {"Type": "Pass", "Parameters": {"twice.$": "States.MathAdd($.n, $.n)"}, "End": True}
"""A state at which decide raises ValueError where its input's ``n`` is POISON, once that is planted."""


def plant(monkeypatch: pytest.MonkeyPatch) -> None:
    """For blueprints that are compiled from now on."""

    def poisoned(left: float, right: float) -> float:
        if left == POISON:
            raise ValueError("planted")
        return left + right

    monkeypatch.setitem(FUNCTIONS, "MathAdd", replace(FUNCTIONS["MathAdd"], run=poisoned))
