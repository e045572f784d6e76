"""Signing in: who gets in, who is kept out, and what a stranger learns from it."""

from __future__ import annotations

import re
import threading
from datetime import timedelta

import pytest

from portal import current_settings
from portal.core import audit
from portal.core.db import db
from portal.core.errors import Invalid
from portal.identity import accounts, library, passwords, sign_in
from portal.identity.models import DeskSession
from tests.identity.conftest import DISTRICT, PASSWORD, Person, audited, reread

DUTY = ("drafter", DISTRICT, "red")


def _attempts(account, number, password="not the right words"):
    for _n in range(number):
        with pytest.raises(Invalid):
            sign_in.sign_in(account.username, password, "192.0.2.1")


def test_a_person_signs_in_and_out_again(context, make_account, browse):
    account = make_account("duty.room", DUTY)
    person = browse()
    answer = person.sign_in(" Duty.Room ", next="/desk/accounts/?page=2")
    assert answer.status_code == 302
    assert answer.location == "/desk/accounts/?page=2"
    assert person.is_in
    assert reread(account).last_sign_in_at is not None
    assert person.post("/desk/sign-out", "/desk/sign-out").location == "/desk/sign-in"
    assert not person.is_in
    assert audited() == [("identity.sign_in", "duty.room"), ("identity.sign_out", "duty.room")]


def test_the_password_is_stored_as_an_argon2_hash(real_hashing, context, make_account):
    stored = reread(accounts.create(None, "duty.room", "值班室", PASSWORD, [accounts.Grant(*DUTY)])).password
    assert re.match(r"\$argon2id\$v=19\$m=65536,t=3,p=4\$", stored)
    assert PASSWORD not in stored


def test_a_hash_made_with_weaker_parameters_is_made_anew_at_signing_in(real_hashing, make_app, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(library, "HASHING", {"argon2__memory_cost": 256, "argon2__time_cost": 1})
        with make_app().app_context():
            account = accounts.create(None, "duty.room", "值班室", PASSWORD, [accounts.Grant(*DUTY)])
    with make_app().app_context():
        assert "m=256" in reread(account).password
        sign_in.sign_in("duty.room", PASSWORD, "192.0.2.1")
        assert "m=65536" in reread(account).password
        sign_in.sign_in("duty.room", PASSWORD, "192.0.2.1")


def test_strangers_learn_nothing_from_the_answer(context, make_account, browse, clock):
    make_account("right", DUTY)
    make_account("gone", DUTY, active=False)
    make_account("sample", DUTY, demonstration=True)
    make_account("empty", DUTY, password=None)
    locked = make_account("locked", DUTY)
    _attempts(locked, current_settings().lockout_attempts)
    answers = set()
    for name, word in [
        ("nobody", PASSWORD),
        ("right", "wrong word"),
        ("gone", PASSWORD),
        ("sample", PASSWORD),
        ("empty", PASSWORD),
        ("locked", PASSWORD),
        ("locked", "wrong word"),
    ]:
        person = browse()
        answer = person.sign_in(name, word)
        text = re.sub(
            r'name="csrf_token" value="[^"]+"|value="(nobody|right|gone|sample|empty|locked)"',
            "",
            answer.text,
        )
        answers.add((answer.status_code, text))
        assert not person.is_in
    assert len(answers) == 1


@pytest.mark.parametrize("name", ["nobody", "gone", "locked", "right"])
def test_every_refusal_costs_one_look_at_a_hash(context, make_account, monkeypatch, clock, name):
    make_account("right", DUTY)
    make_account("gone", DUTY, active=False)
    _attempts(make_account("locked", DUTY), current_settings().lockout_attempts)
    looks = []
    real = passwords.verify_password
    monkeypatch.setattr(passwords, "verify_password", lambda *args: looks.append(1) or real(*args))
    with pytest.raises(Invalid):
        sign_in.sign_in(name, "wrong word", "192.0.2.1")
    assert len(looks) == 1


def test_an_account_locks_and_opens_by_itself(context, make_account, clock):
    account = make_account("duty.room", DUTY)
    limit, minutes = current_settings().lockout_attempts, current_settings().lockout_minutes
    _attempts(account, limit - 1)
    sign_in.sign_in("duty.room", PASSWORD, "192.0.2.1")
    assert reread(account).failed_attempts == 0, "a success sets the count back"
    _attempts(account, limit)
    assert sign_in.locked(reread(account))
    with pytest.raises(Invalid):
        sign_in.sign_in("duty.room", PASSWORD, "192.0.2.1")
    clock.shift(timedelta(minutes=minutes, seconds=-1))
    with pytest.raises(Invalid):
        sign_in.sign_in("duty.room", PASSWORD, "192.0.2.1")
    clock.shift(timedelta(seconds=1))
    _attempts(account, 1)
    assert not sign_in.locked(reread(account)), "after a lock the count begins anew"
    sign_in.sign_in("duty.room", PASSWORD, "192.0.2.1")
    assert [a for a, _who in audited()].count("identity.lock") == 1
    assert [a for a, _who in audited()].count("identity.sign_in_failed") == limit - 1 + limit + 2 + 1


def test_guesses_at_the_same_moment_get_no_more_tries(context, make_account, monkeypatch):
    account = make_account("duty.room", DUTY)
    limit, looks, lock = current_settings().lockout_attempts, [], threading.Lock()

    def look(_password, stored):
        if stored is not None:
            with lock:
                looks.append(stored)
        return False

    monkeypatch.setattr(passwords, "matches", look)
    start = threading.Barrier(12)

    def guess():
        with context.app_context():
            start.wait(timeout=20)
            with pytest.raises(Invalid):
                sign_in.sign_in("duty.room", "a guess", "192.0.2.1")

    threads = [threading.Thread(target=guess) for _n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=60)
    assert len(looks) == limit
    assert sign_in.locked(reread(account))
    actions = [a for a, _who in audited()]
    assert (actions.count("identity.lock"), actions.count("identity.sign_in_failed")) == (1, 12)
    assert list(audit.verify(db.session)) == []


def test_neither_passwords_nor_mistyped_names_reach_the_audit_trail(context, make_account):
    make_account("duty.room", DUTY)
    with pytest.raises(Invalid):
        sign_in.sign_in(PASSWORD, PASSWORD, "192.0.2.1")
    with pytest.raises(Invalid):
        sign_in.sign_in("duty.room", "almost " + PASSWORD, "192.0.2.1")
    written = "".join(f"{e.actor}{e.subject}{e.details}" for e in db.session.query(audit.AuditEntry))
    assert "unknown" in written
    assert "heron" not in written


def test_one_address_cannot_try_without_end(context, browse):
    person = browse()
    token = person.token()
    statuses = [
        person.send("/desk/sign-in", data={"csrf_token": token, "username": "", "password": ""}).status_code
        for _n in range(21)
    ]
    assert statuses == [422] * 20 + [429]


def test_signing_in_needs_the_forms_token(context, make_account, browse):
    make_account("duty.room", DUTY)
    person = browse()
    answer = person.send("/desk/sign-in", data={"username": "duty.room", "password": PASSWORD})
    assert answer.status_code == 400
    assert db.session.query(DeskSession).count() == 0


def test_signing_in_leads_nowhere_else(context, make_account, browse):
    make_account("duty.room", DUTY)
    for target in ("https://evil.example/", "//evil.example/", "/\\evil.example", "javascript:alert(1)"):
        assert browse().sign_in("duty.room", next=target).location == "/desk/"


def test_demonstration_accounts_are_dead_outside_the_demonstration(make_app, make_account):
    from portal.identity import demo

    app = make_app(demo=True)
    with app.app_context():
        seeded = demo.seed()
        assert [name for name, _word, _what in seeded] == [
            "drafter", "approver", "street", "admin", "viewer", "shelters", "community", "trainer", "assessor", "examiner",
            "subscribers"]
        assert demo.seed() == seeded, "sowing twice changes nothing"
        sign_in.sign_in("drafter", demo.PASSWORD, "192.0.2.1")
        assert demo.PASSWORD in Person(app.test_client()).get("/desk/sign-in").text
    app = make_app(demo=False)
    with app.app_context():
        for name, word, _what in seeded:
            with pytest.raises(Invalid):
                sign_in.sign_in(name, word, "192.0.2.1")
        assert demo.seed() == []
        assert demo.PASSWORD not in Person(app.test_client()).get("/desk/sign-in").text


def test_the_demonstrations_password_is_refused_elsewhere(context):
    from portal.identity import demo

    assert passwords.weaknesses(demo.PASSWORD)
