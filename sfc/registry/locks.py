"""One gateway at a time: the outbox and the schedules take turns over all gateways of a database.

A lock here saves work, and keeps gateways from fencing each other out in turns. Nothing is correct because of it: a gateway that stalls
may lose it and wake up without knowing. What guards against that is the log's: a fence for the outbox, marks for schedules.
"""

from __future__ import annotations

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from sqlalchemy import Engine, text
from sqlalchemy.exc import OperationalError, SQLAlchemyError

from sfc.registry.database import in_memory

_KEYS = {"outbox": 0x5FC0_0002, "schedules": 0x5FC0_0003}  # of pg_advisory_xact_lock, within one database
_LOCK_NOT_AVAILABLE = "55P03"
_LOOK_S = 0.02


@contextmanager
def alone(engine: Engine, name: str, wait_s: float) -> Iterator[bool]:
    """Holds the lock of this name while the body runs; whether it came within ``wait_s``. A process that dies leaves it at once, one
    that stalls within 10 s on PostgreSQL. Raises SQLAlchemyError when the database does not answer. A database in memory has one user."""
    if engine.dialect.name == "postgresql":
        with _postgresql(engine, _KEYS[name], wait_s) as mine:
            yield mine
    elif in_memory(engine.url.database):
        yield True
    else:
        with _file(Path(f"{engine.url.database}.{name}").expanduser(), wait_s) as mine:
            yield mine


@contextmanager
def _postgresql(engine: Engine, key: int, wait_s: float) -> Iterator[bool]:
    with engine.connect() as connection:
        mine = True
        if wait_s > 0:
            connection.execute(text(f"SET LOCAL lock_timeout = '{int(wait_s * 1000)}ms'"))
            try:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": key})
            except OperationalError as e:
                if getattr(e.orig, "sqlstate", "") != _LOCK_NOT_AVAILABLE:
                    raise
                connection.rollback()
                mine = False
        else:
            mine = bool(connection.execute(text("SELECT pg_try_advisory_xact_lock(:key)"), {"key": key}).scalar())
        try:
            yield mine
        finally:
            with suppress(SQLAlchemyError):  # the server has cut a session that was idle for too long: the lock is gone with it
                connection.rollback()


@contextmanager
def _file(path: Path, wait_s: float) -> Iterator[bool]:
    until = time.monotonic() + wait_s
    with path.open("w") as file:
        mine = False
        while not mine:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                mine = True
            except OSError:
                if time.monotonic() >= until:
                    break
                time.sleep(_LOOK_S)
        yield mine  # closing the file lets it go
