"""Alembic runs this file. Only `portal.core.migrate` reaches it, and brings the open connection."""

from alembic import context

from portal.core.migrate import OPTIONS
from portal.models import Base

connection = context.config.attributes["connection"]
context.configure(connection=connection, target_metadata=Base.metadata, **OPTIONS)
with context.begin_transaction():
    context.run_migrations()
