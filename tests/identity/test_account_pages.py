"""The administrator's pages do what the rules do, and offer no more than they allow."""

from __future__ import annotations

import re

import pytest

from portal.core.db import db
from portal.identity.models import Account
from tests.identity.conftest import COMMUNITY, DISTRICT, OTHER_STREET, STREET, audited, reread
from tests.identity.test_accounts import WORDS, regions  # noqa: F401  (a fixture)


@pytest.fixture
def admin(regions, make_account, browse):  # noqa: F811
    make_account("street.admin", ("administrator", STREET, "orange"))
    person = browse()
    person.sign_in("street.admin")
    return person


def _choices(text, field):
    select = re.search(rf'<select id="{field}".*?</select>', text, re.S)
    return set(re.findall(r'<option value="([^"]+)"', select[0]))


def test_an_account_is_made_and_its_password_shown_once(context, admin, browse):
    page = admin.post(
        "/desk/accounts/new",
        "/desk/accounts/new",
        username="duty.room",
        display_name="坪山街道值班室",
        password="",
        role="drafter",
        region_code=STREET,
        highest_tier="orange",
    )
    assert page.status_code == 200
    password = re.search(r'<output class="secret">([^<]+)</output>', page.text)[1]
    made = db.session.query(Account).filter_by(username="duty.room").one()
    assert password not in admin.get(f"/desk/accounts/{made.id}").text
    assert "拟稿 · 坪山街道及以下 · 最高橙色" in admin.get("/desk/accounts/").text
    officer = browse()
    assert officer.sign_in("duty.room", password).location.startswith("/desk/password")


def test_the_form_offers_only_what_may_be_granted(context, admin):
    text = admin.get("/desk/accounts/new").text
    assert _choices(text, "region_code") == {STREET, COMMUNITY}
    assert _choices(text, "highest_tier") == {"white", "blue", "yellow", "orange"}
    answer = admin.post(
        "/desk/accounts/new",
        "/desk/accounts/new",
        username="duty.room",
        display_name="值班室",
        password=WORDS,
        role="drafter",
        region_code=OTHER_STREET,
        highest_tier="red",
    )
    assert answer.status_code == 422
    assert 'id="region_code-error1"' in answer.text
    assert 'id="highest_tier-error1"' in answer.text
    assert db.session.query(Account).count() == 1


def test_duties_locks_and_states_are_changed_by_buttons(context, admin, make_account):
    officer = make_account("officer", ("viewer", COMMUNITY, "blue"))
    page = f"/desk/accounts/{officer.id}"
    added = admin.post(f"{page}/duties", page, role="drafter", region_code=STREET, highest_tier="yellow")
    assert added.location == page
    duty_id = next(d.id for d in reread(officer).duties if d.role == "viewer")
    assert admin.post(f"{page}/duties/{duty_id}/remove", page).status_code == 302
    assert [d.role for d in reread(officer).duties] == ["drafter"]
    again = admin.post(f"{page}/duties/{duty_id}/remove", page)
    assert again.status_code == 409
    assert "该职责已被移除" in again.text
    for act in ("deactivate", "reactivate", "unlock"):
        assert admin.post(f"{page}/{act}", page).location == page
    reset = admin.post(f"{page}/password", page, password="short")
    assert reset.status_code == 422
    assert admin.post(f"{page}/password", page, password=WORDS).status_code == 200
    assert reread(officer).must_change_password
    assert [a for a, who in audited() if who == "street.admin"] == [
        "identity.sign_in",
        "identity.duty_add",
        "identity.duty_remove",
        "identity.deactivate",
        "identity.reactivate",
        "identity.unlock",
        "identity.password_reset",
    ]


def test_accounts_beyond_the_own_region_stay_closed(context, admin, make_account):
    stranger = make_account("stranger", ("viewer", DISTRICT, "blue"))
    page = f"/desk/accounts/{stranger.id}"
    assert admin.get(page).status_code == 403
    assert admin.post(f"{page}/deactivate", "/desk/accounts/new").status_code == 403
    assert admin.get("/desk/accounts/00000000-0000-0000-0000-000000000000").status_code == 404
    assert reread(stranger).active
    assert "stranger" not in admin.get("/desk/accounts/").text


def test_every_button_needs_the_forms_token(context, admin, make_account):
    officer = make_account("officer", ("viewer", COMMUNITY, "blue"))
    for path in ("deactivate", "unlock", "password", "duties"):
        assert admin.send(f"/desk/accounts/{officer.id}/{path}", data={}).status_code == 400
    assert reread(officer).active
    assert admin.get(f"/desk/accounts/{officer.id}/deactivate").status_code == 405


def test_the_own_account_has_no_dangerous_buttons(context, admin):
    own = db.session.query(Account).one()
    text = admin.get(f"/desk/accounts/{own.id}").text
    assert "/deactivate" not in text
    assert "/desk/password" in text
    assert admin.post(f"/desk/accounts/{own.id}/deactivate", "/desk/accounts/new").status_code == 403


@pytest.mark.parametrize(
    ("language", "words"),
    [
        (
            "zh",
            [
                "账号管理",
                "坪山街道值班室",
                "审批 · 坪山街道及以下 · 最高橙色",
                "查看 · 六联社区 · 最高红色",
                "已停用",
            ],
        ),
        (
            "en",
            [
                "Accounts",
                "坪山街道值班室",
                "Approval · Pingshan Subdistrict and below · up to Orange",
                "Viewing · Liulian Community · up to Red",
                "Deactivated",
            ],
        ),
    ],
)
def test_the_pages_speak_both_languages(context, regions, make_account, browse, language, words):  # noqa: F811
    make_account("chief", ("administrator", DISTRICT, "red"))
    make_account(
        "officer",
        ("approver", STREET, "orange"),
        ("viewer", COMMUNITY, "red"),
        active=False,
        display_name="坪山街道值班室",
    )
    person = browse()
    person.sign_in("chief")
    person.post("/language", "/desk/sign-out", language=language, next="/")
    text = person.get("/desk/accounts/").text
    assert f'lang="{"zh-CN" if language == "zh" else "en"}"' in text
    for word in words:
        assert word in text
    for path in (
        "/desk/accounts/new",
        f"/desk/accounts/{db.session.query(Account).first().id}",
        "/desk/password",
        "/desk/sign-out",
    ):
        page = person.get(path)
        assert page.status_code == 200
        main = re.sub(r"<[^>]+>", "", page.text[page.text.index("<main") :])
        assert bool(re.search("[\u4e00-\u9fff]", main.replace("坪山街道值班室", ""))) == (language == "zh")
