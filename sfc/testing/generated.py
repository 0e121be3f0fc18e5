"""Random blueprints of all kinds of states, the same for the same ``rng``; for simulations.

Whatever its jobs answer, a flow of one ends once they are answered: loops are bounded by a counter, signals have a timeout. Data is an
object with ``n`` (a small number), ``list`` and ``a`` throughout, also in branches and iterations, so that paths find something; results
are put beside these, and expressions draw (UUIDs, numbers) and tell the time, so that what is not the same twice shows.
"""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any, NamedTuple

Document = dict[str, Any]

ERRORS = ("Busy", "Broken")
"""Names of errors for which blueprints retry and catch: for workers to fail with."""
LONG_WAIT_S = 3 * 86_400
_TIMES = ("2020-01-01T00:00:00Z", "2019-07-01T12:00:00.250+02:00")  # long over
_DEEPEST = 2
_SIMPLE = ("Task", "Task", "Task", "Task", "Pass", "Pass", "Choice", "Wait")
_COMPOSITE = ("Parallel", "Map", "Distributed", "Detached", "Loop", "Fork")


class Jobs(NamedTuple):
    """The resources that blueprints may name, each kind with its weight in parentheses. What is empty does not occur.

    ``tasks`` (5): answered by workers. ``exactly_once`` (2): their jobs go out in transactions. ``topics`` (2): published to, and not
    answered. ``signals`` (1). ``children`` (2): pinned blueprints, ``blueprint:NAME@VERSION``. ``distributed``: Maps that start flows.
    """

    tasks: tuple[str, ...] = ("task:pack@1", "task:pay@1")
    exactly_once: tuple[str, ...] = ("task:book@1",)
    topics: tuple[str, ...] = ("topic:audit",)
    signals: tuple[str, ...] = ("signal:go",)
    children: tuple[str, ...] = ()
    distributed: bool = True


DEFAULT_JOBS = Jobs()


def blueprint(rng: random.Random, *, jobs: Jobs = DEFAULT_JOBS, states_max: int = 14) -> tuple[Document, Any]:
    """A state machine (plain States Language, without ``Sfc``) and an input for it. ``states_max``: about how many states it has."""
    jsonata = rng.random() < 0.25
    maker = _Maker(rng, jobs, jsonata, states_max)
    document = maker.scope(0)
    if jsonata:
        document["QueryLanguage"] = "JSONata"
    if rng.random() < 0.15:
        document["TimeoutSeconds"] = rng.choice((120, 4 * 86_400))
    return document, {"n": rng.randrange(1, 5), "list": [_item(rng) for _ in range(rng.randrange(0, 4))], "a": rng.choice(_VALUES)}


_VALUES: tuple[Any, ...] = (1, 7, "abc", None, True, 1.5, 12345678901234567890, {"deep": {"c": 1}}, [], "ü")


def _item(rng: random.Random) -> Any:
    return rng.choice((rng.randrange(9), {"k": rng.randrange(9)}, "x", None))


_Place = tuple[Document, str]
"""A state, rule or catcher, and the field of it that names what comes next."""


@dataclass
class _Part:
    """States that belong together. ``opens``: places that lead to what comes behind the part; ``jumps``: those that may go further."""

    entry: str
    states: Document
    opens: list[_Place] = field(default_factory=list)
    jumps: list[_Place] = field(default_factory=list)


class _Maker:
    def __init__(self, rng: random.Random, jobs: Jobs, jsonata: bool, states_max: int) -> None:
        self.rng = rng
        self.jobs = jobs
        self.whole_jsonata = jsonata
        self.left = states_max
        self.made = 0
        self.variables: list[str] = []  # that have a value here
        resources = ((jobs.tasks, 5), (jobs.exactly_once, 2), (jobs.topics, 2), (jobs.signals, 1), (jobs.children, 2))
        self.resources = [choices for choices, weight in resources if choices for _ in range(weight)]

    def sometimes(self, share: float = 0.5) -> bool:
        return self.rng.random() < share

    def state(self, kind: str, **fields: Any) -> tuple[str, Document]:
        """A name, and a state that goes on; in a JSONPath machine one of four speaks JSONata."""
        self.made += 1
        self.left -= 1
        state: Document = {"Type": kind, **fields}
        if not self.whole_jsonata and kind in ("Task", "Pass", "Choice", "Wait", "Parallel", "Map") and self.sometimes(0.25):
            state["QueryLanguage"] = "JSONata"
        return f"S{self.made}", state

    def jsonata(self, state: Document) -> bool:
        return self.whole_jsonata or "QueryLanguage" in state

    # ---- scopes

    def scope(self, depth: int, first: _Part | None = None) -> Document:
        """A whole machine, branch or iteration; ``first`` comes before all else."""
        known = list(self.variables)
        parts = [] if first is None else [first]
        if self.sometimes(0.4):
            parts.append(self.assigning(f"v{depth}"))
        parts += self.parts(depth, self.rng.randrange(1, 5 if depth == 0 else 3))
        whole = self.chained(parts)
        self.close(whole)
        self.variables = known
        return {"StartAt": whole.entry, "States": whole.states}

    def parts(self, depth: int, count: int) -> list[_Part]:
        found: list[_Part] = []
        while len(found) < count and (self.left > 0 or not found):
            roomy = depth < _DEEPEST and self.left > 3
            kind = self.rng.choice(_COMPOSITE) if roomy and self.sometimes(0.35) else self.rng.choice(_SIMPLE)
            if kind == "Distributed" and (depth or not self.jobs.distributed):
                kind = "Map"
            part: _Part = getattr(self, "of_" + kind.lower())(depth)
            found.append(part)
        return found

    def chained(self, parts: list[_Part]) -> _Part:
        """One part behind the other; what may jump leads to any of those behind it, or out."""
        whole = _Part(parts[0].entry, {})
        for number, part in enumerate(parts):
            whole.states.update(part.states)
            behind = [other.entry for other in parts[number + 1 :]]
            for place in part.opens:
                if behind:
                    _lead(behind[0], place)
                else:
                    whole.opens.append(place)
            for place in part.jumps:
                target = self.rng.randrange(len(behind) + 1)
                if target < len(behind):
                    _lead(behind[target], place)
                else:
                    whole.jumps.append(place)
        return whole

    def close(self, whole: _Part) -> None:
        """The end of a scope: states that can end it do so by themselves, where nothing else leads there."""
        ending = [place for place, way in whole.opens if way == "Next" and "Type" in place]
        if len(ending) == len(whole.opens) and not whole.jumps and self.sometimes():
            for state in ending:
                state["End"] = True
            return
        self.made += 1
        name = f"S{self.made}"
        if self.sometimes(0.06):
            whole.states[name] = {"Type": "Fail", "Error": "Broken", "Cause": "as it was meant"}
        else:
            whole.states[name] = {"Type": "Succeed"} if self.sometimes(0.7) else {"Type": "Pass", "End": True}
        _lead(name, *whole.opens, *whole.jumps)

    # ---- what states share

    def result(self, state: Document, place: str) -> None:
        """Where a result goes: beside the data."""
        if self.jsonata(state):
            state["Output"] = f"{{% $merge([$states.input, {{'{place}': $states.result}}]) %}}"
        else:
            state["ResultPath"] = f"$.{place}" if self.sometimes(0.9) else None
            if self.sometimes(0.2):
                state["ResultSelector"] = {"got.$": "$", "at.$": "$$.State.EnteredTime"}

    def failing(self, state: Document, jumps: list[_Place]) -> None:
        """Retriers and catchers."""
        if self.sometimes(0.45):
            retrier = {
                "ErrorEquals": [self.rng.choice((*ERRORS, "States.Timeout", "States.TaskFailed"))],
                "IntervalSeconds": self.rng.randrange(1, 4),
                "MaxAttempts": self.rng.randrange(0, 4),
                "BackoffRate": self.rng.choice((1, 1.5, 2)),
                "JitterStrategy": self.rng.choice(("FULL", "NONE")),
            }
            if self.sometimes(0.3):
                retrier["MaxDelaySeconds"] = 5
            state["Retry"] = [retrier]
        if self.sometimes(0.55):
            catcher: Document = {"ErrorEquals": [self.rng.choice(("States.ALL", "States.ALL", *ERRORS))]}
            if self.jsonata(state):
                catcher["Output"] = "{% $merge([$states.input, {'error': $states.errorOutput}]) %}"
            else:
                catcher["ResultPath"] = "$.error"
            state["Catch"] = [catcher]
            jumps.append((catcher, "Next"))

    def template(self, state: Document) -> Document:
        """Parameters, or Arguments, of the data; some draw, some tell the time."""
        variable = self.rng.choice(self.variables) if self.variables and self.sometimes(0.4) else ""
        if self.jsonata(state):
            made: Document = {"n": "{% $states.input.n %}", "a": "{% $states.input.a %}", "list": "{% $states.input.list %}"}
            drawn = ("{% $uuid() %}", "{% $random() %}", "{% $now() %}", "{% $millis() %}", "{% $states.context.Execution.Id %}")
            name, value = "x", f"{{% ${variable} %}}"
        else:
            made = {"n.$": "$.n", "a.$": "$.a", "list.$": "$.list"}
            drawn = ("States.UUID()", "States.MathRandom(1, 1000000)", "$$.State.EnteredTime", "$$.Execution.Id", "States.MathAdd($.n, 1)")
            name, value = "x.$", f"${variable}"
        if variable:
            made[name] = value
        elif self.sometimes(0.6):
            made[name] = self.rng.choice(drawn)
        return made

    # ---- simple states

    def assigning(self, variable: str) -> _Part:
        name, state = self.state("Pass")
        state["Assign"] = {variable: "{% $uuid() %}"} if self.jsonata(state) else {f"{variable}.$": "States.Format('{}!', $.n)"}
        self.variables.append(variable)
        return _Part(name, {name: state}, [(state, "Next")])

    def of_task(self, depth: int) -> _Part:
        resource = self.rng.choice(self.rng.choice(self.resources))
        name, state = self.state("Task", Resource=resource)
        kind = resource.partition(":")[0]
        jumps: list[_Place] = []
        if kind == "signal":
            state["TimeoutSeconds"] = self.rng.choice((5, 40))
        elif kind == "task" and self.sometimes(0.4):
            state["TimeoutSeconds"] = self.rng.randrange(15, 60)
            if self.sometimes():
                state["HeartbeatSeconds"] = self.rng.randrange(4, 12)
        elif kind == "blueprint" and self.sometimes(0.2):
            state["TimeoutSeconds"] = self.rng.choice((20, 500))
        if self.sometimes(0.6) or kind == "blueprint":
            state["Arguments" if self.jsonata(state) else "Parameters"] = self.template(state)
        self.result(state, "r")
        self.failing(state, jumps)
        return _Part(name, {name: state}, [(state, "Next")], jumps)

    def of_pass(self, depth: int) -> _Part:
        name, state = self.state("Pass")
        if self.jsonata(state):
            made = self.template(state)
            state["Output"] = {**made, "list": "{% [$states.input.list] %}"}  # a list of one stays a list
        elif self.sometimes(0.3):
            state |= {"Result": {"kept.$": "$.n"}, "ResultPath": "$.p"}
        else:
            state |= {"Parameters": self.template(state), "ResultPath": self.rng.choice(("$", "$.p"))}
        return _Part(name, {name: state}, [(state, "Next")])

    def of_wait(self, depth: int) -> _Part:
        name, state = self.state("Wait")
        chance = self.rng.random()
        if chance < 0.15:
            state["Seconds"] = LONG_WAIT_S + self.rng.randrange(3600)
        elif chance < 0.6:
            state["Seconds"] = self.rng.randrange(1, 8)
        elif chance < 0.8:
            state["Timestamp"] = self.rng.choice(_TIMES)
        elif self.jsonata(state):
            state["Seconds"] = "{% $states.input.n %}"
        else:
            state["SecondsPath"] = "$.n"
        return _Part(name, {name: state}, [(state, "Next")])

    def of_choice(self, depth: int) -> _Part:
        """Rules that go on, here or further on; at times one to a Fail."""
        name, state = self.state("Choice")
        conditions: tuple[Document, ...]
        if self.jsonata(state):
            conditions = (
                {"Condition": "{% $states.input.n > 2 %}"}, {"Condition": "{% $exists($states.input.error) %}"}, {"Condition": False},
            )  # fmt: skip
        else:
            conditions = (
                {"Variable": "$.n", "NumericGreaterThan": 2}, {"Variable": "$.error", "IsPresent": True},
                {"And": [{"Variable": "$.a", "IsString": True}, {"Not": {"Variable": "$.a", "StringMatches": "a*"}}]},
            )  # fmt: skip
        rules = [dict(rule) for rule in self.rng.sample(conditions, self.rng.randrange(1, 3))]
        state["Choices"] = rules
        part = _Part(name, {name: state}, [(state, "Default")], [(rule, "Next") for rule in rules])
        if self.sometimes(0.12):
            self.made += 1
            part.states[f"S{self.made}"] = {"Type": "Fail", "Error": self.rng.choice(ERRORS), "Cause": "a rule"}
            _lead(f"S{self.made}", part.jumps.pop())
        return part

    # ---- states with states inside

    def branch_count(self) -> int:
        return self.rng.choice((1, 2, 2, 3))

    def of_parallel(self, depth: int) -> _Part:
        name, state = self.state("Parallel")
        jumps: list[_Place] = []
        state["Branches"] = [self.scope(depth + 1) for _ in range(self.branch_count())]
        self.result(state, "p")
        self.failing(state, jumps)
        return _Part(name, {name: state}, [(state, "Next")], jumps)

    def selector(self, state: Document) -> None:
        """Items and what makes of each of them the data that states expect."""
        if self.jsonata(state):
            state["Items"] = "{% [$states.input.list] %}"
            state["ItemSelector"] = {
                "n": "{% $states.context.Map.Item.Index + 1 %}", "a": "{% $states.context.Map.Item.Value %}", "list": [1, 2],
            }  # fmt: skip
        else:
            state["ItemsPath"] = "$.list"
            state["ItemSelector"] = {"n.$": "States.MathAdd($$.Map.Item.Index, 1)", "a.$": "$$.Map.Item.Value", "list.$": "$.list"}

    def of_map(self, depth: int) -> _Part:
        name, state = self.state("Map", MaxConcurrency=self.rng.randrange(0, 3))
        jumps: list[_Place] = []
        self.selector(state)
        state["ItemProcessor"] = self.scope(depth + 1)
        self.result(state, "m")
        self.failing(state, jumps)
        return _Part(name, {name: state}, [(state, "Next")], jumps)

    def of_distributed(self, depth: int) -> _Part:
        """Iterations are flows, which see no variables; batches are made into data by their first state."""
        name, state = self.state("Map", MaxConcurrency=self.rng.randrange(0, 3))
        jumps: list[_Place] = []
        self.selector(state)
        known, self.variables = self.variables, []
        first: _Part | None = None
        if self.sometimes(0.3):
            state["ItemBatcher"] = {"MaxItemsPerBatch": 2}
            self.made += 1
            shaped: Document = {"Type": "Pass"}
            if self.whole_jsonata:
                shaped["Output"] = {"n": "{% $count($states.input.Items) %}", "a": "{% $states.input.Items[0].a %}", "list": [1, 2]}
            else:
                shaped["Parameters"] = {"n.$": "States.ArrayLength($.Items)", "a.$": "$.Items[0].a", "list.$": "$.Items"}
            first = _Part(f"S{self.made}", {f"S{self.made}": shaped}, [(shaped, "Next")])
        state["ItemProcessor"] = {"ProcessorConfig": {"Mode": "DISTRIBUTED"}, **self.scope(depth + 1, first)}
        self.variables = known
        state |= self.rng.choice(({}, {"ToleratedFailureCount": 1}, {"ToleratedFailurePercentage": 100}))
        self.result(state, "d")
        self.failing(state, jumps)
        return _Part(name, {name: state}, [(state, "Next")], jumps)

    def of_detached(self, depth: int) -> _Part:
        """A detached Parallel, something beside it, and the Join."""
        name, state = self.state("Parallel", Detached=True)
        branches = self.branch_count()
        state["Branches"] = [self.scope(depth + 1) for _ in range(branches)]
        beside = self.chained(self.parts(depth + 1, self.rng.randrange(1, 3)))
        join_name, join = self.state("Join", Of=name, Until=self.rng.choice(("All", "Any", branches)))
        jumps: list[_Place] = []
        if self.sometimes(0.5):
            join["TimeoutSeconds"] = self.rng.choice((2, 30))
        self.result(join, "j")
        self.failing(join, jumps)
        _lead(join_name, *beside.opens, *beside.jumps)
        state["Next"] = beside.entry
        return _Part(name, {name: state, **beside.states, join_name: join}, [(join, "Next")], jumps)

    def of_fork(self, depth: int) -> _Part:
        """Two ways of which a flow goes one."""
        name, state = self.state("Choice")
        condition = {"Condition": "{% $states.input.n > 1 %}"} if self.jsonata(state) else {"Variable": "$.n", "NumericGreaterThan": 1}
        one, other = (self.chained(self.parts(depth + 1, self.rng.randrange(1, 3))) for _ in range(2))
        state |= {"Choices": [{**condition, "Next": one.entry}], "Default": other.entry}
        return _Part(name, {name: state, **one.states, **other.states}, one.opens + other.opens, one.jumps + other.jumps)

    def of_loop(self, depth: int) -> _Part:
        """Some states two or three times. The counter is a variable, for states may replace the data."""
        begin_name, begin = self.state("Pass")
        count_name, count = self.state("Pass")
        again_name, again = self.state("Choice")
        counter, times = f"count{self.made}", self.rng.randrange(2, 4)
        begin["Assign"] = {counter: 0}
        count["Assign"] = (
            {counter: f"{{% ${counter} + 1 %}}"} if self.jsonata(count) else {f"{counter}.$": f"States.MathAdd(${counter}, 1)"}
        )
        body = self.chained(self.parts(depth + 1, self.rng.randrange(1, 3)))
        begin["Next"] = body.entry
        _lead(count_name, *body.opens, *body.jumps)
        count["Next"] = again_name
        fewer = (
            {"Condition": f"{{% ${counter} < {times} %}}"} if self.jsonata(again) else {"Variable": f"${counter}", "NumericLessThan": times}
        )
        again["Choices"] = [{**fewer, "Next": body.entry}]
        states = {begin_name: begin, **body.states, count_name: count, again_name: again}
        return _Part(begin_name, states, [(again, "Default")])


def _lead(name: str, *places: _Place) -> None:
    for document, way in places:
        document[way] = name
