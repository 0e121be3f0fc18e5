"""The tables that migrations make are those that the code uses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text
from sqlmodel import SQLModel

from sfc.errors import BadInput, RegistryError
from sfc.registry import database


def test_migrations_make_the_tables_of_the_models() -> None:
    engine = database.open_engine("sqlite://")
    database.migrate(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), SQLModel.metadata) == []


def test_head_is_the_newest_migration() -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(database.__file__).parent / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == database.HEAD


def test_a_database_of_a_newer_release_is_refused(tmp_path: Path, clock: Any) -> None:
    engine = database.open_engine(f"sqlite:///{tmp_path}/r.db")
    database.migrate(engine)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(RegistryError, match="newer release"):
        database.migrate(engine)


def test_what_is_no_url_is_told() -> None:
    with pytest.raises(BadInput, match="is no database URL"):
        database.open_engine("not a url")
