"""What the compose page promises: only what a duty reaches, everything wrong at its field, and nothing typed is lost."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import lxml.html
import pytest
from flask import Flask
from sqlalchemy import func, select

from portal.core.clock import local, utcnow
from portal.core.db import db
from portal.dispatch import issue
from portal.identity.rights import APPROVER, DRAFTER, VIEWER
from portal.warnings.models import CANCEL, EDITING, SUBMITTED, UPDATE, Bulletin, Draft
from tests import district
from tests.desk.conftest import Seat
from tests.district import DISTRICT, KENGZI, PINGSHAN

RAINSTORM, HAIL = "11B03", "11B15"
BOW_TIE = "114.34,22.68\n114.36,22.70\n114.36,22.68\n114.34,22.70"
SWAPPED = "22.68,114.34\n22.70,114.34\n22.70,114.36"
Sit = Callable[..., Seat]
#: Fields that are chosen and not typed: what is none of the choices cannot be shown as chosen.
CHOICES = ("hazard", "hazard__other", "tier", "expires__mode")


def drafts_there() -> list[Draft]:
    district.forget()
    return list(db.session.scalars(select(Draft).order_by(Draft.created_at)))


def wrong_at(page: str) -> set[str]:
    """The fields that the summary on top leads to, each of which is on the page."""
    root = lxml.html.fromstring(page)
    named = {link.get("href")[1:] for link in root.xpath("//*[@id='problems']//a[starts-with(@href, '#')]")}
    missing = [name for name in named if not root.xpath(f"//*[@id='{name}']")]
    assert not missing, f"the summary leads nowhere: {missing}"
    return named


def red_rain(**more: Any) -> dict[str, Any]:
    return {"hazard": RAINSTORM, "tier": "red", "target__regions": [PINGSHAN, KENGZI]} | more


def test_a_warning_goes_from_the_empty_page_to_its_issue_without_any_script(settled: Flask, seat: Sit) -> None:
    district.subscriber("+8613900000001", district.LIULIAN)
    district.speakers(district.LIULIAN)
    writer, second = seat(district.drafter()), seat(district.approver(), "zh")
    page = writer.fill("/desk/compose/", "refresh", hazard=RAINSTORM)
    assert 'name="tier" value="red"' in page.text
    assert 'name="tier" value="blue"' not in page.text
    page = writer.fill("/desk/compose/", "words", page=page, tier="red", target__regions=[PINGSHAN, KENGZI])
    words = writer.form(page)
    assert "暴雨红色预警" in words["words.zh.sms"]
    assert "Kengzi" in words["words.en.speaker"]
    assert "2 subdistricts" in lxml.html.fromstring(page.text).get_element_by_id("reach").text_content()
    saved = writer.fill("/desk/compose/", "preview", page=page)
    assert saved.status_code == 302
    preview = writer.get(saved.location)
    assert words["words.zh.sms"].strip() in preview.text
    assert "urn:oasis:names:tc:emergency:cap:1.2" in preview.text
    assert "/approve" not in preview.text
    assert writer.send(saved.location + "submit", writer.form(preview, "/submit")).status_code == 302

    listed = second.get("/desk/drafts/")
    assert "等待您审批" in listed.text
    assert saved.location in listed.text
    reading = second.get(saved.location)
    button = lxml.html.fromstring(reading.text).xpath("//form[contains(@action, 'approve')]//button")[0].text_content()
    assert all(part in button for part in ("2 个街道", "265,230 人", "1 名短信订阅者", "1 个大喇叭", "暴雨红色预警")), button
    approval = second.form(reading, "/approve")
    approval["confirm"] = "红色"
    done = second.send(saved.location + "approve", approval)
    district.forget()
    bulletin = db.session.scalars(select(Bulletin)).one()
    assert done.status_code == 302
    assert done.location.endswith(f"/desk/warnings/{bulletin.warning_number}/")
    assert bulletin.region_codes == [PINGSHAN, KENGZI]
    # What was approved is what was read: one line end, the browser's carriage returns gone.
    assert bulletin.snapshot["words"]["zh"]["description"] == words["words.zh.description"].replace("\r\n", "\n").strip()
    assert str(local(bulletin.expires, "Asia/Shanghai").day) + "日" in bulletin.snapshot["words"]["zh"]["sms"]


def test_an_officer_is_offered_only_the_own_street_and_tiers_and_a_forger_is_refused(settled: Flask, seat: Sit) -> None:
    officer = seat(district.office("street", (DRAFTER, PINGSHAN, "orange")))
    page = officer.fill("/desk/compose/", "refresh", hazard=RAINSTORM)
    assert f'value="{PINGSHAN}"' in page.text
    assert KENGZI not in page.text
    assert 'value="orange"' in page.text
    assert 'name="tier" value="red"' not in page.text
    assert KENGZI[:9] not in officer.get("/desk/regions.geojson").text
    elsewhere = officer.fill("/desk/compose/", "preview", hazard=RAINSTORM, tier="orange", target__regions=[KENGZI],
                             words__zh__headline="我写的标题")
    assert elsewhere.status_code == 403
    assert wrong_at(elsewhere.text) == {"target.regions"}
    assert "我写的标题" in elsewhere.text
    higher = officer.fill("/desk/compose/", "preview", hazard=RAINSTORM, tier="red", target__regions=[PINGSHAN])
    assert higher.status_code == 403
    assert wrong_at(higher.text) == {"tier"}
    drawn = officer.fill("/desk/compose/", "preview", hazard=RAINSTORM, tier="orange", target__regions=[PINGSHAN],
                         target__area="114.36,22.74,3000")
    assert drawn.status_code == 403, "a drawn area that reaches into another street"
    assert drafts_there() == []


def test_everything_wrong_is_said_at_its_field_and_nothing_typed_is_lost(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    here = local(utcnow(), "Asia/Shanghai")
    past, soon, later = (f"{here + timedelta(hours=h):%Y-%m-%dT%H:%M}" for h in (-1, 1, 2))
    wrong: list[tuple[dict[str, Any], set[str]]] = [
        ({"hazard": "", "tier": ""}, {"hazard", "tier"}),
        ({"hazard": "other", "hazard__other": HAIL, "tier": "yellow"}, {"tier"}),
        ({"hazard": "other", "hazard__other": "99Z99"}, {"hazard"}),
        ({"expires__mode": "at", "expires": past}, {"expires"}),
        ({"expires__mode": "at", "expires": soon, "onset__mode": "at", "onset": later}, {"expires"}),
        ({"expires__mode": "at", "expires": "tomorrow", "onset__mode": "at", "onset": ""}, {"expires", "onset"}),
        ({"expires__mode": "500"}, {"expires"}),
        ({"target__area": BOW_TIE}, {"target.area"}),
        ({"target__area": SWAPPED}, {"target.area"}),
        ({"target__area": "somewhere", "tier": "white"}, {"target.area", "tier"}),
        ({"target__area": '{"type": "Polygon", "coordinates": ' + "[" * 5000}, {"target.area"}),
        ({"target__regions": ["440310999000"]}, {"target.regions"}),
        ({"target__audiences": ["cats"]}, {"target.audiences"}),
        ({"words__zh__description": "<b>快跑</b>"}, {"words.zh.description"}),
        ({"words__en__sms": "bell\x07", "words__zh__speaker": "下雨☔了"}, {"words.en.sms", "words.zh.speaker"}),
        ({"words__zh__sms": "雨" * 700}, {"words.zh.sms"}),
        ({"words__zh__sms": "【演练】下雨了"}, {"words.zh.sms"}),
    ]
    for fields, expected in wrong:
        kept = {"words__zh__headline": "写了很久的标题", "find": "liulian"}
        answer = writer.fill("/desk/compose/", "preview", **red_rain(**kept) | fields)
        assert (answer.status_code, wrong_at(answer.text)) == (422, expected), fields
        again = writer.form(answer)
        for name, value in (kept | fields).items():
            if isinstance(value, str) and name not in CHOICES and "\x07" not in value:
                assert again.get(name.replace("__", "."), "").replace("\r\n", "\n") == value, name
        if "target__regions" not in fields:
            assert again.getlist("target.regions") == [PINGSHAN, KENGZI]
    assert drafts_there() == []


def test_what_is_too_large_or_forged_is_refused(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    assert writer.fill("/desk/compose/", words__zh__description="雨" * 1_100_000).status_code == 413
    values = writer.form(writer.get("/desk/compose/"))
    del values["csrf_token"]
    assert writer.send("/desk/compose/", values | {"do": "save"}).status_code == 400
    assert drafts_there() == []


def test_the_template_never_pushes_edited_words_aside_unasked(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    page = writer.fill("/desk/compose/", "words", **red_rain())
    first = writer.form(page)
    page = writer.fill("/desk/compose/", "words", page=page, tier="orange", words__zh__sms="我自己写的短信")
    second = writer.form(page)
    assert second["words.zh.sms"] == "我自己写的短信"
    assert "Text message (Chinese)" in page.text
    assert "Orange" in second["words.en.headline"]
    assert second["words.en.headline"] != first["words.en.headline"]
    page = writer.fill("/desk/compose/", "words-all", page=page)
    assert "橙色预警" in writer.form(page)["words.zh.sms"]


def test_saved_words_say_the_end_that_is_saved(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    page = writer.fill("/desk/compose/", "words", **red_rain())
    writer.fill("/desk/compose/", "save", page=page, expires__mode="12")
    [draft] = drafts_there()
    end = local(draft.expires, "Asia/Shanghai")
    assert end.minute % 10 == 0
    assert timedelta(hours=11, minutes=59) < draft.expires - utcnow() <= timedelta(hours=12, minutes=10)
    assert f"{end.day}日{end.hour}时" in draft.words["zh"]["sms"]


def test_a_draft_changed_by_another_is_not_overwritten(settled: Flask, seat: Sit) -> None:
    one, other = seat(district.drafter()), seat(district.drafter("other"))
    path = one.fill("/desk/compose/", "save", **red_rain()).location
    page = one.get(path)
    assert other.fill(path, "save", words__zh__headline="别人的标题").status_code == 302
    answer = one.fill(path, "save", page=page, words__zh__headline="我的标题")
    assert answer.status_code == 409
    assert "我的标题" in answer.text
    assert "in a new tab" in answer.text
    [draft] = drafts_there()
    assert (draft.version, draft.words["zh"]["headline"]) == (2, "别人的标题")


def test_a_drill_is_marked_in_every_text_and_does_not_become_real_with_its_marks(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    path = writer.fill("/desk/compose/", "save", **red_rain(exercise="1")).location
    [draft] = drafts_there()
    assert draft.exercise
    assert "【演练】" in draft.words["zh"]["sms"]
    assert draft.words["en"]["headline"].startswith("EXERCISE")
    page = writer.fill(path, "save", exercise="0", words__zh__headline="【演练】改过的标题")
    assert page.status_code == 422
    assert wrong_at(page.text) >= {"words.zh.headline"}
    assert drafts_there()[0].exercise


def issued(tier: str = "blue") -> Bulletin:
    draft = district.submitted(district.drafter(), hazard="11B01", tier=tier)
    return issue.issue(district.approver(), draft.id, version=draft.version, content_hash=draft.content_hash)


def test_an_all_clear_is_words_alone_and_one_step(settled: Flask, seat: Sit) -> None:
    number = issued().warning_number
    writer = seat(district.drafter("clear"))
    path = f"/desk/warnings/{number}/cancel"
    page = writer.get(path)
    assert 'name="target.regions"' not in page.text
    assert "Exactly those who were sent" in page.text
    form = writer.form(page)
    assert all(form[f"words.{language}.{name}"] for language in ("zh", "en") for name in ("headline", "sms", "speaker"))
    answer = writer.fill(path, "submit", hazard=HAIL, tier="red", target__regions=["440310999000"])
    assert answer.status_code == 302
    draft = drafts_there()[-1]
    assert (draft.kind, draft.status, draft.hazard, draft.tier) == (CANCEL, SUBMITTED, "11B01", "blue")
    assert writer.get("/desk/warnings/20200101-01/cancel").status_code == 404


def test_an_update_starts_from_what_is_in_force_and_keeps_the_hazard(settled: Flask, seat: Sit) -> None:
    number = issued().warning_number
    writer = seat(district.drafter("again"))
    page = writer.get(f"/desk/warnings/{number}/update")
    form = writer.form(page)
    assert form.getlist("target.regions") == [PINGSHAN, KENGZI]
    assert form["tier"] == "blue"
    raised = writer.fill(f"/desk/warnings/{number}/update", "preview", page=page, tier="orange", hazard=HAIL)
    assert raised.status_code == 302
    draft = drafts_there()[-1]
    assert (draft.kind, draft.hazard, draft.tier, draft.status) == (UPDATE, "11B01", "orange", EDITING)
    assert "升级" in draft.words["zh"]["headline"] + draft.words["zh"]["description"]


def test_a_viewer_sees_and_changes_nothing(settled: Flask, seat: Sit) -> None:
    draft = district.submitted(district.drafter())
    viewer = seat(district.office("viewer", (VIEWER, DISTRICT, "red")))
    assert viewer.get("/desk/drafts/").status_code == 200
    page = viewer.get(f"/desk/drafts/{draft.id}/")
    assert page.status_code == 200
    assert "/approve" not in page.text
    assert "/withdraw" not in page.text
    assert viewer.get("/desk/compose/").status_code == 403
    for verb in ("submit", "withdraw", "return", "reject", "discard", "approve"):
        assert viewer.post(f"/desk/drafts/{draft.id}/{verb}", version=1, reason="x").status_code == 403
    assert drafts_there()[0].status == SUBMITTED


def test_the_page_looks_things_up_for_its_script(settled: Flask, seat: Sit) -> None:
    writer = seat(district.drafter())
    answer = writer.fill("/desk/compose/", "look", because="facts", **red_rain(words__zh__sms="自己写的")).json
    assert 'value="red"' in answer["tiers"]
    assert "265,230" in answer["reach"]
    assert answer["words"]["zh.sms"] == "自己写的"
    assert answer["words"]["en.sms"]
    assert answer["counts"]["zh.sms"]["text"].count("segment") == 1
    assert not answer["counts"]["zh.sms"]["over"]
    typing = writer.fill("/desk/compose/", "look", because="words", **red_rain(words__zh__sms="雨" * 700)).json
    assert typing["words"] == {}
    assert typing["counts"]["zh.sms"]["over"]
    assert db.session.scalar(select(func.count()).select_from(Draft)) == 0


@pytest.mark.parametrize("path", ["/desk/compose/", "/desk/drafts/", "/desk/regions.geojson"])
def test_strangers_sign_in_first(app: Flask, path: str) -> None:
    assert "/desk/sign-in" in app.test_client().get(path).location


def test_an_approver_who_does_not_draft_is_not_let_in_to_compose(settled: Flask, seat: Sit) -> None:
    assert seat(district.office("boss", (APPROVER, DISTRICT, "red"))).get("/desk/compose/").status_code == 403
