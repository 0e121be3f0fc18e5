"""One edit: a database session that holds the registry's one lock, and hands out revisions and outbox rows."""

from __future__ import annotations

from sqlmodel import Session, col, func, select, update

from sfc.engine.commands import Hold
from sfc.errors import RegistryError
from sfc.registry.tables import BlueprintVersionRow, OutboxRow, StateRow, TaskVersionRow
from sfc.wire.commands import encode_command
from sfc.wire.definitions import Definition, encode_definition, key_of


class Edit:
    """Everything that one transaction changes. Edits of all processes follow one another: each locks the state row first."""

    def __init__(self, session: Session, now_ms: int) -> None:
        self.session = session
        self.now_ms = now_ms
        # An update takes the lock on any database; on SQLite a read first would leave the transaction with an old view.
        session.exec(update(StateRow).values(id=1))
        state = session.get(StateRow, 1)
        if state is None:
            raise RegistryError("the registry's database has lost its state row: restore it from a backup")
        self.state = state

    def next_revision(self) -> int:
        self.state.revision += 1
        return self.state.revision

    def publish(self, definition: Definition, revision: int) -> None:
        """Goes to sfc.definitions when this edit is committed."""
        self._add("definition", key_of(definition), encode_definition(definition), revision)

    def publish_hold(self, hold: Hold) -> None:
        """Goes to every shard when this edit is committed."""
        value, _ = encode_command(hold)
        self._add("hold", hold.subject, value, hold.revision)

    def _add(self, kind: str, key: str, value: bytes, revision: int) -> None:
        self.session.add(OutboxRow(kind=kind, key=key, value=value, revision=revision))
        self.session.flush()  # one by one: ids are given in the order of the calls

    def next_version(self, table: type[BlueprintVersionRow] | type[TaskVersionRow], name: str) -> int:
        return (self.session.exec(select(func.max(col(table.version))).where(table.name == name)).one() or 0) + 1
