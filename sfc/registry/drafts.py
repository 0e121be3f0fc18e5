"""Drafts: documents that somebody works on. They need not be right, and nothing runs them."""

from __future__ import annotations

import json
from typing import Any

import msgspec
from msgspec import Struct
from sqlmodel import Session, col, select

from sfc.errors import BadInput, InvalidDocument, Problem, RecordTooLarge, UnknownName
from sfc.registry.deploy import DOCUMENT_BYTES_MAX, check_all, read
from sfc.registry.holds import Sessions
from sfc.registry.shapes import NAME, NAME_RULE, did_you_mean
from sfc.registry.tables import DraftRow

KINDS = ("blueprint", "task")


class DraftInfo(Struct, frozen=True):
    """A draft with its document, as it was saved. ``updated_ms``: milliseconds since 1970."""

    kind: str
    name: str
    document: dict[str, Any]
    by: str
    updated_ms: int


class Drafts:
    """Saves and reads drafts, and checks them as a deploy would. Raises UnknownName for one that is not there."""

    def __init__(self, registry: Sessions) -> None:
        self._registry = registry

    def save(self, kind: str, name: str, document: Any, by: str = "") -> DraftInfo:
        """Whatever is a JSON object within the limit. Raises BadInput, RecordTooLarge."""
        _check_address(kind, name)
        if not isinstance(document, dict):
            raise BadInput(f"a draft is an object, this is {type(document).__name__}")
        try:
            text = json.dumps(document, ensure_ascii=False, allow_nan=False)
            size = len(text.encode())
        except (ValueError, TypeError, RecursionError) as e:
            raise BadInput(f"a draft is JSON: {e}") from e
        if size > DOCUMENT_BYTES_MAX:
            raise RecordTooLarge(f"a draft may have {DOCUMENT_BYTES_MAX} bytes of JSON at most, {size} came")
        with self._registry.edit() as edit:
            row = edit.session.merge(DraftRow(kind=kind, name=name, document=text, by=by, updated_ms=edit.now_ms))
            return _info(row)

    def all(self, after: tuple[str, str] = ("", ""), limit: int | None = None) -> list[DraftInfo]:
        """All, blueprints first, by name; or at most ``limit`` of those behind a kind and name."""
        kind, name = after
        behind = (col(DraftRow.kind) > kind) | ((col(DraftRow.kind) == kind) & (col(DraftRow.name) > name))
        with self._registry.read() as session:
            rows = select(DraftRow).where(behind).order_by(col(DraftRow.kind), col(DraftRow.name)).limit(limit)
            return [_info(row) for row in session.exec(rows)]

    def get(self, kind: str, name: str) -> DraftInfo:
        with self._registry.read() as session:
            return _info(_row(session, kind, name))

    def delete(self, kind: str, name: str) -> None:
        with self._registry.edit() as edit:
            edit.session.delete(_row(edit.session, kind, name))

    def deployed(self, draft: DraftInfo) -> None:
        """Removes a draft whose document is deployed now, unless somebody has saved another meanwhile."""
        with self._registry.edit() as edit:
            row = edit.session.get(DraftRow, (draft.kind, draft.name))
            if row is not None and _info(row) == draft:
                edit.session.delete(row)

    def problems(self, draft: DraftInfo) -> list[Problem]:
        """All that a deploy would say of it, warnings included."""
        document = ready(draft)
        given, found = read(draft.name, document)
        if given.kind and given.kind != draft.kind:
            hint = f"Save it under /v1/drafts/{given.kind}/{draft.name}."
            return [Problem("other-kind", "", f"expected a {draft.kind}, this is a {given.kind}.", hint), *found]
        other = [] if given.name in (None, draft.name) else [_other_name(draft, given.name)]
        with self._registry.read() as session:
            try:
                checked = check_all(session, [(draft.name, document)])
            except InvalidDocument as e:
                return [*other, *e.problems]
        return [*other, *checked.warnings_of(given)]


def ready(draft: DraftInfo) -> dict[str, Any]:
    """The document with the draft's name, where it has none of its own."""
    if draft.kind == "task":
        return {"Name": draft.name, **draft.document}
    section = draft.document.get("Sfc", {})
    return {**draft.document, "Sfc": {"Name": draft.name, **section} if isinstance(section, dict) else section}


def _other_name(draft: DraftInfo, name: str | None) -> Problem:
    pointer = "/Name" if draft.kind == "task" else "/Sfc/Name"
    return Problem(
        "other-name", pointer, f"the draft is called {draft.name}, the document {name}.", f"Write {draft.name}, or leave it out."
    )


def _check_address(kind: str, name: str) -> None:
    if kind not in KINDS:
        raise BadInput(f"there are no drafts of {kind!r:.80}: {' and '.join(KINDS)} are the kinds")
    if not NAME(name):
        raise BadInput(f"{name!r:.120} can't be the name of a draft: {NAME_RULE}")


def _row(session: Session, kind: str, name: str) -> DraftRow:
    _check_address(kind, name)
    row = session.get(DraftRow, (kind, name))
    if row is None:
        known = session.exec(select(DraftRow.name).where(DraftRow.kind == kind))
        raise UnknownName(
            f"there is no draft of a {kind} {name}", hint=did_you_mean(name, known) or "`sfc drafts list` shows those there are"
        )
    return row


def _info(row: DraftRow) -> DraftInfo:
    return DraftInfo(row.kind, row.name, msgspec.json.decode(row.document), row.by, row.updated_ms)
