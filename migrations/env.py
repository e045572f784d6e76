"""Alembic runs this file. It is reached through `portal.core.migrate` only, which brings the open connection."""

from alembic import context

from portal.core.migrate import OPTIONS
from portal.models import Base

context.configure(connection=context.config.attributes["connection"], target_metadata=Base.metadata, **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
