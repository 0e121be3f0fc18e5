"""Opening the registry's database: the engine, its tables brought up to date, and what its failures mean."""

from __future__ import annotations

import sqlite3
import time
from pathlib import Path
from typing import Any

from sqlalchemy import URL, Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, InterfaceError, OperationalError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.pool import StaticPool

from sfc.errors import BadInput, RegistryError, RegistryUnavailable, SfcError
from sfc.masking import HIDDEN, is_secret

HEAD = "0002"
"""The newest migration: a database that is there already is opened without loading alembic."""

BUSY_S = 10  # how long a writer waits for another process's edit, on SQLite

# On PostgreSQL a gateway that stalls within an edit loses its session, and with it the lock that the others wait for.
CONNECT_S = 5
IDLE_IN_EDIT_S = 10
LOCK_S = 15
MIGRATION_S = 60
_MIGRATION_LOCK = 0x5FC0_0001  # of pg_advisory_xact_lock; the numbers are this program's own, within one database

_EXPECTED = "sqlite:///path/to/registry.db or postgresql://user:password@host:5432/database was expected"


def open_engine(url: str) -> Engine:
    """An engine for a URL: ``sqlite:///path``, ``sqlite://`` in memory, ``postgresql://…`` (also ``postgres://`` and
    ``postgresql+psycopg://``; all of them mean psycopg 3). Nothing connects yet. Raises BadInput for a URL that is none of these."""
    try:
        parsed = make_url(url)
    except ArgumentError as e:
        raise BadInput(f"{_unreadable(url)} is no database URL: {_EXPECTED}") from e
    if parsed.drivername in ("postgres", "postgresql", "postgresql+psycopg"):
        return _postgresql(parsed.set(drivername="postgresql+psycopg"))
    if parsed.get_backend_name() != "sqlite":
        raise BadInput(f"the registry keeps to SQLite and PostgreSQL (psycopg 3), and {shown(parsed)} is neither: {_EXPECTED}")
    return _sqlite(parsed)


def _postgresql(url: URL) -> Engine:
    # Prepared statements would not survive a connection pooler that hands a session around.
    arguments = {"connect_timeout": CONNECT_S, "application_name": "sfc", "prepare_threshold": None}
    given = {k: v for k, v in arguments.items() if k not in url.query}
    engine = create_engine(url, pool_pre_ping=True, pool_size=5, max_overflow=10, pool_timeout=LOCK_S, connect_args=given)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.autocommit = True
        connection.execute(f"SET idle_in_transaction_session_timeout = '{IDLE_IN_EDIT_S}s'")
        connection.execute(f"SET lock_timeout = '{LOCK_S}s'")
        connection.autocommit = False

    return engine


def _sqlite(url: URL) -> Engine:
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": BUSY_S}}
    if in_memory(url.database):
        options["poolclass"] = StaticPool  # the database lives as long as its one connection
    else:
        Path(str(url.database)).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url, **options)

    # The driver would begin transactions late and none around DDL: SQLAlchemy begins them itself.
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        _write_ahead(connection)

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql(connection.get_execution_options().get("sfc_begin", "BEGIN"))

    return engine


def _write_ahead(connection: Any) -> None:
    """SQLite does not wait for its lock here when several processes open a new file at once."""
    until = time.monotonic() + BUSY_S
    while True:
        try:
            connection.execute("PRAGMA journal_mode=WAL")
        except sqlite3.OperationalError as e:
            if "locked" not in str(e) or time.monotonic() >= until:
                raise
            time.sleep(0.01)
        else:
            return


def in_memory(database: str | None) -> bool:
    """Whether this part of a SQLite URL names no file."""
    return not database or database == ":memory:"


def shown(url: URL) -> str:
    """The URL without its passwords."""
    hidden = {k: HIDDEN if is_secret(k) else v for k, v in url.query.items()}
    return url.set(query=hidden).render_as_string()


def _unreadable(url: str) -> str:
    """What can't be parsed may still have a password in it: only its beginning is shown."""
    scheme, separator, _ = url.partition("://")
    return f"{scheme}://…" if separator else f"{url.split(':', maxsplit=1)[0]!r:.60}"


def migrate(engine: Engine) -> None:
    """Brings the tables to HEAD; several processes may at once. Raises RegistryError when the database fails or was written by a newer
    release."""
    try:
        with engine.begin() as connection:
            if _is_current(connection, engine):
                return
        with engine.connect().execution_options(sfc_begin="BEGIN IMMEDIATE") as connection, connection.begin():
            if engine.dialect.name == "postgresql":
                connection.execute(text(f"SET LOCAL lock_timeout = '{MIGRATION_S}s'"))
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": _MIGRATION_LOCK})
            if not _is_current(connection, engine):  # another process may have done it meanwhile
                _upgrade(connection)
    except SQLAlchemyError as e:
        raise failure(engine, e, "can't be opened") from e


def _is_current(connection: Connection, engine: Engine) -> bool:
    """Raises RegistryError for tables of a newer release."""
    found = None
    if inspect(connection).has_table("alembic_version"):
        found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found is not None and found > HEAD:
        raise RegistryError(
            f"the registry's database {shown(engine.url)} is of a newer release (tables {found}, known {HEAD}):"
            " use that release, or another database"
        )
    return found == HEAD


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


_HINTS = (  # part of what PostgreSQL says, and what to do about it
    ("password authentication failed", "check user and password in SFC_DATABASE"),
    ("no password supplied", "write the password into SFC_DATABASE: postgresql://user:password@host/database"),
    ("no pg_hba.conf entry", "the server lets nobody in from here: its pg_hba.conf says who may"),
    ("does not exist", "make it (createdb, createuser), or name another in SFC_DATABASE"),
    ("permission denied", "the user of SFC_DATABASE must be allowed to make tables in that database"),
)
_AWAY_HINT = "is the database there, and is SFC_DATABASE its address? It is tried again"


def failure(engine: Engine, error: SQLAlchemyError, what: str = "failed") -> SfcError:
    """What an error of the database means: BadInput for a value that it can't hold, RegistryUnavailable where it does not answer,
    else RegistryError."""
    reason = str(error.orig if isinstance(error, DBAPIError) and error.orig is not None else error).strip()
    place = f"the registry's database {shown(engine.url)}"
    if isinstance(error, DataError):
        return BadInput(f"the registry can't keep this: {reason.splitlines()[0]}")
    for words, hint in _HINTS:
        if words in reason:
            return RegistryError(f"{place} refused: {reason}", hint=hint)
    if isinstance(error, PoolTimeout) or "lock timeout" in reason or "database is locked" in reason:
        return RegistryUnavailable(f"{place} is too busy: {reason}", hint="another edit takes its time: try again")
    away = isinstance(error, DBAPIError) and (error.connection_invalidated or isinstance(error, OperationalError | InterfaceError))
    if away and engine.dialect.name == "postgresql":
        return RegistryUnavailable(f"{place} does not answer: {reason}", hint=_AWAY_HINT)
    return RegistryError(f"{place} {what}: {reason}")
