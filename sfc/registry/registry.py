"""The registry: blueprints and tasks, their versions, what is paused. Every edit and what it publishes are one transaction."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import Engine
from sqlalchemy.exc import SQLAlchemyError
from sqlmodel import Session, col, delete, func, select

from sfc.errors import BadInput, UnknownName
from sfc.ports import Clock
from sfc.registry import deploy, holds, pools, rollback
from sfc.registry.database import failure, in_memory, migrate, open_engine
from sfc.registry.locks import alone
from sfc.registry.rollback import RolledBack
from sfc.registry.session import Edit
from sfc.registry.shapes import did_you_mean
from sfc.registry.status import Asked, blueprint_hold, set_status
from sfc.registry.tables import BlueprintRow, BlueprintVersionRow, OutboxRow, StateRow, TaskRow, TaskVersionRow
from sfc.registry.views import (
    BlueprintInfo,
    Deployed,
    Edited,
    TaskInfo,
    blueprint_head,
    blueprint_info,
    blueprint_version,
    task_head,
    task_info,
    task_version,
)
from sfc.wire.definitions import BlueprintVersion, ClusterSettings, TaskVersion


class OutboxItem(NamedTuple):
    """A record that waits to be published: see tables.OutboxRow."""

    id: int
    kind: str
    key: str
    value: bytes
    revision: int


class Registry:
    """May be shared between threads. Opening it brings the tables up to date.

    ``new_id`` makes the permanent ids of triggers. Raises RegistryError when the database fails, UnknownName for what is not there.
    """

    def __init__(self, database: str | Engine, clock: Clock, *, new_id: Callable[[], str] = lambda: uuid4().hex) -> None:
        self._engine = open_engine(database) if isinstance(database, str) else database
        self._clock = clock
        self._new_id = new_id
        url = self._engine.url
        alone = url.get_backend_name() == "sqlite" and in_memory(url.database)
        # A database in memory is one connection: its users take turns.
        self._turn: AbstractContextManager[Any] = threading.RLock() if alone else nullcontext()
        migrate(self._engine)

    def close(self) -> None:
        self._engine.dispose()

    # Edits

    def deploy(self, documents: Sequence[tuple[str, dict[str, Any]]]) -> list[Deployed]:
        """Saves (source, document) pairs, all of them or none; answers in the same order. Raises InvalidDocument with all problems."""
        done: dict[int, Deployed] = {}
        with self.edit() as edit:
            checked = deploy.check_all(edit.session, list(documents))
            for index in deploy.saving_order(checked.given):
                one = checked.given[index]
                if one.kind == "task":
                    done[index] = deploy.save_task(edit, one, checked.warnings_of(one))
                else:
                    done[index] = deploy.save_blueprint(edit, one, checked, self._new_id)
        return [done[index] for index in range(len(checked.given))]

    def pause(self, name: str, reason: str = "", by: str = "", freeze: bool | None = None) -> Edited:
        """Holds the blueprint's flows and triggers. One that is disabled becomes paused. ``freeze``: its flows' timers stand still."""
        return self._ask(name, Asked("pause", reason, by, freeze))

    def resume(self, name: str, by: str = "") -> Edited:
        """Enables a blueprint that is paused or disabled."""
        return self._ask(name, Asked("resume", by=by))

    def disable(self, name: str, by: str = "") -> Edited:
        """Lets flows finish and starts none. A hold of the blueprint is lifted."""
        return self._ask(name, Asked("disable", by=by))

    def enable(self, name: str, by: str = "") -> Edited:
        """Enables a blueprint that is disabled or retired. Raises NotPossible for one that is paused: that is resumed."""
        return self._ask(name, Asked("enable", by=by))

    def retire(self, name: str, by: str = "") -> Edited:
        """As disable, and nothing is deployed to it until it is enabled again."""
        return self._ask(name, Asked("retire", by=by))

    def roll_back(self, name: str, to: int | None = None) -> RolledBack:
        """Points at an older version, by default the one before the current one: see sfc.registry.rollback."""
        with self.edit() as edit:
            return rollback.roll_back(edit, self._blueprint_row(edit.session, name), to, self._new_id)

    def _ask(self, name: str, asked: Asked) -> Edited:
        with self.edit() as edit:
            return set_status(edit, self._blueprint_row(edit.session, name), asked)

    def as_deployed(self, name: str, document: dict[str, Any]) -> tuple[dict[str, Any], int | None]:
        """What a deploy would make of a document: pinned, and the version with this content (None: it would be a new one). Saves nothing.
        Raises InvalidDocument, UnknownName."""
        with self.read() as session:
            return deploy.as_deployed(session, self._blueprint_row(session, name), document)

    def settings(self, shards: int) -> ClusterSettings:
        """The cluster's settings, recorded with this number of shards when there are none yet. The recorded ones are never changed."""
        with self.edit() as edit:
            if not edit.state.shards:
                edit.state.shards = shards
                edit.publish(ClusterSettings(shards), edit.next_revision())
            return ClusterSettings(edit.state.shards)

    def belong_to(self, log: str, *, empty: bool) -> bool:
        """Records whose definitions these are (``log``: cluster id and namespace). A log that is new (``empty``), while the registry has
        been published to another, gets everything: True. Raises BadInput where it has definitions of another registry."""
        with self.edit() as edit:
            state = edit.state
            known, published = state.log, state.definitions_end > 0
            if known not in ("", log) and not empty:
                raise BadInput(
                    f"the registry's database {self._engine.url.render_as_string()} belongs to {known}, and this is {log},"
                    " which has definitions of another registry",
                    hint="give each Kafka and namespace a registry of its own: SFC_DATABASE, or SFC_DATA for the SQLite file",
                )
            state.log = log
            if not (empty and published):
                return False
            state.shards = 0  # the new log's own are recorded
        self.republish()
        return True

    def raise_revision(self, to: int) -> None:
        """Makes the next edit's revision higher than ``to``, the highest in sfc.definitions: the database may come from a backup."""
        with self.edit() as edit:
            edit.state.revision = max(edit.state.revision, to)

    def republish(self) -> None:
        """Publishes everything again, as it is: for a log that is new, while the registry is not."""
        with self.edit() as edit:
            session, revision = edit.session, edit.next_revision()
            edit.state.definitions_end = 0
            if edit.state.shards:
                edit.publish(ClusterSettings(edit.state.shards), revision)
            for version in session.exec(select(TaskVersionRow).order_by(col(TaskVersionRow.name), col(TaskVersionRow.version))).all():
                edit.publish(task_version(version), revision)
            for task in session.exec(select(TaskRow).order_by(col(TaskRow.name))).all():
                edit.publish(task_head(task), revision)
            order = (col(BlueprintVersionRow.name), col(BlueprintVersionRow.version))
            for saved in session.exec(select(BlueprintVersionRow).order_by(*order)).all():
                edit.publish(blueprint_version(saved), revision)
            for row in session.exec(select(BlueprintRow).order_by(col(BlueprintRow.name))).all():
                edit.publish(blueprint_head(row), revision)
                if row.hold_revision:
                    edit.publish_hold(blueprint_hold(row, row.hold_by))
            holds.republish(edit, revision)
            pools.republish(edit, revision)

    # Reads

    def blueprints(self) -> list[BlueprintInfo]:
        """All, by name."""
        with self.read() as session:
            return [
                blueprint_info(row, _current(session, row)) for row in session.exec(select(BlueprintRow).order_by(col(BlueprintRow.name)))
            ]

    def blueprint(self, name: str) -> BlueprintInfo:
        with self.read() as session:
            row = self._blueprint_row(session, name)
            return blueprint_info(row, _current(session, row))

    def versions(self, name: str, after: int = 0, limit: int | None = None) -> list[BlueprintVersion]:
        """Of a blueprint, oldest first: all, or at most ``limit`` of those behind number ``after``."""
        with self.read() as session:
            self._blueprint_row(session, name)
            found = select(BlueprintVersionRow).where(BlueprintVersionRow.name == name, col(BlueprintVersionRow.version) > after)
            return [blueprint_version(row) for row in session.exec(found.order_by(col(BlueprintVersionRow.version)).limit(limit))]

    def version(self, name: str, version: int) -> BlueprintVersion:
        with self.read() as session:
            head = self._blueprint_row(session, name)
            row = session.get(BlueprintVersionRow, (name, version))
            if row is None:
                raise UnknownName(f"blueprint {name} has no version {version}: its current one is {head.current}")
            return blueprint_version(row)

    def tasks(self) -> list[TaskInfo]:
        """All, by name."""
        with self.read() as session:
            return [task_info(row, _current_task(session, row)) for row in session.exec(select(TaskRow).order_by(col(TaskRow.name)))]

    def task(self, name: str) -> TaskInfo:
        with self.read() as session:
            row = self._task_row(session, name)
            return task_info(row, _current_task(session, row))

    def task_versions(self, name: str) -> list[TaskVersion]:
        """Of a task, oldest first."""
        with self.read() as session:
            self._task_row(session, name)
            found = select(TaskVersionRow).where(TaskVersionRow.name == name).order_by(col(TaskVersionRow.version))
            return [task_version(row) for row in session.exec(found)]

    def task_version(self, name: str, version: int) -> TaskVersion:
        with self.read() as session:
            head = self._task_row(session, name)
            row = session.get(TaskVersionRow, (name, version))
            if row is None:
                raise UnknownName(f"task {name} has no version {version}: its current one is {head.current}")
            return task_version(row)

    def revision(self) -> int:
        """Of the last edit."""
        with self.read() as session:
            return _state(session).revision

    # The outbox

    def unpublished(self, rows_max: int = 500) -> list[OutboxItem]:
        """What waits to be published, in order."""
        with self.read() as session:
            rows = session.exec(select(OutboxRow).order_by(col(OutboxRow.id)).limit(rows_max))
            return [OutboxItem(row.id or 0, row.kind, row.key, row.value, row.revision) for row in rows]

    def mark_published(self, last_id: int, definitions_end: int) -> None:
        """The log has acknowledged all rows up to ``last_id``; sfc.definitions then ended at or behind them, at ``definitions_end``."""
        with self.edit() as edit:
            edit.session.exec(delete(OutboxRow).where(col(OutboxRow.id) <= last_id))
            edit.state.definitions_end = max(edit.state.definitions_end, definitions_end)  # a gateway that stalled may come late

    def published(self, revision: int) -> bool:
        """Whether everything up to this revision is on the log."""
        with self.read() as session:
            first = session.exec(select(func.min(col(OutboxRow.revision)))).one()
            return revision <= _state(session).revision and (first is None or revision < first)

    def definitions_end(self) -> int:
        """An offset of sfc.definitions behind everything that is published: who has read up to it knows all of that."""
        with self.read() as session:
            return _state(session).definitions_end

    # Sessions, also for what stands beside blueprints and tasks (keys, schedules, pools)

    @contextmanager
    def edit(self) -> Iterator[Edit]:
        """One transaction that changes something; what it publishes is committed with it. Edits of all processes follow one another."""
        with self._turn, self._failures(), Session(self._engine, expire_on_commit=False) as session:
            yield Edit(session, self._clock.now_ms())
            session.commit()

    @contextmanager
    def read(self) -> Iterator[Session]:
        """One transaction that changes nothing."""
        with self._turn, self._failures(), Session(self._engine) as session:
            yield session

    @contextmanager
    def alone(self, name: str, wait_s: float) -> Iterator[bool]:
        """One gateway at a time, as far as that is possible: see sfc.registry.locks. Whether the lock came within ``wait_s``."""
        with self._failures(), alone(self._engine, name, wait_s) as mine:
            yield mine

    # Inside

    @contextmanager
    def _failures(self) -> Iterator[None]:
        try:
            yield
        except SQLAlchemyError as e:
            raise failure(self._engine, e) from e
        except UnicodeEncodeError as e:
            raise BadInput(f"the registry can't keep this: half of a character ({e.object[e.start : e.end]!r})") from e

    def _blueprint_row(self, session: Session, name: str) -> BlueprintRow:
        return holds.blueprint_row(session, name)

    def _task_row(self, session: Session, name: str) -> TaskRow:
        row = session.get(TaskRow, name)
        if row is None:
            raise UnknownName(f"there is no task {name}", hint=did_you_mean(name, session.exec(select(TaskRow.name))))
        return row


def _state(session: Session) -> StateRow:
    return session.exec(select(StateRow)).one()


def _current(session: Session, row: BlueprintRow) -> BlueprintVersionRow:
    return session.get_one(BlueprintVersionRow, (row.name, row.current))


def _current_task(session: Session, row: TaskRow) -> TaskVersionRow:
    return session.get_one(TaskVersionRow, (row.name, row.current))
