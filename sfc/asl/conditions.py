"""Conditions of triggers (``When``) over one record's value."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from sfc.asl.jsonpath_filter import read_condition


def compile_condition(text: str) -> Callable[[Any], bool]:
    """Compiles ``$.channel == 'tmall' and $.amount > 10``: comparisons joined by and/or (or &&/||), ``!`` and parentheses.

    Comparing unlike types, or a place that is not there, is false (``!=`` is true). Raises ValueError that says what was expected where.
    """
    if not isinstance(text, str) or not text.strip():
        raise ValueError(f"expected a condition, as in $.channel == 'tmall', came {text!r}")
    return read_condition(text)
