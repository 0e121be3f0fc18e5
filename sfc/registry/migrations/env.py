"""Run by alembic, within the connection that sfc.registry.database hands over."""

from __future__ import annotations

from alembic import context
from sqlmodel import SQLModel

import sfc.registry.tables  # noqa: F401 - fills the metadata

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SQLModel.metadata,
    render_as_batch=True,  # SQLite can't alter a column otherwise
)
with context.begin_transaction():
    context.run_migrations()
