"""Sessions end: by age, by idleness, by signing out, and when the account changes."""

from __future__ import annotations

from datetime import timedelta

import pytest
from flask import Flask

from portal import current_settings
from portal.core.db import db
from portal.identity import accounts
from portal.identity.guard import current_account, signed_in
from portal.identity.models import DeskSession
from portal.web.asked import local_path
from tests.identity.conftest import DISTRICT, PASSWORD, STREET, Person, audited, reread

DUTY = ("drafter", DISTRICT, "red")
NEW = "otter naps beneath willow"


@pytest.fixture
def person(context, make_account, browse, clock):
    make_account("duty.room", DUTY, ("viewer", STREET, "red"))
    person = browse()
    person.sign_in("duty.room")
    assert person.is_in
    return person


def account_id():
    db.session.rollback()
    return db.session.query(DeskSession).first().account_id


def test_a_session_ends_by_age_however_busy_it_is(person, clock):
    hours = current_settings().session_hours
    for _n in range(int(hours * 2) - 1):
        clock.shift(timedelta(minutes=30))
        assert person.is_in
    clock.shift(timedelta(minutes=30))
    assert not person.is_in


def test_a_session_ends_when_nothing_is_done(person, clock):
    idle = timedelta(minutes=current_settings().session_idle_minutes)
    clock.shift(idle - timedelta(seconds=1))
    assert person.is_in, "used just in time, it goes on"
    clock.shift(idle - timedelta(seconds=1))
    assert person.is_in
    clock.shift(idle)
    assert not person.is_in


def test_what_a_page_polls_keeps_no_session_alive(make_app, make_account, clock):
    app = make_app()

    @app.get("/desk/poll")
    @signed_in(touch=False)
    def poll():
        return "polled"

    with app.app_context():
        make_account("duty.room", DUTY)
        person = Person(app.test_client())
        person.sign_in("duty.room")
        for _n in range(3):
            clock.shift(timedelta(minutes=19))
            assert person.get("/desk/poll").status_code == 200
        clock.shift(timedelta(minutes=19))
        assert person.get("/desk/poll").status_code == 302


def test_signing_out_ends_copies_of_the_cookie_but_not_the_neighbours_session(context, person, browse):
    neighbour, thief = browse(), browse()
    neighbour.sign_in("duty.room")
    thief.client.set_cookie("anlan", person.client.get_cookie("anlan").value)
    assert thief.is_in
    person.post("/desk/sign-out", "/desk/sign-out")
    assert not thief.is_in
    assert neighbour.is_in


def test_changing_the_password_ends_the_other_sessions(context, person, browse):
    other = browse()
    other.sign_in("duty.room")
    answer = person.post("/desk/password", "/desk/password", old_password=PASSWORD, password=NEW, repeat=NEW)
    assert answer.status_code == 200
    assert person.is_in
    assert not other.is_in
    again = browse()
    assert again.sign_in("duty.room").status_code == 422
    assert again.sign_in("duty.room", NEW).status_code == 302
    assert ("identity.password_change", "duty.room") in audited()


def _remove_duty(account):
    accounts.remove_duty(None, account.id, account.duties[1].id)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(_remove_duty, id="duty removed"),
        pytest.param(
            lambda a: accounts.add_duty(None, a.id, accounts.Grant("approver", STREET, "red")),
            id="duty added",
        ),
        pytest.param(lambda a: accounts.reset_password(None, a.id, NEW), id="password reset"),
    ],
)
def test_a_change_by_an_administrator_ends_all_sessions(context, person, browse, change):
    other = browse()
    other.sign_in("duty.room")
    account = reread(db.session.get(accounts.Account, account_id()))
    change(account)
    assert not person.is_in
    assert not other.is_in
    assert db.session.query(DeskSession).count() == 0


def test_deactivation_ends_all_sessions_and_reactivation_brings_none_back(context, person, make_account):
    make_account("admin", ("administrator", DISTRICT, "red"))
    account = db.session.get(accounts.Account, account_id())
    accounts.deactivate(None, account.id)
    assert not person.is_in
    accounts.reactivate(None, account.id)
    assert not person.is_in
    person.sign_in("duty.room")
    assert person.is_in


def test_a_given_password_must_be_changed_before_anything_else(context, make_account, browse):
    make_account("new.office", ("administrator", DISTRICT, "red"), must_change_password=True)
    person = browse()
    assert (
        person.sign_in("new.office", next="/desk/accounts/").location == "/desk/password?next=/desk/accounts/"
    )
    assert person.get("/desk/accounts/").location == "/desk/password"
    person.post("/desk/password", "/desk/password", old_password=PASSWORD, password=NEW, repeat=NEW)
    assert person.get("/desk/accounts/").status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "repeat", "where"),
    [
        ("not it at all", NEW, NEW, "old_password"),
        (PASSWORD, PASSWORD, PASSWORD, "password"),
        (PASSWORD, "short", "short", "password"),
        (PASSWORD, NEW, NEW + "x", "repeat"),
        (PASSWORD, "duty.room 2026", "duty.room 2026", "password"),
        (PASSWORD, "", "", "password"),
        (PASSWORD, "x y " * 40, "x y " * 40, "password"),
    ],
)
def test_a_bad_change_of_password_changes_nothing(context, person, old, new, repeat, where):
    answer = person.post("/desk/password", "/desk/password", old_password=old, password=new, repeat=repeat)
    assert answer.status_code == 422
    assert f'id="{where}-error1"' in answer.text
    assert new not in answer.text or not new, "what was typed does not come back"
    other = Person(context.test_client())
    assert other.sign_in("duty.room").status_code == 302


def test_guessing_the_password_from_inside_locks_the_account(context, person, browse):
    for _n in range(current_settings().lockout_attempts):
        person.post("/desk/password", "/desk/password", old_password="a guess", password=NEW, repeat=NEW)
    assert (
        person.post(
            "/desk/password", "/desk/password", old_password=PASSWORD, password=NEW, repeat=NEW
        ).status_code
        == 422
    )
    assert browse().sign_in("duty.room").status_code == 422


def test_signing_in_drops_what_the_browsers_session_held_but_for_the_language(context, make_account, browse):
    make_account("duty.room", DUTY)
    person = browse()
    token = person.token()
    with person.client.session_transaction() as session:
        session.update(planted="by a stranger", language="en")
    person.send("/desk/sign-in", data={"csrf_token": token, "username": "duty.room", "password": PASSWORD})
    with person.client.session_transaction() as session:
        assert "planted" not in session
        assert session["language"] == "en"
    stale = person.send("/desk/sign-out", data={"csrf_token": token})
    assert stale.status_code == 400, "the token from before signing in is worth nothing"
    assert person.is_in


@pytest.mark.parametrize(("url", "secure"), [("http://localhost", False), ("https://warn.example", True)])
def test_the_cookie_is_kept_from_scripts_and_other_sites(make_app, make_account, url, secure):
    app = make_app(public_url=url)
    with app.app_context():
        make_account("duty.room", DUTY)
        person = Person(app.test_client())
        token = person.token() if not secure else None
        if secure:
            import re

            page = person.get("/desk/sign-in", base_url=url)
            token = re.search(r'name="csrf_token" value="([^"]+)"', page.text)[1]
        answer = person.send(
            "/desk/sign-in",
            base_url=url,
            headers={"Referer": url + "/"},
            data={"csrf_token": token, "username": "duty.room", "password": PASSWORD},
        )
        cookie = answer.headers["Set-Cookie"]
        assert answer.status_code == 302
        assert "HttpOnly" in cookie
        assert "SameSite=Lax" in cookie
        assert ("Secure" in cookie) is secure


def test_who_is_not_signed_in_is_sent_to_sign_in_or_refused(context, make_account, browse):
    make_account("duty.room", DUTY)
    stranger = browse()
    assert (
        stranger.get("/desk/accounts/?state=locked").location
        == "/desk/sign-in?next=/desk/accounts/?state%3Dlocked"
    )
    piece = stranger.get("/desk/accounts/", headers={"HX-Request": "true"})
    assert (piece.status_code, piece.headers["HX-Redirect"]) == (401, "/desk/sign-in")
    refused = stranger.send("/desk/sign-out", data={"csrf_token": stranger.token()})
    assert refused.status_code == 401
    insider = browse()
    insider.sign_in("duty.room")
    assert insider.get("/desk/accounts/").status_code == 403


def test_there_is_nobody_where_there_is_no_request(context):
    assert current_account() is None


def test_pages_for_everybody_stay_the_same_for_everybody(make_app, make_account):
    app: Flask = make_app()
    app.add_url_rule("/plain", "plain", lambda: "for everybody")
    with app.app_context():
        make_account("duty.room", DUTY)
        person = Person(app.test_client())
        person.sign_in("duty.room")
        answer = person.get("/plain")
        assert "Cookie" not in answer.headers.get("Vary", "")
        assert "Set-Cookie" not in answer.headers


@pytest.mark.parametrize(
    ("target", "found"),
    [
        ("/desk/?a=1&b=//x", "/desk/?a=1&b=//x"),
        ("/预警", "/预警"),
        ("", "/else"),
        (None, "/else"),
        ("//x", "/else"),
        ("/\\x", "/else"),
        ("/a\nb", "/else"),
        ("/\t/evil.example", "/else"),
        ("\\\\evil.example", "/else"),
        (" //evil.example", "/else"),
        ("/" + "a" * 3000, "/else"),
        ("/desk\r\nSet-Cookie: x=1", "/else"),
        ("https:/x", "/else"),
        ("desk", "/else"),
    ],
)
def test_only_paths_of_this_site_are_gone_on_to(target, found):
    assert local_path(target, "/else") == found
