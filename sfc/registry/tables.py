"""The registry's tables. Made and changed by the migrations alone; a test compares both."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, LargeBinary, Text
from sqlmodel import Field, SQLModel

_ID = BigInteger().with_variant(Integer, "sqlite")  # only an INTEGER primary key counts by itself on SQLite


class StateRow(SQLModel, table=True):
    """The one row that every edit locks first: so edits follow one another, and revisions count without a gap."""

    __tablename__ = "registry_state"

    id: int = Field(default=1, primary_key=True)
    revision: int = Field(default=0, sa_type=BigInteger)
    shards: int = 0  # of ClusterSettings; 0: not recorded yet
    log: str = Field(default="", max_length=400)  # whose definitions these are: cluster id and namespace; "": not recorded yet
    definitions_end: int = Field(default=0, sa_type=BigInteger)  # sfc.definitions' next offset after the last publication


class BlueprintRow(SQLModel, table=True):
    """What may change of a blueprint. ``triggers``: JSON list of TriggerRecord."""

    __tablename__ = "blueprint"

    name: str = Field(primary_key=True, max_length=63)
    current: int
    status: str = Field(max_length=16)
    revision: int = Field(sa_type=BigInteger)
    group: str = Field(default="", max_length=63)
    triggers: str = Field(default="[]", sa_type=Text)
    hold_revision: int = Field(default=0, sa_type=BigInteger)  # of the last pause or resume; 0: never
    hold_reason: str = Field(default="", sa_type=Text)
    hold_by: str = Field(default="", sa_type=Text)
    hold_freeze: bool = True
    hold_since_ms: int = Field(default=0, sa_type=BigInteger)
    created_ms: int = Field(sa_type=BigInteger)
    updated_ms: int = Field(sa_type=BigInteger)


class BlueprintVersionRow(SQLModel, table=True):
    """Immutable. ``hash``: of the pinned document; ``source_hash``: of the document as it was given, before pinning."""

    __tablename__ = "blueprint_version"

    name: str = Field(primary_key=True, max_length=63, foreign_key="blueprint.name")
    version: int = Field(primary_key=True)
    hash: str = Field(max_length=64)
    source_hash: str = Field(max_length=64)
    document: str = Field(sa_type=Text)  # canonical JSON
    created_ms: int = Field(sa_type=BigInteger)


class TaskRow(SQLModel, table=True):
    __tablename__ = "task"

    name: str = Field(primary_key=True, max_length=63)
    current: int
    revision: int = Field(sa_type=BigInteger)
    created_ms: int = Field(sa_type=BigInteger)
    updated_ms: int = Field(sa_type=BigInteger)


class TaskVersionRow(SQLModel, table=True):
    """Immutable."""

    __tablename__ = "task_version"

    name: str = Field(primary_key=True, max_length=63, foreign_key="task.name")
    version: int = Field(primary_key=True)
    hash: str = Field(max_length=64)
    document: str = Field(sa_type=Text)  # canonical JSON
    created_ms: int = Field(sa_type=BigInteger)


class OutboxRow(SQLModel, table=True):
    """A record that waits to be published, in order of ``id``; deleted when the log has acknowledged it.

    ``kind`` definition: one record of sfc.definitions. ``kind`` hold: a Hold command for every shard of sfc.commands."""

    __tablename__ = "outbox"

    id: int | None = Field(default=None, sa_column=Column(_ID, primary_key=True, autoincrement=True))
    kind: str = Field(max_length=16)
    key: str = Field(max_length=255)
    value: bytes = Field(sa_type=LargeBinary)
    revision: int = Field(index=True, sa_type=BigInteger)


class HoldRow(SQLModel, table=True):
    """Of a version, a task or a group; a blueprint's stands in its own row. One that was lifted stays, for its revision."""

    __tablename__ = "hold"

    subject: str = Field(primary_key=True, max_length=90)
    revision: int = Field(sa_type=BigInteger)
    held: bool
    freeze: bool
    reason: str = Field(default="", sa_type=Text)
    by: str = Field(default="", sa_type=Text)
    since_ms: int = Field(sa_type=BigInteger)


class DraftRow(SQLModel, table=True):
    """A blueprint or task that somebody works on: it need not be right, and nothing runs it."""

    __tablename__ = "draft"

    kind: str = Field(primary_key=True, max_length=16)  # blueprint or task
    name: str = Field(primary_key=True, max_length=63)
    document: str = Field(sa_type=Text)  # JSON
    by: str = Field(default="", sa_type=Text)
    updated_ms: int = Field(sa_type=BigInteger)


class ScheduleRow(SQLModel, table=True):
    """A schedule of a blueprint's current version. ``next_ms``: the nominal time of its next tick, 0 when there is none any more."""

    __tablename__ = "schedule"

    uid: str = Field(primary_key=True, max_length=32)
    blueprint: str = Field(max_length=63, foreign_key="blueprint.name", index=True)
    id: str = Field(max_length=63)
    cron: str = Field(max_length=255)
    time_zone: str = Field(max_length=63)
    catch_up: str = Field(max_length=16)
    input: str = Field(sa_type=Text)  # JSON
    next_ms: int = Field(sa_type=BigInteger, index=True)
    last_ms: int = Field(default=0, sa_type=BigInteger)  # nominal time of the last tick that started a flow


class KeyRow(SQLModel, table=True):
    """An API key. Only its hash is kept."""

    __tablename__ = "api_key"

    id: str = Field(primary_key=True, max_length=32)
    name: str = Field(max_length=63, unique=True)
    role: str = Field(max_length=16)
    hash: str = Field(max_length=64)  # SHA-256 of a random secret, hex
    created_ms: int = Field(sa_type=BigInteger)
    revoked_ms: int = Field(default=0, sa_type=BigInteger)


class PoolRow(SQLModel, table=True):
    """What an operator wants of a pool of workers, over what the documents say."""

    __tablename__ = "pool"

    name: str = Field(primary_key=True, max_length=80)
    revision: int = Field(sa_type=BigInteger)
    min: int | None = None
    max: int | None = None
    drained: bool = False
