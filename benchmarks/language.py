"""How fast the compiled language is: paths, templates, conditions, functions, expressions, decisions. One thread, no services.

    language.py [--seconds 0.3]

Prints what one evaluation takes, the best of several rounds. Where python-jsonpath is installed it evaluates the same paths beside ours.
"""

from __future__ import annotations

import argparse
import importlib.util
import timeit
from collections.abc import Callable
from typing import Any

from rich.console import Console
from rich.table import Table

from sfc.asl import ChoiceState, Context, Failure, PassState, compile_machine, compile_path, compile_template
from sfc.engine.commands import Complete, Start
from sfc.engine.decide import decide
from sfc.engine.effects import DispatchJob
from sfc.engine.link import link
from sfc.engine.shard import ShardState

ROUNDS = 5
ORDER: dict[str, Any] = {
    "order": {"id": "T1", "customer": {"name": "Ada", "city": "Bern"}, "total": 120},
    "items": [{"sku": f"s{n}", "price": n * 5, "count": n % 3 + 1} for n in range(10)],
    "paid": True,
}
NOW_MS = 1_700_000_000_000
CONTEXT = Context({"Execution": {"Id": "o:1", "Name": "1", "Input": ORDER}, "State": {"Name": "A"}}, {"rate": 3}, NOW_MS, "o:1/0/1")
PATHS = [
    ("definite path, 1 name", "$.paid"),
    ("definite path, 3 names", "$.order.customer.city"),
    ("definite path with a position", "$.items[3].price"),
    ("every member", "$.items[*].price"),
    ("slice", "$.items[2:5]"),
    ("descendants", "$..price"),
    ("filter of 10 members", "$.items[?(@.price > 20 && @.count == 2)]"),
]
CHOICE = {
    "Type": "Choice",
    "Choices": [
        {"Variable": "$.order.total", "NumericGreaterThan": 1000, "Next": "B"},
        {
            "And": [{"Variable": "$.paid", "BooleanEquals": True}, {"Variable": "$.order.customer.city", "StringMatches": "B*n"}],
            "Next": "B",
        },
    ],
    "Default": "B",
}
EXPRESSIONS = [
    ("JSONata: a place", "{% $states.input.order.customer.city %}"),
    ("JSONata: a small sum", "{% 1 + 2 * 3 %}"),
    ("JSONata: a sum over 10 members", "{% $sum($states.input.items.(price * count)) %}"),
    ("JSONata: a condition", "{% $states.input.paid and $states.input.order.total > 100 %}"),
]
TEMPLATE = {"id.$": "$.order.id", "to": {"city.$": "$.order.customer.city", "kind": "parcel"}, "lines.$": "$.items"}


def took_us(work: Callable[[], Any], seconds: float) -> float:
    """Microseconds of one call: the best round."""
    timer = timeit.Timer(work)
    number, once = timer.autorange()
    number = max(1, int(number * seconds / ROUNDS / max(once, 1e-9)))
    return min(timer.repeat(ROUNDS, number)) / number * 1e6


def decisions(seconds: float) -> tuple[float, float]:
    """Microseconds of a start, and of an answer that leads to the next task."""
    states = {
        "A": {"Type": "Task", "Resource": "task:a@1", "ResultPath": "$.a", "Next": "B"},
        "B": {"Type": "Task", "Resource": "task:a@1", "End": True},
    }
    document = {"StartAt": "A", "States": states}
    tasks = {"a@1": {"Name": "a"}}
    program = link("o", 1, "h", compile_machine(document), document, tasks, task_topic=str, specific_topic=str, jobs_topic="t.jobs")
    shard = ShardState(number=0, clock_ms=NOW_MS)
    start = Start("o", 1, "h", ORDER)
    started = took_us(lambda: decide(program, None, start, shard, 1, "o:1"), seconds)

    def through() -> None:
        first = decide(program, None, start, shard, 1, "o:1")
        job = next(effect for effect in first.effects if isinstance(effect, DispatchJob))
        decide(program, first.flow, Complete(job.token, {"ok": True}), shard, 2, "o:1")

    return started, took_us(through, seconds) - started


def peer(seconds: float, text: str) -> str:
    if importlib.util.find_spec("jsonpath") is None:
        return "-"
    import jsonpath

    path = jsonpath.compile(text)
    return f"{took_us(lambda: path.findall(ORDER), seconds):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--seconds", type=float, default=0.3, help="for each line")
    seconds = parser.parse_args().seconds
    table = Table("one evaluation", "µs", "python-jsonpath, µs", box=None)
    for name, text in PATHS:
        find = compile_path(text).find
        table.add_row(f"{name}: {text}", f"{took_us(lambda find=find: find(ORDER, None), seconds):.2f}", peer(seconds, text))  # type: ignore[misc]
    template = compile_template(TEMPLATE)
    table.add_row("template of 3 paths", f"{took_us(lambda: template(ORDER, CONTEXT), seconds):.2f}", "")
    function = compile_template({"x.$": "States.Format('{} to {}', $.order.id, $.order.customer.city)"})
    table.add_row("template with States.Format", f"{took_us(lambda: function(ORDER, CONTEXT), seconds):.2f}", "")
    states = {"A": CHOICE, "B": {"Type": "Succeed"}}
    choice = compile_machine({"StartAt": "A", "States": states}).states["A"]
    assert isinstance(choice, ChoiceState)
    table.add_row("Choice: the second rule, of 2 comparisons", f"{took_us(lambda: choice.choose(ORDER, CONTEXT), seconds):.2f}", "")
    for name, text in EXPRESSIONS:
        document = {"QueryLanguage": "JSONata", "StartAt": "A", "States": {"A": {"Type": "Pass", "Output": text, "End": True}}}
        state = compile_machine(document).states["A"]
        assert isinstance(state, PassState)
        assert not isinstance(state.output(ORDER, ORDER, CONTEXT), Failure), text
        table.add_row(f"{name}: {text}", f"{took_us(lambda state=state: state.output(ORDER, ORDER, CONTEXT), seconds):.2f}", "")  # type: ignore[misc]
    whole = {"StartAt": "A", "States": {**states, "B": {"Type": "Pass", "Parameters": TEMPLATE, "End": True}}}
    table.add_row("compile a machine of two states", f"{took_us(lambda: compile_machine(whole), seconds):.0f}", "")
    started, answered = decisions(seconds)
    table.add_row("decide: a start, up to its first job", f"{started:.1f}", "")
    table.add_row("decide: an answer, up to the next job", f"{answered:.1f}", "")
    Console(width=140).print(table)


if __name__ == "__main__":
    main()
