"""Opening the registry's database: the engine, and its tables brought up to date."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import StaticPool

from sfc.errors import BadInput, RegistryError

HEAD = "0002"
"""The newest migration: a database that is there already is opened without loading alembic."""

BUSY_S = 10  # how long a writer waits for another process's edit, on SQLite


def open_engine(url: str) -> Engine:
    """An engine for a SQLAlchemy URL (``sqlite:///path``, ``sqlite://`` in memory). Raises BadInput for a URL that is none."""
    try:
        parsed = make_url(url)
    except ArgumentError as e:
        raise BadInput(f"{url!r} is no database URL: sqlite:///path/to/registry.db was expected") from e
    if parsed.get_backend_name() != "sqlite":
        return create_engine(parsed, pool_pre_ping=True)
    options: dict[str, Any] = {"connect_args": {"check_same_thread": False, "timeout": BUSY_S}}
    if in_memory(parsed.database):
        options["poolclass"] = StaticPool  # the database lives as long as its one connection
    else:
        Path(str(parsed.database)).expanduser().parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(parsed, **options)

    # The driver would begin transactions late and none around DDL: SQLAlchemy begins them itself.
    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: Any) -> None:
        connection.isolation_level = None
        connection.execute("PRAGMA foreign_keys=ON")
        connection.execute("PRAGMA journal_mode=WAL")

    @event.listens_for(engine, "begin")
    def _begun(connection: Connection) -> None:
        connection.exec_driver_sql("BEGIN")

    return engine


def in_memory(database: str | None) -> bool:
    """Whether this part of a SQLite URL names no file."""
    return not database or database == ":memory:"


def migrate(engine: Engine) -> None:
    """Brings the tables to HEAD. Raises RegistryError when the database fails or was written by a newer release."""
    try:
        with engine.begin() as connection:
            found = _found(connection)
            if found == HEAD:
                return
            if found is not None and found > HEAD:
                raise RegistryError(
                    f"the registry's database {engine.url.render_as_string()} is of a newer release (tables {found}, known {HEAD}):"
                    " use that release, or another database"
                )
            _upgrade(connection)
    except SQLAlchemyError as e:
        raise RegistryError(f"the registry's database {engine.url.render_as_string()} can't be opened: {e}") from e


def _found(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def _upgrade(connection: Connection) -> None:
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations").replace("%", "%%"))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")
