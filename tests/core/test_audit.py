"""The audit trail finds what was changed, removed or inserted."""

import pytest
from sqlalchemy import text

from portal.core import audit
from portal.core.db import db, transaction


@pytest.fixture
def trail(context):
    for n in range(5):
        with transaction() as session:
            audit.append(session, audit.Actor("7", "ops"), "draft.change", f"draft:{n}", {"tier": "red", "名": "暴雨", "n": 1.5})
    return context


def _break(statement):
    with transaction() as session:
        session.execute(text(statement))
    return list(audit.verify(db.session))


def test_an_untouched_trail_is_whole(trail):
    assert list(audit.verify(db.session)) == []


@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE audit_entry SET actor = 'someone' WHERE seq = 3",
        'UPDATE audit_entry SET details = \'{"tier": "blue"}\' WHERE seq = 2',
        "DELETE FROM audit_entry WHERE seq = 3",
        "DELETE FROM audit_entry WHERE seq = 5",
        "INSERT INTO audit_entry SELECT 6, at, actor_id, actor, action, subject, details, link FROM audit_entry WHERE seq = 5",
        "DELETE FROM audit_entry",
    ],
)
def test_tampering_is_found(trail, statement):
    assert _break(statement)


def test_an_entry_falls_with_its_transaction(context):
    def act():
        with transaction() as session:
            audit.append(session, audit.SYSTEM, "x", "y")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        act()
    assert list(audit.verify(db.session)) == []
    assert db.session.get(audit.AuditHead, 1) is None
