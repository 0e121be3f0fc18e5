"""Machines that several tests run."""

from __future__ import annotations

from typing import Any


def machine(states: dict[str, Any], start_at: str = "A", **more: Any) -> dict[str, Any]:
    return {"StartAt": start_at, "States": states, **more}


def task(**fields: Any) -> dict[str, Any]:
    """A Task state of any Resource; it ends the machine unless it has a Next."""
    return {"Type": "Task", "Resource": "arn:aws:lambda:eu-west-1:1:function:f", **({} if "Next" in fields else {"End": True}), **fields}
