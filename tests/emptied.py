"""One database of PostgreSQL for many tests, empty for each: making one takes a third of a second, emptying it milliseconds."""

from __future__ import annotations

import itertools

import psycopg
from sqlalchemy import MetaData, create_engine

#: What a database is made of: a test that changed any of it leaves a database that no other test gets.
_SHAPE = """
    SELECT string_agg(concat_ws(' ', c.oid, c.relname, c.relchecks, c.relhasindex,
           (SELECT string_agg(a.attname || a.atttypid || a.attnotnull, ' ' ORDER BY a.attnum) FROM pg_attribute a
            WHERE a.attrelid = c.oid AND NOT a.attisdropped)), ',' ORDER BY c.oid)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'"""
_OTHERS = """
    SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity
    WHERE datname = current_database() AND pid <> pg_backend_pid()"""
#: What was ever written to; a table keeps its pages when its rows are deleted. To open all of them takes longest of all here.
_TOUCHED = """
    SELECT (SELECT array_agg(quote_ident(relname)) FROM pg_class
            WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0),
           (SELECT array_agg(quote_ident(sequencename)) FROM pg_sequences WHERE last_value IS NOT NULL)"""


class Emptied:
    """Gives the URL of an empty database with all tables, again and again. Each time it has another name, so that whatever a
    test left running finds nothing any more."""

    def __init__(self, prefix: str, tables: MetaData) -> None:
        self._prefix, self._tables = prefix, tables
        self._name, self._shape = "", ""
        self._numbers = itertools.count(1)

    def url(self) -> str:
        name = f"test_{next(self._numbers)}"
        with self._connect("postgres") as server:
            if self._name and self._is_emptied():
                server.execute(f"ALTER DATABASE {self._name} RENAME TO {name}")
            else:
                server.execute(f"DROP DATABASE IF EXISTS {self._name or name} WITH (FORCE)")
                self._make(server, name)
        self._name = name
        return self._prefix + name

    def _make(self, server: psycopg.Connection, name: str) -> None:
        server.execute(f"CREATE DATABASE {name}")
        engine = create_engine(self._prefix + name)
        self._tables.create_all(engine)
        engine.dispose()
        with self._connect(name) as database:
            self._shape = self._shape_of(database)

    def _is_emptied(self) -> bool:
        """Whether the database is as it was when it was made."""
        try:
            with self._connect(self._name) as database:
                database.execute(_OTHERS)
                if self._shape_of(database) != self._shape:
                    return False
                tables, sequences = database.execute(_TOUCHED).fetchone()  # type: ignore[misc]
                # No foreign key is asked while the tables are emptied.
                database.execute("; ".join(["SET session_replication_role = replica",
                                            *(f"DELETE FROM {table}" for table in tables or ()),
                                            *(f"SELECT setval('{sequence}', 1, false)" for sequence in sequences or ())]))
                return True
        except psycopg.OperationalError:  # a test removed it, or renamed it
            return False

    def _shape_of(self, database: psycopg.Connection) -> str:
        return str(database.execute(_SHAPE).fetchone()[0])  # type: ignore[index]

    def _connect(self, name: str) -> psycopg.Connection:
        return psycopg.connect(self._prefix.replace("+psycopg", "") + name, autocommit=True)
