"""The desk's pages of communities, as an officer uses them: by forms, in both languages, also when something is refused."""

from __future__ import annotations

import lxml.html
import pytest

from portal.shelters.communities import editing, store
from tests import district
from tests.district import KENGZI, LIULIAN
from tests.shelters.communities.conftest import LIUHE, bring_in, keeper, viewer
from tests.shelters.one_database import database_url  # noqa: F401  (fixture)

PAGE = f"/desk/communities/{LIULIAN}/"


@pytest.fixture(autouse=True)
def _sample(settled):
    bring_in()


def test_the_list_says_in_words_what_each_community_lacks(seat):
    chair = seat(viewer())
    page = chair.get("/desk/communities/").text
    rows = {row.xpath("string(th)").strip(): " ".join(row.text_content().split())
            for row in lxml.html.fromstring(page).xpath("//table//tbody/tr")}
    assert len(rows) == 25
    assert "3 there, 6 unknown" in rows["Liulian Community"]
    assert "Alarms" in rows["Liulian Community"]
    assert "none" in rows["Pingshan Community"]
    lacking = chair.get("/desk/communities/?show=lacking&street=440310001000").text
    assert "Liuhe Community" not in lacking
    assert "Liulian Community" in lacking


def test_who_has_no_duty_reads_and_is_offered_no_form(seat):
    chair = seat(viewer(), "zh")
    page = chair.get(PAGE)
    assert "社区防汛责任人" in page.text
    assert 'action="/desk/communities' not in page.text
    assert chair.post(f"{PAGE}posts", PAGE, seen="").status_code == 403


def test_a_duty_over_another_street_changes_nothing_here(seat):
    chair = seat(keeper(KENGZI))
    assert 'action="/desk/communities' not in chair.get(PAGE).text
    assert chair.post(f"{PAGE}ten", PAGE, seen=store.stamp(LIULIAN, ["ten"])).status_code == 403


def test_posts_are_saved_in_the_order_of_their_numbers(seat):
    chair = seat(keeper())
    form = chair.form(chair.get(PAGE), "posts")
    form["posts.0.order"], form["posts.1.order"] = "2", "1"
    assert chair.send(f"{PAGE}posts", form).status_code == 302
    assert [p.post_zh for p in store.posts(LIULIAN)] == ["社区值班室", "社区防汛责任人"]
    assert "Saved." in chair.get(PAGE).text


def test_what_is_wrong_stands_at_its_field_and_what_was_typed_stays(seat):
    chair = seat(keeper())
    form = chair.form(chair.get(PAGE), "posts")
    form["posts.0.phone"], form["posts.1.post_en"] = "13812345678", "Night <room>"
    answer = chair.send(f"{PAGE}posts", form)
    assert answer.status_code == 422
    root = lxml.html.fromstring(answer.text)
    field = root.get_element_by_id("posts.0.phone")
    assert field.get("aria-invalid") == "true"
    assert "mobile number" in root.get_element_by_id(field.get("aria-describedby")).text
    assert root.get_element_by_id("posts.1.post_en").get("value") == "Night <room>"
    assert store.posts(LIULIAN)[0].phone == "129 0000 0101"


def test_after_a_conflict_the_typed_words_are_there_and_saving_again_is_a_decision(seat):
    account = keeper()
    chair = seat(account)
    form = chair.form(chair.get(PAGE), "ten")
    form["ten.board.answer"] = "there"
    editing.save_ten(account, LIULIAN, {"duty": {"answer": "there"}}, store.stamp(LIULIAN, ["ten"]))
    answer = chair.send(f"{PAGE}ten", form)
    assert answer.status_code == 409
    assert {h.item: h.there for h in store.ten(LIULIAN)}["board"] is None
    again = chair.form(answer, "ten")
    assert again["ten.board.answer"] == "there"
    assert chair.send(f"{PAGE}ten", again).status_code == 302
    district.forget()
    assert {h.item: h.there for h in store.ten(LIULIAN)}["board"] is True


def test_a_new_risk_point_comes_from_the_empty_form_below(seat):
    chair = seat(keeper(), "zh")
    form = chair.form(chair.get(f"/desk/communities/{LIUHE}/"), "risks")
    form["risks.0.name_zh"], form["risks.0.name_en"], form["risks.0.kind"] = "旧楼", "Old house", "building"
    assert chair.send(f"/desk/communities/{LIUHE}/risks", form).status_code == 302
    [risk] = store.risk_points(LIUHE)
    assert (risk.kind, risk.name_zh) == ("building", "旧楼")


@pytest.mark.parametrize("code", ["440310001000", "999999999999", "x"])
def test_what_is_no_community_is_not_found(seat, code):
    assert seat(viewer()).get(f"/desk/communities/{code}/").status_code == 404
