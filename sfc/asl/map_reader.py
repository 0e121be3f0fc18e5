"""Reads a Map state: its processor, its items, how many at once, and what only a distributed Map has."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from sfc.asl.checks import Checks, at, came, did_you_mean
from sfc.asl.jsonata import is_expression
from sfc.asl.map_state import Batcher, ItemReader, MapState, Number, ResultWriter
from sfc.asl.nesting import PROCESSORS
from sfc.asl.states import SECONDS_MAX, Step
from sfc.asl.template import read_template
from sfc.asl.values import read_typed, read_value, type_name

if TYPE_CHECKING:
    from sfc.asl.state_reader import StateReader

Words = Mapping[str, tuple[str, ...]]  # by field: what may stand in it

OWN = (
    "ItemProcessor", "Iterator", "ItemsPath", "ItemSelector", "MaxConcurrency", "MaxConcurrencyPath",
    "ToleratedFailureCount", "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath",
    "ItemReader", "ItemBatcher", "ResultWriter", "Label",
)  # fmt: skip
"""A Map's own fields, in JSONPath."""
ONLY_DISTRIBUTED = ("ItemReader", "ItemBatcher", "ResultWriter")
_NO_EFFECT_INLINE = ("ToleratedFailureCount", "ToleratedFailureCountPath", "ToleratedFailurePercentage", "ToleratedFailurePercentagePath")
CONFIG: Words = {"Mode": ("INLINE", "DISTRIBUTED"), "ExecutionType": ("STANDARD", "EXPRESS")}
READER = ("Resource", "Parameters", "Arguments", "ReaderConfig")
READER_CONFIG: Words = {
    "InputType": ("CSV", "JSON", "JSONL", "PARQUET", "MANIFEST"),
    "CSVHeaderLocation": ("FIRST_ROW", "GIVEN"),
    "CSVDelimiter": ("COMMA", "PIPE", "SEMICOLON", "SPACE", "TAB"),
    "Transformation": ("NONE", "LOAD_AND_FLATTEN"),
    "ManifestType": ("ATHENA_DATA", "S3_INVENTORY"),
}
READER_OTHERS = ("MaxItems", "MaxItemsPath", "CSVHeaders", "ItemsPointer")
BATCHER = ("MaxItemsPerBatch", "MaxItemsPerBatchPath", "MaxInputBytesPerBatch", "MaxInputBytesPerBatchPath", "BatchInput")
WRITER = ("Resource", "Parameters", "Arguments", "WriterConfig")
WRITER_CONFIG: Words = {"OutputType": ("JSON", "JSONL"), "Transformation": ("NONE", "COMPACT", "FLATTEN")}
_LABEL_MAX = 40
_NOT_IN_LABELS = re.compile(r"[\s?*<>{}\[\]:;,\\|^~$#%&`\"\x00-\x1f\x7f-\x9f]")
_BATCH_BYTES_MAX = 262_144


def read_map(reader: StateReader, given: dict[str, Any]) -> MapState:
    """``given``: what every state that does work has. Every problem is noted, as in the other states."""
    made = _MapReader(reader)
    selector = given.pop("parameters", None)
    distributed = made.mode()
    item_reader = made.item_reader()
    return MapState(
        **given,
        start_at=made.processor() or "",
        distributed=distributed,
        **made.items(),
        item_selector=made.selector(selector),
        max_concurrency=made.number("MaxConcurrency", whole=True) or 0,
        tolerated_count=made.number("ToleratedFailureCount", whole=True),
        tolerated_percentage=made.number("ToleratedFailurePercentage", most=100),
        batcher=made.batcher(),
        reads=item_reader is not None,
        reader=item_reader,
        writer=made.result_writer(),
        label=made.label(),
    )


class _MapReader:
    """One reading of one Map state."""

    def __init__(self, reader: StateReader) -> None:
        self.reader = reader
        self.checks: Checks = reader.checks
        self.document = reader.document
        self.pointer = reader.pointer

    def where(self) -> tuple[str, dict[str, Any]] | None:
        """The field with the processor and what stands in it; the first of the two where both are given."""
        fields = self.checks.one_at_most(self.document, PROCESSORS, self.pointer)
        if not fields:
            hint = "Write ItemProcessor with StartAt and States: what is done with each item."
            self.checks.error("missing-field", self.pointer, "expected the field 'ItemProcessor', which is missing", hint)
            return None
        found = self.checks.object(self.document[fields[0]], at(self.pointer, fields[0]), "a processor with StartAt and States")
        return None if found is None else (fields[0], found)

    def processor(self) -> str | None:
        """The name of its first state."""
        found = self.where()
        if found is None:
            return None
        field, document = found
        inner = {name: value for name, value in document.items() if name != "ProcessorConfig"}
        return self.reader.branch(inner, at(self.pointer, field), self.reader.language)

    def mode(self) -> bool:
        """Whether the Map is distributed. Without a Mode it is where only a distributed one can have its fields."""
        document = self.document.get("ItemProcessor", self.document.get("Iterator"))
        field = "ItemProcessor" if "ItemProcessor" in self.document else "Iterator"
        config: dict[str, Any] = {}
        if isinstance(document, dict) and "ProcessorConfig" in document:
            config = self.chosen(document["ProcessorConfig"], at(self.pointer, field, "ProcessorConfig"), "ProcessorConfig", CONFIG)
        needs = [name for name in ONLY_DISTRIBUTED if name in self.document]
        mode = config.get("Mode", "DISTRIBUTED" if needs else "INLINE")
        if mode == "INLINE":
            for name in needs:
                hint = f'Write "Mode": "DISTRIBUTED" in the ProcessorConfig, or remove {name}.'
                self.checks.error("needs-distributed", at(self.pointer, name), f"expected no {name} in an INLINE Map, came one", hint)
            for name in _NO_EFFECT_INLINE:
                if name in self.document:
                    message = f"expected {name} in a DISTRIBUTED Map only: an INLINE one fails with its first iteration that fails"
                    self.checks.warning("no-effect", at(self.pointer, name), message, "Catch the error in the processor, or remove it.")
        return bool(mode == "DISTRIBUTED")

    def chosen(self, value: Any, pointer: str, what: str, fields: Words, others: tuple[str, ...] = ()) -> dict[str, Any]:
        """An object of fields that each take one of a few words; {} where it is none."""
        config = self.checks.object(value, pointer, what)
        for name, word in (config or {}).items():
            if name in fields:
                if word not in fields[name]:
                    message = f"expected {' or '.join(fields[name])}, {came(word)}"
                    self.checks.error("bad-value", at(pointer, name), message, did_you_mean(word, fields[name]))
            elif name not in others:
                self.checks.unknown(name, (*fields, *others), what, pointer)
        return config or {}

    def value(self, document: Any, pointer: str, field: str) -> Step | None:
        """A template, or in JSONata a value with expressions in it. ``field``: its place as causes name it."""
        return read_value(self.checks, document, pointer, field) if self.reader.jsonata else read_template(self.checks, document, pointer)

    def items_listed(self) -> dict[str, Any]:
        """JSONata's ``Items``: a list, or an expression of one."""
        items = self.reader.expression("Items", "array", lambda found: isinstance(found, list))
        if items is None and "Items" in self.document:
            given = self.document["Items"]
            if not isinstance(given, list):
                self.checks.wrong_type(at(self.pointer, "Items"), "a list or a JSONata expression", given)
            items = self.reader.value("Items")
        return {"items": None if "ItemReader" in self.document else items}

    def items(self) -> dict[str, Any]:
        """``ItemsPath``, or ``Items``."""
        if self.reader.jsonata:
            return self.items_listed()
        if "ItemsPath" not in self.document:
            return {}
        text = self.document["ItemsPath"]
        step = self.checks.step(text, at(self.pointer, "ItemsPath"))
        if "ItemReader" in self.document:  # as in Step Functions: the reader's items are taken as they come
            return {}
        return {"items": None if text == "$" else step, "items_text": text if isinstance(text, str) else "$"}

    def selector(self, parameters: Step | None) -> Step | None:
        """``ItemSelector``, or ``Parameters`` as it was called."""
        if self.reader.jsonata:
            return self.reader.value("ItemSelector")
        given = self.checks.one_at_most(self.document, ("ItemSelector", "Parameters"), self.pointer)
        return parameters if given == ["Parameters"] else self.reader.template("ItemSelector")

    def number(self, field: str, *, whole: bool = False, most: int = SECONDS_MAX) -> Any:
        """A number, or the path of one; None where there is none."""
        path = f"{field}Path"
        expressed = self.expressed(self.document, field, self.pointer, field)
        if expressed is not None:
            return expressed
        given = self.checks.one_at_most(self.document, (field, path), self.pointer)
        from_path = self.path(self.document, path, self.pointer) if path in given and not self.reader.jsonata else None
        if field not in given:
            return from_path
        value, here = self.document[field], at(self.pointer, field)
        if whole:
            return self.checks.integer(self.document, field, self.pointer, 0, most)
        if isinstance(value, bool) or not isinstance(value, int | float):
            self.checks.wrong_type(here, "a number", value)
        elif not 0 <= value <= most:
            self.checks.error("out-of-range", here, f"expected a number from 0 to {most}, came {value}")
        return value

    def expressed(self, document: dict[str, Any], field: str, pointer: str, place: str) -> Number | None:
        """A number that a JSONata expression gives."""
        text = document.get(field)
        if not self.reader.jsonata or not is_expression(text):
            return None
        step = read_typed(self.checks, str(text), at(pointer, field), place, "number", lambda found: type_name(found) == "number")
        return Number(field=field, text=str(text), step=step)

    def path(self, document: dict[str, Any], field: str, pointer: str) -> Number | None:
        text = document[field]
        step = self.checks.step(text, at(pointer, field), definite=True)
        return None if step is None else Number(field=field, text=text, step=step)

    def batcher(self) -> Batcher | None:
        if "ItemBatcher" not in self.document:
            return None
        here = at(self.pointer, "ItemBatcher")
        document = self.checks.object(self.document["ItemBatcher"], here, "an ItemBatcher")
        if document is None:
            return None
        known = tuple(name for name in BATCHER if not (self.reader.jsonata and name.endswith("Path")))
        self.checks.known(document, known, "an ItemBatcher", here)
        sizes: dict[str, int | Number | None] = {}
        for field, most in (("MaxItemsPerBatch", SECONDS_MAX), ("MaxInputBytesPerBatch", _BATCH_BYTES_MAX)):
            path = f"{field}Path"
            expressed = self.expressed(document, field, here, f"ItemBatcher/{field}")
            given = self.checks.one_at_most(document, (field, path), here)
            if expressed is not None:
                sizes[field] = expressed
            elif path in given:
                sizes[field] = self.path(document, path, here)
                self.checks.integer(document, field, here, 1, most)
            else:
                sizes[field] = self.checks.integer(document, field, here, 1, most)
        if not any(name in document for name in BATCHER[:4]):
            hint = "Write how many items go into a batch, as in MaxItemsPerBatch: 10."
            self.checks.error("missing-field", here, "expected MaxItemsPerBatch or MaxInputBytesPerBatch, came neither", hint)
        shared = None
        if "BatchInput" in document:
            shared = self.value(document["BatchInput"], at(here, "BatchInput"), "ItemBatcher/BatchInput")
        return Batcher(items=sizes["MaxItemsPerBatch"], bytes=sizes["MaxInputBytesPerBatch"], input=shared)

    def item_reader(self) -> ItemReader | None:
        """``ItemReader``."""
        if "ItemReader" not in self.document:
            return None
        here = at(self.pointer, "ItemReader")
        document = self.checks.object(self.document["ItemReader"], here, "an ItemReader")
        if document is None:
            return None
        parameters = self.service(document, here, "an ItemReader", READER, required=True)
        config: dict[str, Any] = {}
        most: int | Number | None = None
        if "ReaderConfig" in document:
            config, most = self.reader_config(document["ReaderConfig"], at(here, "ReaderConfig"))
        return ItemReader(resource=str(document.get("Resource")), parameters=parameters, config=config, max_items=most)

    def service(self, document: dict[str, Any], pointer: str, what: str, known: tuple[str, ...], *, required: bool) -> Step | None:
        """Who reads or writes, and what it is told: that is returned."""
        self.checks.known(document, known, what, pointer)
        if required:
            self.checks.required(document, "Resource", pointer, "Write who reads the items, as in file:items.json.")
        self.checks.text(document, "Resource", pointer)
        mine, other = ("Arguments", "Parameters") if self.reader.jsonata else ("Parameters", "Arguments")
        told = self.value(document[mine], at(pointer, mine), f"{what.partition(' ')[2]}/{mine}") if mine in document else None
        if other in document:
            language = "JSONata" if self.reader.jsonata else "JSONPath"
            message = f"expected {mine}, since the state is in {language}, came {other}"
            self.checks.error("unknown-field", at(pointer, other), message, f"Write {mine}.")
        return told

    def reader_config(self, value: Any, pointer: str) -> tuple[dict[str, Any], int | Number | None]:
        """The ReaderConfig, and how many items are read at most; None and 0: all."""
        config = self.chosen(value, pointer, "a ReaderConfig", READER_CONFIG, READER_OTHERS)
        self.checks.one_at_most(config, ("MaxItems", "MaxItemsPath"), pointer)
        most: int | Number | None = self.expressed(config, "MaxItems", pointer, "ItemReader/ReaderConfig/MaxItems")
        if most is None:
            # one below 0 is found when it runs (ItemReaderFailed)
            most = self.checks.integer(config, "MaxItems", pointer, -(2**31), 2**31)
        if "MaxItemsPath" in config:
            most = self.path(config, "MaxItemsPath", pointer)
        self.checks.text(config, "ItemsPointer", pointer)
        headers = config.get("CSVHeaders", [])
        if not isinstance(headers, list) or not all(isinstance(name, str) for name in headers):
            self.checks.wrong_type(at(pointer, "CSVHeaders"), "a list of texts", headers)
        if config.get("CSVHeaderLocation") == "GIVEN" and "CSVHeaders" not in config:
            hint = 'Write the columns\' names, as in "CSVHeaders": ["id", "amount"].'
            self.checks.error("missing-field", pointer, "expected CSVHeaders, since CSVHeaderLocation is GIVEN, came none", hint)
        return {name: given for name, given in config.items() if name not in ("MaxItems", "MaxItemsPath")}, most

    def result_writer(self) -> ResultWriter | None:
        """``ResultWriter``."""
        if "ResultWriter" not in self.document:
            return None
        here = at(self.pointer, "ResultWriter")
        document = self.checks.object(self.document["ResultWriter"], here, "a ResultWriter")
        if document is None:
            return None
        parameters = self.service(document, here, "a ResultWriter", WRITER, required=False)
        config: dict[str, Any] = {}
        if "WriterConfig" in document:
            config = self.chosen(document["WriterConfig"], at(here, "WriterConfig"), "a WriterConfig", WRITER_CONFIG)
        if "Resource" not in document and "WriterConfig" not in document:
            hint = "Write where the results go."
            self.checks.error("missing-field", here, "expected Resource or WriterConfig, came neither", hint)
        return ResultWriter(resource=str(document.get("Resource") or ""), parameters=parameters, config=config)

    def label(self) -> str:
        text = self.checks.text(self.document, "Label", self.pointer)
        if text is None:
            return ""
        here = at(self.pointer, "Label")
        if not 1 <= len(text) <= _LABEL_MAX:
            self.checks.error("bad-value", here, f"expected a label of 1 to {_LABEL_MAX} characters, came one of {len(text)}")
        elif wrong := _NOT_IN_LABELS.search(text):
            self.checks.error(
                "bad-value", here, f"expected a label without the character {wrong[0]!r}, {came(text)}", "Use letters, digits, - and _."
            )
        return text
