"""Opening the registry's database: migrations on each kind, and what is said when it can't be opened."""

from __future__ import annotations

import socket
import struct
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, Engine, create_engine, text
from sqlalchemy.engine import make_url
from sqlmodel import SQLModel

from sfc.errors import BadInput, RegistryError, RegistryUnavailable
from sfc.registry import Registry
from sfc.registry import database as sfc_database
from sfc.wire.problems import problem_of
from tests.contract.registries import Database, Documents, StillClock
from tests.services import free_port


def test_migrations_make_the_tables_of_the_models(database: Database) -> None:
    engine = database_engine(database)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection, opts={"compare_type": True}), SQLModel.metadata) == []


def database_engine(made: Database) -> Engine:
    engine = sfc_database.open_engine(made.url)
    sfc_database.migrate(engine)
    return engine


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(sfc_database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == sfc_database.HEAD


def test_gateways_that_start_at_once_migrate_once(database: Database) -> None:
    with ThreadPoolExecutor(4) as threads:
        registries = list(threads.map(lambda _: database.open(), range(4)))
    assert [r.revision() for r in registries] == [0] * 4


def test_a_database_of_a_newer_release_is_refused(database: Database) -> None:
    engine = database_engine(database)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RegistryError, match="newer release"):
        database.open()


def test_a_broken_file_is_a_registry_error(tmp_path: Path) -> None:
    (tmp_path / "registry.db").write_bytes(b"this is no database, and long enough to be told from an empty one" * 50)
    with pytest.raises(RegistryError, match="can't be opened"):
        Registry(f"sqlite:///{tmp_path}/registry.db", StillClock())


@pytest.mark.parametrize("url", ["not a url", "postgresql//x:secret@y"])
def test_what_is_no_url_is_told_without_its_password(url: str) -> None:
    with pytest.raises(BadInput, match="is no database URL") as told:
        sfc_database.open_engine(url)
    assert "secret" not in told.value.message


@pytest.mark.parametrize("scheme", ["mysql", "postgresql+psycopg2", "postgresql+asyncpg"])
def test_another_database_is_refused_with_what_is_there(scheme: str) -> None:
    with pytest.raises(BadInput, match=r"SQLite and PostgreSQL \(psycopg 3\)") as told:
        sfc_database.open_engine(f"{scheme}://ann:secret@host/db")
    assert "secret" not in told.value.message


@pytest.mark.parametrize("scheme", ["postgres", "postgresql", "postgresql+psycopg"])
def test_every_name_of_postgresql_means_the_same(postgresql: str, scheme: str) -> None:
    url = make_url(postgresql).set(drivername=scheme).render_as_string(hide_password=False)
    registry = Registry(url, StillClock())
    assert registry.revision() == 0
    registry.close()


def test_a_server_that_is_not_there_is_told_with_a_hint_and_without_the_password() -> None:
    with pytest.raises(RegistryUnavailable, match="does not answer") as told:
        Registry(f"postgresql://ann:secret@127.0.0.1:{free_port()}/sfc", StillClock())
    assert "secret" not in told.value.message
    assert "ann:***@127.0.0.1" in told.value.message
    assert "SFC_DATABASE" in told.value.hint
    assert problem_of(told.value, "/")["status"] == 503


def test_a_password_among_the_parameters_is_hidden_too() -> None:
    with pytest.raises(RegistryUnavailable) as told:
        Registry(f"postgresql://127.0.0.1:{free_port()}/sfc?user=ann&password=secret", StillClock())
    assert "secret" not in told.value.message


@pytest.mark.parametrize(
    ("says", "hint"),
    [
        ('password authentication failed for user "ann"', "check user and password"),
        ('database "sfc" does not exist', "make it"),
        ('no pg_hba.conf entry for host "x"', "the server lets nobody in"),
    ],
)
def test_what_the_server_refuses_is_told_with_what_to_do(says: str, hint: str) -> None:
    with refusing(says) as port, pytest.raises(RegistryError, match="refused") as told:
        Registry(f"postgresql://ann:secret@127.0.0.1:{port}/sfc?sslmode=disable&gssencmode=disable", StillClock())
    assert not isinstance(told.value, RegistryUnavailable), "trying again does not help"
    assert says in told.value.message
    assert hint in told.value.hint
    assert "secret" not in told.value.message


@contextmanager
def refusing(says: str) -> Iterator[int]:
    """The port of a server that speaks just enough of PostgreSQL's protocol to refuse."""
    error = b"SFATAL\0VFATAL\0C28000\0M" + says.encode() + b"\0\0"
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve() -> None:
            while True:
                try:
                    client, _ = listening.accept()
                except OSError:
                    return
                with client:
                    client.recv(4096)
                    client.sendall(b"E" + struct.pack("!i", len(error) + 4) + error)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        yield listening.getsockname()[1]
        listening.shutdown(socket.SHUT_RDWR)
    thread.join(5)


@contextmanager
def out_of_order(url: str, server: str) -> Iterator[None]:
    """The database is away, for all that its users can tell."""
    name = make_url(url).database
    engine = create_engine(make_url(server).set(drivername="postgresql+psycopg"), isolation_level="AUTOCOMMIT")

    def cut(connection: Connection, allowed: str) -> None:
        connection.execute(text(f"ALTER DATABASE {name} ALLOW_CONNECTIONS {allowed}"))
        connection.execute(text("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = :name"), {"name": name})

    with engine.connect() as connection:
        cut(connection, "false")
        try:
            yield
        finally:
            cut(connection, "true")
    engine.dispose()


def test_a_registry_outlives_its_server(postgresql_database: str, postgresql_server: str) -> None:
    registry = Registry(postgresql_database, StillClock())
    registry.deploy([Documents.task()])
    with out_of_order(postgresql_database, postgresql_server):
        with pytest.raises(RegistryUnavailable):
            registry.tasks()
        with pytest.raises(RegistryUnavailable):
            registry.deploy([Documents.task(Comment="new")])
        with pytest.raises(RegistryUnavailable), registry.alone("outbox", 1.0):
            pass
    assert [t.current for t in registry.tasks()] == [1]
    assert registry.deploy([Documents.task(Comment="new")])[0].version == 2
    registry.close()


def test_a_stalled_edit_loses_its_session_and_the_others_go_on(postgresql: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sfc_database, "IDLE_IN_EDIT_S", 1)
    stalled, other = Registry(postgresql, StillClock()), Registry(postgresql, StillClock())

    def stall() -> None:
        with stalled.edit() as edit:
            edit.next_revision()
            edit.session.flush()
            assert other.deploy([Documents.task()])[0].revision == 1, "it waited until the server had cut the stalled one"

    with pytest.raises(RegistryUnavailable):
        stall()
    assert other.revision() == 1
    stalled.close()
    other.close()


def test_one_gateway_at_a_time_has_the_turn(database: Database) -> None:
    first, second = database.open(), database.open()
    with first.alone("outbox", 0.0) as mine:
        assert mine
        with second.alone("outbox", 0.0) as at_once:
            assert not at_once
        with second.alone("outbox", 0.1) as waited:
            assert not waited
        with second.alone("schedules", 0.0) as another:
            assert another
    with second.alone("outbox", 0.0) as afterwards:
        assert afterwards


def test_a_registry_belongs_to_one_log(database: Database, documents: Documents) -> None:
    registry = database.open()
    assert not registry.belong_to("cluster a, namespace sfc", empty=True), "nothing was published yet"
    registry.settings(8)
    registry.deploy([documents.task(), documents.blueprint()])
    rows = registry.unpublished()
    registry.mark_published(rows[-1].id, 5)
    assert not registry.belong_to("cluster a, namespace sfc", empty=False)
    assert registry.unpublished() == []
    with pytest.raises(BadInput, match=r"belongs to cluster a, namespace sfc, and this is cluster b") as refused:
        registry.belong_to("cluster b, namespace sfc", empty=False)
    assert "SFC_DATABASE" in refused.value.hint


@pytest.mark.parametrize("log", ["cluster b, namespace sfc", "cluster a, namespace sfc"])
def test_a_log_that_is_new_gets_everything(database: Database, documents: Documents, log: str) -> None:
    registry = database.open()
    registry.belong_to("cluster a, namespace sfc", empty=True)
    registry.settings(8)
    registry.deploy([documents.task(), documents.blueprint()])
    registry.mark_published(registry.unpublished()[-1].id, 5)
    assert registry.belong_to(log, empty=True)
    registry.settings(4)
    assert {row.key for row in registry.unpublished()} == {"settings", "task:split:1", "task:split", "blueprint:order:1", "blueprint:order"}
    assert registry.definitions_end() == 0
    assert registry.settings(8).shards == 4, "the new log's own"
