"""The numbers of very many are read from as few pages of the database as can be."""

from __future__ import annotations

import psycopg

from portal.core.db import db
from portal.subscribers import contacts
from tests.dispatch.bulk.test_keeper import database_url  # noqa: F401  (a fixture: PostgreSQL)

MANY = """INSERT INTO subscriber (phone_sealed, phone_index, language, audiences, status, source, created_at, changed_at)
SELECT sha256(n::text::bytea), decode(md5(n::text), 'hex'), 'zh', 1, CASE WHEN n % 10 > 0 THEN 'active' ELSE 'opted_out' END,
  'roster', now(), now() FROM generate_series(1, 100000) AS n"""


def test_what_a_text_needs_of_its_person_is_read_from_an_index_alone(context):
    url = db.engine.url.set(drivername="postgresql").render_as_string(hide_password=False)
    with psycopg.connect(url, autocommit=True) as server:
        server.execute(MANY)
        server.execute("VACUUM ANALYZE subscriber")
        ids = [row[0] for row in server.execute("SELECT id FROM subscriber WHERE id % 97 = 0")]
        server.execute("SET plan_cache_mode = force_generic_plan")  # as of a statement that is asked again and again
        server.execute(f"PREPARE people AS {contacts._POSTGRESQL.replace('%s', '$1')}")
        packed = contacts._packed(ids, postgresql=True)
        plan = "\n".join(row[0] for row in server.execute(f"EXPLAIN (ANALYZE) EXECUTE people('{packed}')"))
    assert "Index Only Scan using pk_subscriber" in plan
