"""Sound machines of every kind of state, drawn: whatever their fields say, they pass validation."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

Draw = Any  # hypothesis' draw function
PATHS = [
    "$",
    "$.a",
    "$.b.c",
    "$.list",
    "$.list[0]",
    "$.list[*]",
    "$..c",
    "$.list[?(@.k > 1)]",
    "$$.Execution.Input",
    "$$.State.Name",
    "$.none",
]
PLACES = ["$", "$.a", "$.b", "$.r", "$.b.c"]
ERRORS = ["States.ALL", "States.TaskFailed", "States.Timeout", "Busy", "Broken", "States.Runtime"]
TEMPLATES: list[Any] = [
    {"x": 1}, {"a.$": "$.a"}, {"a.$": "$", "list": [1, 2]}, {"id.$": "States.UUID()", "n.$": "States.MathRandom(1, 9)"},
    {"t.$": "States.Format('{}-{}', $$.Execution.Name, $.a)"}, {"list.$": "States.Array($.a, $.b)", "deep": {"c.$": "$.b.c"}}, {},
]  # fmt: skip
EXPRESSIONS: list[Any] = [
    "{% $states.input %}", "{% $states.input.a %}", "{% $uuid() %}", "{% $now() %}", "{% $states.input.list[k > 1] %}",
    "{% 1/0 %}",
    "{% $states.context.Execution.Input %}", "{% $states.input.none %}", 7, "text",
    {"n": "{% $random() %}", "l": ["{% $states.input.b %}"]},
]  # fmt: skip
RULES: list[dict[str, Any]] = [
    {"Variable": "$.a", "NumericGreaterThan": 2}, {"Variable": "$.a", "IsPresent": True}, {"Variable": "$.none", "StringEquals": "x"},
    {"Not": {"Variable": "$.list", "IsNull": True}},
    {"And": [{"Variable": "$.a", "IsString": True}, {"Variable": "$.a", "StringMatches": "a*"}]},
    {"Variable": "$.a", "NumericEqualsPath": "$.b.c"}, {"Variable": "$.a", "TimestampLessThan": "2030-01-01T00:00:00Z"},
]  # fmt: skip
KINDS = ["Pass", "Task", "Wait", "Choice", "Parallel", "Map", "Succeed", "Fail", "Task", "Map", "Detached"]
RESOURCES = ["task:a@1", "task:b@1", "signal:go", "blueprint:pay@2", "topic:audit"]


class _Maker:
    def __init__(self, draw: Draw, machine_jsonata: bool) -> None:
        self.draw = draw
        self.machine_jsonata = machine_jsonata
        self.made = 0

    def one(self, items: list[Any]) -> Any:
        return self.draw(st.sampled_from(items))

    def sometimes(self) -> bool:
        return bool(self.draw(st.booleans()))

    def name(self) -> str:
        self.made += 1
        return f"S{self.made}"

    def scope(self, depth: int) -> dict[str, Any]:
        kinds = [kind for kind in KINDS if depth < 2 or kind not in ("Parallel", "Map", "Detached")]
        planned = [(self.name(), self.one(kinds)) for _ in range(self.draw(st.integers(1, 3)))]
        detached = [name for name, kind in planned if kind == "Detached"]
        if detached:
            planned.append((self.name(), "Join"))
        planned.append((self.name(), self.one(["Succeed", "Fail", "Succeed", "Pass"])))
        names = [name for name, _ in planned]
        states = {}
        for number, (name, kind) in enumerate(planned):
            last = number == len(planned) - 1
            following = names[number + 1 :] if self.draw(st.integers(0, 9)) else names  # seldom backwards
            states[name] = self.state(kind, depth, None if last else following or names, names, detached)
        return {"StartAt": names[0], "States": states}

    def state(self, kind: str, depth: int, following: list[str] | None, names: list[str], detached: list[str]) -> dict[str, Any]:
        jsonata = self.machine_jsonata or not self.draw(st.integers(0, 3))
        type_ = "Parallel" if kind == "Detached" else kind
        state: dict[str, Any] = {"Type": type_}
        if jsonata and not self.machine_jsonata:
            state["QueryLanguage"] = "JSONata"
        if kind not in ("Choice", "Succeed", "Fail"):
            state |= {"End": True} if following is None else {"Next": self.one(following)}
        if kind in ("Pass", "Wait", "Task", "Parallel", "Map", "Choice", "Join", "Detached") and self.sometimes():
            state["Assign"] = {f"v{depth}": self.one(EXPRESSIONS)} if jsonata else self.one([{f"v{depth}.$": "$"}, {f"v{depth}": 1}])
        self.data(state, kind, jsonata)
        if kind in ("Task", "Parallel", "Map", "Join") and self.sometimes():
            state["Retry"] = [
                {"ErrorEquals": [self.one(ERRORS)], "MaxAttempts": self.one([0, 1, 2]), "JitterStrategy": self.one(["FULL", "NONE"])}
            ]
        if kind in ("Task", "Parallel", "Map", "Join") and self.sometimes():
            state["Catch"] = [{"ErrorEquals": [self.one(ERRORS)], "Next": self.one(names[-1:] if following is None else following)}]
        getattr(self, "of_" + kind.lower())(state, depth, jsonata, following, detached)
        return state

    def data(self, state: dict[str, Any], kind: str, jsonata: bool) -> None:
        if jsonata:
            if kind != "Fail" and self.sometimes():
                state["Output"] = self.one(EXPRESSIONS)
            if kind in ("Task", "Parallel", "Detached") and self.sometimes():
                state["Arguments"] = self.one(EXPRESSIONS)
            return
        allowed = {
            "InputPath": kind not in ("Fail", "Join"), "OutputPath": kind != "Fail",
            "Parameters": kind in ("Pass", "Task", "Parallel", "Detached"), "ResultSelector": kind in ("Task", "Parallel", "Map", "Join"),
            "ResultPath": kind in ("Pass", "Task", "Parallel", "Map", "Join"),
        }  # fmt: skip
        values: dict[str, list[Any]] = {
            "InputPath": [*PATHS, None], "OutputPath": [*PATHS, None], "Parameters": TEMPLATES, "ResultSelector": TEMPLATES,
            "ResultPath": [*PLACES, None],
        }  # fmt: skip
        for field, fits in allowed.items():
            if fits and not self.draw(st.integers(0, 2)):
                state[field] = self.one(values[field])

    def of_pass(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        if not jsonata and "Parameters" not in state and self.sometimes():
            state["Result"] = self.one([1, "x", {"a": 1, "list": [1, {"k": 2}]}, []])

    def of_task(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        state["Resource"] = self.one(RESOURCES)
        if self.sometimes():
            state |= {"TimeoutSeconds": self.one([60, "{% 40 + 20 %}"] if jsonata else [60]), "HeartbeatSeconds": 20}
        if self.sometimes():
            state["Credentials"] = {"RoleArn": self.one(["billing", "{% 'billing' %}"])} if jsonata else {"RoleArn": "billing"}

    def of_wait(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        ways = [{"Seconds": 9}, {"Timestamp": "2030-01-01T00:00:00Z"}, {"Timestamp": "2020-01-01T00:00:00Z"}]
        ways += [{"Seconds": "{% $states.input.a %}"}] if jsonata else [{"SecondsPath": "$.a"}, {"TimestampPath": "$.b.c"}]
        state |= self.one(ways)

    def of_choice(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        conditions = ["{% $states.input.a = 1 %}", "{% $exists($states.input.b) %}", "{% 'no' %}", True]
        rules = [{"Condition": self.one(conditions)} if jsonata else dict(self.one(RULES)) for _ in range(self.one([1, 2]))]
        state["Choices"] = [{**rule, "Next": self.one(following)} for rule in rules]
        if self.sometimes():
            state["Default"] = self.one(following)

    def of_parallel(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        state["Branches"] = [self.scope(depth + 1) for _ in range(self.one([1, 2]))]

    def of_detached(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        state["Detached"] = True
        self.of_parallel(state, depth, jsonata, following, detached)

    def of_join(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: list[str]) -> None:
        state |= {"Of": self.one(detached), "Until": self.one(["All", "Any", 1])}
        if self.sometimes():
            state["TimeoutSeconds"] = 30

    def of_map(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        state["ItemProcessor"] = self.scope(depth + 1)
        if self.sometimes():
            state["ItemProcessor"]["ProcessorConfig"] = {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}
            state |= self.one(
                [{}, {"ToleratedFailureCount": 1}, {"ToleratedFailurePercentage": 50, "ItemBatcher": {"MaxItemsPerBatch": 2}}]
            )
        state |= self.one([{}, {"MaxConcurrency": 1}, {"MaxConcurrency": 2}])
        if jsonata:
            state |= self.one([{"Items": [1, 2, 3]}, {"Items": "{% $states.input.list %}"}, {"Items": []}])
        else:
            state |= self.one([{"ItemsPath": "$.list"}, {"ItemsPath": "$$.Execution.Input.list"}, {}])

    def of_succeed(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        """It has none of its own."""

    def of_fail(self, state: dict[str, Any], depth: int, jsonata: bool, following: Any, detached: Any) -> None:
        ways = [
            {},
            {"Error": "Broken", "Cause": "c"},
            {"Error": "{% $states.input.a %}"} if jsonata else {"ErrorPath": "$.a", "CausePath": "$.none"},
        ]
        state |= self.one(ways)


@st.composite
def machines(draw: Draw) -> dict[str, Any]:
    """A whole machine, up to three levels deep."""
    jsonata = draw(st.booleans())
    document = _Maker(draw, jsonata).scope(0)
    if jsonata:
        document["QueryLanguage"] = "JSONata"
    if draw(st.booleans()):
        document["TimeoutSeconds"] = 500
    return document


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-2, 9) | st.sampled_from(["", "abc", "2030-01-01T00:00:00Z", 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["a", "b", "c", "k", "list"]), inner, max_size=4),
    max_leaves=8,
)
INPUTS = VALUES | st.fixed_dictionaries({"a": VALUES, "b": st.fixed_dictionaries({"c": VALUES}), "list": st.lists(VALUES, max_size=4)})
