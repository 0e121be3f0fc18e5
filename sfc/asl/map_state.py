"""Map: the part of the machine that runs once for each item of a list."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple

from sfc.asl.failure import Failure, as_json, query_failure, runtime_failure
from sfc.asl.retry import Catcher, Retrier
from sfc.asl.states import State, Step
from sfc.asl.values import type_name

INLINE_LIVING_MAX = 40  # iterations of an inline Map at once, as in Step Functions


@dataclass(frozen=True, slots=True, kw_only=True)
class Number:
    """A number that a path or an expression names: ``field`` and ``text`` are those of the document, for messages. A Failure where it
    finds none. Built by ``sfc.asl.map_reader``."""

    field: str
    text: str
    step: Step

    def whole(self, effective: Any, context: Any) -> int | Failure:
        """A whole number; a text of one will do, as it does in Step Functions."""
        found = self.step(effective, context)
        if isinstance(found, Failure):
            return found
        if isinstance(found, float) and found.is_integer():
            return int(found)
        if isinstance(found, int) and not isinstance(found, bool):
            return found
        try:
            return int(found) if isinstance(found, str) else self._refused(found, "integer")
        except ValueError:
            return self._refused(found, "integer")

    def any(self, effective: Any, context: Any) -> float | Failure:
        """A number with or without a fraction."""
        found = self.step(effective, context)
        if isinstance(found, Failure) or (isinstance(found, int | float) and not isinstance(found, bool)):
            return found
        return self._refused(found, "float")

    def _refused(self, found: Any, wanted: str) -> Failure:
        shown = found if isinstance(found, str) else as_json(found)
        return runtime_failure(f'The {self.field} field refers to value "{shown}" which is not a valid {wanted}: {self.text}')


class Tolerance(NamedTuple):
    """How many iterations of a distributed Map may fail: so many, and so many in a hundred. None: not asked for."""

    most: int | None
    percentage: float | None

    def allows(self, failed: int, of: int | None) -> bool:
        """Whether so many failures are tolerated. Where neither is asked for none is; else both that are given must allow it. ``of``:
        None while nobody knows; then a percentage allows any number."""
        if self.most is None and self.percentage is None:
            return failed == 0
        share = of is None or self.percentage is None or failed * 100 <= self.percentage * of
        return share and (self.most is None or failed <= self.most)


@dataclass(frozen=True, slots=True, kw_only=True)
class Batcher:
    """``ItemBatcher``: how many items, and bytes of JSON, go into one iteration; at least one of the two is given."""

    items: int | Number | None = None
    bytes: int | Number | None = None
    input: Step | None = None  # BatchInput, which every batch gets


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemReader:
    """``ItemReader``: who reads the items, and what it is told. ``config``: the ReaderConfig without how many items it reads at most."""

    resource: str
    parameters: Step | None = None
    config: dict[str, Any]
    max_items: int | Number | None = None

    def request(self, effective: Any, context: Any) -> dict[str, Any] | Failure:
        """What the reader is told: ``{"Parameters": …, "ReaderConfig": {…, "MaxItems": …}}``."""
        told = {} if self.parameters is None else self.parameters(effective, context)
        if isinstance(told, Failure):
            return told
        most = self.max_items.whole(effective, context) if isinstance(self.max_items, Number) else self.max_items or 0
        if isinstance(most, Failure):
            return most
        return {"Parameters": told, "ReaderConfig": {**self.config, "MaxItems": most}}


@dataclass(frozen=True, slots=True, kw_only=True)
class ResultWriter:
    """``ResultWriter``: who writes the results, and what it is told. ``resource`` empty: the results stay in the state, and only their
    form is said."""

    resource: str = ""
    parameters: Step | None = None
    config: dict[str, Any]  # the WriterConfig as it stands there

    def request(self, effective: Any, context: Any) -> dict[str, Any] | Failure:
        """What the writer is told: ``{"Parameters": …, "WriterConfig": {"OutputType": …, "Transformation": …}}``."""
        told = {} if self.parameters is None else self.parameters(effective, context)
        if isinstance(told, Failure):
            return told
        return {"Parameters": told, "WriterConfig": {"OutputType": "JSON", "Transformation": "NONE", **self.config}}

    def shaped(self, results: list[Any]) -> list[Any]:
        """The results that stay in the state."""
        if self.config.get("Transformation") != "FLATTEN":
            return results
        return [one for result in results for one in (result if isinstance(result, list) else [result])]


@dataclass(frozen=True, slots=True, kw_only=True)
class MapState(State):
    """``start_at``: the first state of the processor. Iterations get their item, or what ``item_selector`` makes of it; the result lists
    their outputs in the order of the items. ``parameters`` of the base class is never set: the old ``Parameters`` is the ItemSelector.
    """

    kind: ClassVar[str] = "Map"
    has_result: ClassVar[bool] = True
    start_at: str
    distributed: bool = False  # Mode DISTRIBUTED, or a field that only such a Map has
    items: Step | None = None  # None: the effective input itself
    items_text: str = "$"  # the path, for messages
    item_selector: Step | None = None
    max_concurrency: int | Number = 0
    tolerated_count: int | Number | None = None
    tolerated_percentage: float | Number | None = None
    batcher: Batcher | None = None
    reads: bool = False  # has an ItemReader
    reader: ItemReader | None = None  # set where it reads
    writer: ResultWriter | None = None
    label: str = ""
    retry: tuple[Retrier, ...] = ()
    catch: tuple[Catcher, ...] = ()

    def items_of(self, effective: Any, context: Any) -> list[Any] | Failure:
        """What the Map goes over."""
        found = effective if self.items is None else self.items(effective, context)
        if isinstance(found, list | Failure):
            return found
        if self.jsonata:
            return query_failure(f"Map state input must be an array but was: {type_name(found)}", "Items")
        return runtime_failure(f'Reference path "{self.items_text}" must point to array.')

    def concurrency(self, effective: Any, context: Any) -> int | Failure:
        """How many iterations live at once; 0: as many as there may be."""
        given = self.max_concurrency
        found = given if isinstance(given, int) else given.whole(effective, context)
        if isinstance(found, int) and found < 0:
            return runtime_failure(f"Expected non-negative integer for MaxConcurrency, got '{found}' instead.")
        return found

    def tolerance(self, effective: Any, context: Any) -> Tolerance | Failure:
        """How many iterations may fail."""
        count, share = self.tolerated_count, self.tolerated_percentage
        most = count.whole(effective, context) if isinstance(count, Number) else count
        if isinstance(most, Failure):
            return most
        if most is not None and most < 0:
            return runtime_failure("ToleratedFailureCount cannot be negative.")
        percentage = share.any(effective, context) if isinstance(share, Number) else share
        if isinstance(percentage, Failure):
            return percentage
        if percentage is not None and not 0 <= percentage <= 100:
            return runtime_failure("ToleratedFailurePercentage must be between 0 and 100.")
        return Tolerance(most, percentage)
