"""Map: every field is known and checked, in both languages; all problems at once."""

from __future__ import annotations

from typing import Any

import pytest

from sfc.asl import Failure, MapState, compile_machine, validate
from sfc.asl.context import Context
from sfc.asl.map_state import Tolerance
from sfc.asl.nesting import is_distributed, machines_in

PASS = {"Type": "Pass", "End": True}
PROCESSOR = {"StartAt": "P", "States": {"P": PASS}}
SPREAD = {"ProcessorConfig": {"Mode": "DISTRIBUTED", "ExecutionType": "STANDARD"}, **PROCESSOR}
READER = {"Resource": "arn:aws:states:::s3:getObject", "Parameters": {"Bucket": "b", "Key.$": "$.key"}}


def machine(language: str = "JSONPath", **fields: Any) -> dict[str, Any]:
    state = {"Type": "Map", "ItemProcessor": PROCESSOR, "End": True, **fields}
    return {"QueryLanguage": language, "StartAt": "M", "States": {"M": {k: v for k, v in state.items() if v is not ...}}}


def spread(**fields: Any) -> dict[str, Any]:
    return machine(**{"ItemProcessor": SPREAD, **fields})


def reading(config: dict[str, Any]) -> dict[str, Any]:
    return spread(ItemReader={**READER, "ReaderConfig": config})


def configured(config: dict[str, Any]) -> dict[str, Any]:
    return {**PROCESSOR, "ProcessorConfig": config}


def compiled(document: dict[str, Any]) -> MapState:
    state = compile_machine(document).states["M"]
    assert isinstance(state, MapState)
    return state


GOOD: list[tuple[str, dict[str, Any]]] = [
    ("an inline one", machine(ItemProcessor={"ProcessorConfig": {"Mode": "INLINE"}, **PROCESSOR})),
    (
        "Iterator and Parameters, as they were called",
        machine(ItemProcessor=..., Iterator=PROCESSOR, Parameters={"a.$": "$$.Map.Item.Value"}),
    ),
    ("Iterator with a configuration", machine(ItemProcessor=..., Iterator=SPREAD)),
    ("numbers", machine(ItemsPath="$$.Execution.Input", MaxConcurrency=0)),
    ("numbers by paths", machine(MaxConcurrencyPath="$.n")),
    ("thresholds", spread(ToleratedFailureCount=0, ToleratedFailurePercentage=0.5)),
    ("thresholds by paths", spread(ToleratedFailureCountPath="$.n", ToleratedFailurePercentagePath="$.p")),
    ("a reader", reading({"InputType": "CSV", "CSVHeaderLocation": "GIVEN", "CSVHeaders": ["a"], "MaxItems": -1})),
    ("a reader's other words", reading({"InputType": "JSONL", "CSVDelimiter": "TAB", "MaxItemsPath": "$.n"})),
    ("a reader without a Mode", machine(ItemReader=READER)),
    ("a batcher", spread(ItemBatcher={"MaxItemsPerBatch": 2, "MaxInputBytesPerBatchPath": "$.b", "BatchInput": {"a.$": "$.a"}})),
    (
        "a writer",
        spread(ResultWriter={"Resource": "r", "Parameters": {}, "WriterConfig": {"OutputType": "JSONL", "Transformation": "FLATTEN"}}),
    ),
    ("a writer that only formats", spread(ResultWriter={"WriterConfig": {"Transformation": "NONE"}})),
    ("a label", spread(Label="run-1_a")),
    (
        "JSONata",
        machine("JSONata", Items=[1, "{% 2 %}"], ItemSelector={"v": "{% $states.context.Map.Item.Value %}"}, MaxConcurrency="{% 1 %}"),
    ),
    ("JSONata's Items as an expression", machine("JSONata", Items="{% $states.input.items %}", Output="{% $states.result %}")),
    ("JSONata's reader", machine("JSONata", ItemReader={"Resource": "r", "Arguments": {"Key": "{% $states.input.key %}"}})),
    ("JSONata's batcher", machine("JSONata", ItemBatcher={"MaxItemsPerBatch": "{% 2 %}", "BatchInput": "{% $states.input %}"})),
]


@pytest.mark.parametrize("document", [pytest.param(document, id=name) for name, document in GOOD])
def test_what_is_good_is_taken(document: dict[str, Any]) -> None:
    assert validate(document) == []


CONFIG = "/ItemProcessor/ProcessorConfig"
READS = "/ItemReader/ReaderConfig"
BAD: list[tuple[str, dict[str, Any], str, str]] = [
    ("no processor", machine(ItemProcessor=...), "missing-field", ""),
    ("two of them", machine(Iterator=PROCESSOR), "mutually-exclusive", ""),
    ("a processor that is none", machine(ItemProcessor=[]), "wrong-type", "/ItemProcessor"),
    ("a processor without states", machine(ItemProcessor={"StartAt": "P"}), "missing-field", "/ItemProcessor"),
    ("an unknown field in it", machine(ItemProcessor={**PROCESSOR, "Mode": "INLINE"}), "unknown-field", "/ItemProcessor/Mode"),
    ("an unknown mode", machine(ItemProcessor=configured({"Mode": "Inline"})), "bad-value", CONFIG + "/Mode"),
    ("a configuration's unknown field", machine(ItemProcessor=configured({"mode": "INLINE"})), "unknown-field", CONFIG + "/mode"),
    (
        "a state of the same name",
        machine(ItemProcessor={"StartAt": "M", "States": {"M": PASS}}),
        "duplicate-state",
        "/ItemProcessor/States/M",
    ),
    (
        "a way out",
        machine(ItemProcessor={"StartAt": "P", "States": {"P": {"Type": "Pass", "Next": "M"}, "Q": PASS}}),
        "crosses-branches",
        "/ItemProcessor/States/P/Next",
    ),
    ("ItemsPath null", machine(ItemsPath=None), "wrong-type", "/ItemsPath"),
    ("Items in JSONPath", machine(Items=[1]), "unknown-field", "/Items"),
    ("ItemsPath in JSONata", machine("JSONata", ItemsPath="$.a"), "unknown-field", "/ItemsPath"),
    ("Items that are none", machine("JSONata", Items={"a": 1}), "wrong-type", "/Items"),
    ("both selectors", machine(ItemSelector={}, Parameters={}), "mutually-exclusive", ""),
    ("a bad path in the selector", machine(ItemSelector={"a.$": "$["}), "bad-path", "/ItemSelector/a.$"),
    ("MaxConcurrency below 0", machine(MaxConcurrency=-1), "out-of-range", "/MaxConcurrency"),
    ("MaxConcurrency as a text", machine(MaxConcurrency="1"), "wrong-type", "/MaxConcurrency"),
    ("MaxConcurrency twice", machine(MaxConcurrency=1, MaxConcurrencyPath="$.n"), "mutually-exclusive", ""),
    ("MaxConcurrencyPath of many", machine(MaxConcurrencyPath="$.*"), "bad-path", "/MaxConcurrencyPath"),
    ("a count below 0", spread(ToleratedFailureCount=-1), "out-of-range", "/ToleratedFailureCount"),
    ("a percentage above 100", spread(ToleratedFailurePercentage=100.1), "out-of-range", "/ToleratedFailurePercentage"),
    ("a percentage that is true", spread(ToleratedFailurePercentage=True), "wrong-type", "/ToleratedFailurePercentage"),
    ("a reader inline", machine(ItemProcessor=configured({"Mode": "INLINE"}), ItemReader=READER), "needs-distributed", "/ItemReader"),
    ("a reader without a Resource", spread(ItemReader={}), "missing-field", "/ItemReader"),
    ("a reader's unknown field", spread(ItemReader={**READER, "Config": {}}), "unknown-field", "/ItemReader/Config"),
    ("a reader's Arguments in JSONPath", spread(ItemReader={"Resource": "r", "Arguments": {}}), "unknown-field", "/ItemReader/Arguments"),
    ("an unknown InputType", reading({"InputType": "XML"}), "bad-value", READS + "/InputType"),
    ("MaxItems twice", reading({"MaxItems": 1, "MaxItemsPath": "$.n"}), "mutually-exclusive", READS),
    ("headers that are none", reading({"CSVHeaders": [1]}), "wrong-type", READS + "/CSVHeaders"),
    ("headers not given", reading({"CSVHeaderLocation": "GIVEN"}), "missing-field", READS),
    ("a batcher without a size", spread(ItemBatcher={"BatchInput": 1}), "missing-field", "/ItemBatcher"),
    ("batches of none", spread(ItemBatcher={"MaxItemsPerBatch": 0}), "out-of-range", "/ItemBatcher/MaxItemsPerBatch"),
    ("batches too large", spread(ItemBatcher={"MaxInputBytesPerBatch": 262_145}), "out-of-range", "/ItemBatcher/MaxInputBytesPerBatch"),
    ("a batcher's unknown field", spread(ItemBatcher={"MaxItemsPerBatch": 1, "Size": 2}), "unknown-field", "/ItemBatcher/Size"),
    ("an empty writer", spread(ResultWriter={}), "missing-field", "/ResultWriter"),
    (
        "a writer's unknown word",
        spread(ResultWriter={"WriterConfig": {"OutputType": "CSV"}}),
        "bad-value",
        "/ResultWriter/WriterConfig/OutputType",
    ),
    ("an empty label", spread(Label=""), "bad-value", "/Label"),
    ("a long label", spread(Label="x" * 41), "bad-value", "/Label"),
    ("a label with a space", spread(Label="a b"), "bad-value", "/Label"),
    ("a label with a control character", spread(Label="a\x85"), "bad-value", "/Label"),
    ("another type's field", machine(Branches=[]), "unknown-field", "/Branches"),
]


@pytest.mark.parametrize(("document", "code", "pointer"), [pytest.param(*case[1:], id=case[0]) for case in BAD])
def test_what_is_wrong_is_found_where_it_is(document: dict[str, Any], code: str, pointer: str) -> None:
    assert (code, pointer) in [(p.code, p.pointer.removeprefix("/States/M")) for p in validate(document) if p.severity == "error"]


def test_every_problem_is_found_at_once() -> None:
    document = machine(MaxConcurrency=-1, ItemsPath=1, Label="", Mode="x", ItemBatcher={})
    assert len([p for p in validate(document) if p.severity == "error"]) == 5


def test_thresholds_of_an_inline_map_are_warned_of() -> None:
    found = validate(machine(ToleratedFailureCount=1))
    assert [(p.code, p.severity, p.pointer) for p in found] == [("no-effect", "warning", "/States/M/ToleratedFailureCount")]


@pytest.mark.parametrize(("document", "distributed"), [(machine(), False), (spread(), True), (machine(ItemReader=READER), True)])
def test_it_is_distributed_by_its_mode_or_by_what_only_such_a_map_has(document: dict[str, Any], distributed: bool) -> None:
    assert compiled(document).distributed == distributed
    assert is_distributed(document["States"]["M"]) == distributed


def test_a_reader_s_items_have_no_path() -> None:
    assert compiled(spread(ItemReader=READER, ItemsPath="$.nowhere")).items is None


@pytest.mark.parametrize(("given", "shown"), [({}, "object"), ("x", "string"), (None, "null"), (True, "boolean"), (1, "number")])
def test_the_input_of_a_jsonata_map_is_a_list(given: Any, shown: str) -> None:
    found = compiled(machine("JSONata")).items_of(given, Context())
    assert isinstance(found, Failure)
    assert (found.error, found.cause) == ("States.QueryEvaluationError", f"Map state input must be an array but was: {shown}")


@pytest.mark.parametrize(
    ("tolerance", "failed", "allowed"),
    [
        (Tolerance(None, None), 1, False),
        (Tolerance(2, None), 2, True),
        (Tolerance(2, None), 3, False),
        (Tolerance(None, 50), 5, True),
        (Tolerance(None, 50), 6, False),
        (Tolerance(1, 50), 2, False),
        (Tolerance(9, 10), 2, False),
        (Tolerance(None, 0), 1, False),
        (Tolerance(None, 100), 10, True),
    ],
)
def test_so_many_of_ten_may_fail(tolerance: Tolerance, failed: int, allowed: bool) -> None:
    assert tolerance.allows(failed, 10) == allowed


def test_machines_are_found_inside_of_states() -> None:
    assert [place for place, _ in machines_in({"Branches": [{}, 1, {}], "Iterator": {}, "ItemProcessor": None})] == [
        ("Branches", 0),
        ("Branches", 2),
        ("Iterator",),
    ]
