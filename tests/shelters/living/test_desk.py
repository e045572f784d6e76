"""The desk's pages of opening, closing and keepers, with real forms."""

from __future__ import annotations

import lxml.html
import pytest

from portal.channels.sms import phones
from portal.core.db import db, transaction
from portal.identity.rights import SHELTERS, VIEWER
from portal.shelters.living import keepers, opening
from portal.shelters.models import Keeper, Shelter
from portal.warnings.models import Warning
from tests import district
from tests.shelters.living.conftest import PHONE
from tests.shelters.living.one_database import database_url  # noqa: F401
from tests.shelters.places import make_shelter


@pytest.fixture
def desk(seat, office):
    return seat(office)


def page_of(bulletin):
    return f"/desk/shelters/open?bulletin={bulletin.id}"


def ticked(text):
    return [int(box.value) for box in lxml.html.fromstring(text).xpath("//input[@name='shelter'][@checked]")]


def press(desk, bulletin, action, **fields):
    """Send a form of the page as it is, with some fields changed."""
    values = desk.form(desk.get(page_of(bulletin)), action)
    for name, value in fields.items():
        values.setlist(name, value if isinstance(value, list) else [value])
    return desk.send(f"/desk/shelters/open{action}" if action.startswith("/") else "/desk/shelters/open", values)


def shown(shelter):
    db.session.rollback()
    return db.session.get(Shelter, shelter.id, populate_existing=True)


def test_the_warnings_page_offers_and_one_step_opens_and_tells(desk, office, shelter, keeper, bulletin):
    with transaction() as session:
        unknown = make_shelter(session, name_en="Nobody knows", suitability={})
    call = bulletin()
    assert "calls for shelters to be opened" in desk.get(f"/desk/warnings/{call.warning_number}/").text
    page = desk.get(page_of(call)).text
    assert ticked(page) == [shelter.id]
    assert f'value="{unknown.id}"' in page
    assert "Unknown is not suitable" in page
    form = desk.form(page, "open-form")
    for _ in range(2):
        assert desk.send("/desk/shelters/open", form).status_code == 302
    assert shown(shelter).status == "opening"
    assert shown(unknown).status is None
    after = desk.get(page_of(call)).text
    assert "1 shelter opened" in after
    assert "1 phone of the staff was told" in after
    assert len(phones.page(phones.Filter(digits=PHONE))[0]) == 1
    assert "1 shelter is open or being opened" in desk.get(f"/desk/warnings/{call.warning_number}/").text


def test_a_second_operator_sees_what_the_first_decided_and_keeps_the_own_choice(desk, seat, shelter, bulletin):
    with transaction() as session:
        second = make_shelter(session)
    call, other = bulletin(), seat(district.office("night", (SHELTERS, district.DISTRICT, "red")))
    mine, theirs = desk.form(desk.get(page_of(call)), "open-form"), other.form(other.get(page_of(call)), "open-form")
    mine.setlist("shelter", [str(shelter.id)])
    assert desk.send("/desk/shelters/open", mine).status_code == 302
    theirs.setlist("shelter", [str(second.id)])
    refused = other.send("/desk/shelters/open", theirs)
    assert refused.status_code == 409
    assert "Somebody else decided" in refused.text
    assert ticked(refused.text) == [second.id]
    assert shown(second).status is None


def test_where_nothing_is_left_to_open_the_page_says_so_and_offers_no_button(desk, office, shelter, bulletin):
    with transaction() as session:
        session.get(Shelter, shelter.id).status = "open"
    page = desk.get(page_of(bulletin(exercise=True))).text
    assert "In real use, so not part of a drill:" in page
    assert "No suitable shelter is left to open." in page
    assert "open-button" not in page
    assert "needs the duty" not in page


def test_what_one_step_cannot_hold_is_counted_and_not_called_outside_the_duty(desk, shelter, bulletin, monkeypatch):
    monkeypatch.setattr(opening, "MOST_SHELTERS", 1)
    with transaction() as session:
        make_shelter(session)
    page = desk.get(page_of(bulletin())).text
    assert len(ticked(page)) == 1
    assert "1 more shelter is not listed" in page
    assert "outside your duty" not in page


def test_declining_asks_why(desk, bulletin, shelter):
    call = bulletin()
    assert "Say in a sentence why" in press(desk, call, "/decline").text
    assert press(desk, call, "/decline", reason="It turned away").status_code == 302
    assert "It turned away" in desk.get(page_of(call)).text
    assert "It turned away" in desk.get(f"/desk/warnings/{call.warning_number}/").text
    assert shown(shelter).status is None


def test_when_the_warning_is_over_the_page_offers_to_close(desk, office, shelter, bulletin):
    call = bulletin()
    opening.open_shelters(office, call, [shelter.id])
    with transaction() as session:
        session.get(Warning, call.warning_id).state = "cancelled"
    assert "still open for it" in desk.get(f"/desk/warnings/{call.warning_number}/").text
    assert press(desk, call, "/close").status_code == 302
    assert shown(shelter).status == "closing"
    assert "Nothing is open for it" in desk.get(page_of(call)).text


def test_a_carrier_that_is_down_shows_whom_to_call(desk, settled, keeper, bulletin):
    class Down:
        def send(self, *_args, **_more):
            raise TimeoutError

    settled.extensions["sms_aside"] = Down()
    call = bulletin()
    press(desk, call, "open-form")
    page = desk.get(page_of(call)).text
    assert "Not reached by text message: call them." in page
    assert "Front door" in page
    assert PHONE[-8:] not in page
    del settled.extensions["sms_aside"]
    (made,) = opening.of_warning(call.warning_id)
    assert press(desk, call, f"/{made.id}/tell").status_code == 302
    assert "1 phone of the staff was told" in desk.get(page_of(call)).text


def test_a_street_duty_sees_its_own_and_a_viewer_only_reads(seat, shelter, bulletin):
    with transaction() as session:
        outside = make_shelter(session, region_code="440310005001")
    call = bulletin()
    street = seat(district.office("street", (SHELTERS, district.PINGSHAN, "red")))
    page = street.get(page_of(call)).text
    assert ticked(page) == [shelter.id]
    assert "1 shelter lies outside your duty" in page
    form = street.form(page, "open-form")
    form.setlist("shelter", [str(shelter.id), str(outside.id)])
    assert street.send("/desk/shelters/open", form).status_code == 403
    assert shown(shelter).status is None
    viewer = seat(district.office("viewer", (VIEWER, district.DISTRICT, "red")))
    page = viewer.get(page_of(call)).text
    assert "open-form" not in page
    assert viewer.post("/desk/shelters/open", bulletin=str(call.id), shelter=str(shelter.id)).status_code == 403


def test_who_has_no_duty_over_any_of_its_shelters_tells_nobody(seat, office, shelter, keeper, bulletin):
    call = bulletin()
    made = opening.open_shelters(office, call, [shelter.id])
    stranger = seat(district.office("kengzi", (SHELTERS, "440310005000", "red")))
    page = stranger.get(page_of(call)).text
    got = stranger.send(f"/desk/shelters/open/{made.id}/tell", stranger.form(page, f"/{made.id}/tell"))
    assert got.status_code == 403
    assert shelter.name_en in got.text
    viewer = seat(district.office("viewer", (VIEWER, district.DISTRICT, "red")))
    assert "/tell" not in viewer.get(page_of(call)).text
    assert phones.page(phones.Filter(digits=PHONE))[0] == []


@pytest.mark.parametrize("named", ["", "x", "00000000-0000-0000-0000-000000000000"])
def test_a_bulletin_that_is_not_there_is_not_found(desk, named):
    assert desk.get(f"/desk/shelters/open?bulletin={named}").status_code == 404


def test_keepers_are_added_masked_removed_and_come_back(desk, office, shelter):
    path = f"/desk/shelters/{shelter.id}/keepers"
    fields = {"post": "Front door", "phone": "129 0000 0001", "language": "zh"}
    assert desk.post(path, token_from=path, **fields).status_code == 302
    page = desk.get(path).text
    assert "****0001" in page
    assert PHONE[-8:] not in page
    assert desk.post(path, token_from=path, **fields).status_code == 409
    (kept,) = keepers.listing(shelter.id)
    assert PHONE.encode() not in bytes(kept.phone_sealed)
    assert desk.post(f"{path}/{kept.id}/remove", token_from=path).status_code == 302
    assert "Nobody can report" in desk.get(path).text
    assert desk.post(path, token_from=path, **fields).status_code == 302
    assert [k.id for k in keepers.listing(shelter.id)] == [kept.id]


def test_what_is_wrong_with_a_keeper_is_said_at_its_field_and_what_was_typed_is_kept(desk, shelter):
    path = f"/desk/shelters/{shelter.id}/keepers"
    got = desk.post(path, token_from=path, post="Gate <b>", phone="12", language="zh")
    assert got.status_code == 422
    assert "cannot be a phone number" in got.text
    assert "Gate &lt;b&gt;" in got.text
    assert keepers.listing(shelter.id) == []


def test_keepers_belong_to_whoever_has_the_duty_there(seat, shelter):
    path = f"/desk/shelters/{shelter.id}/keepers"
    elsewhere = seat(district.office("kengzi", (SHELTERS, district.KENGZI, "red")))
    assert elsewhere.get(path).status_code == 403
    assert elsewhere.post(path, post="x", phone=PHONE, language="zh").status_code == 403
    assert db.session.query(Keeper).all() == []


def test_a_shelter_has_a_bounded_number_of_keepers(desk, office, shelter):
    for n in range(keepers.MOST):
        keepers.add(office, shelter.id, phone=f"+86129{n:08d}", post=f"Post {n}", language="zh")
    assert "at most 30 keepers" in desk.get(f"/desk/shelters/{shelter.id}/keepers").text
    with pytest.raises(Exception, match="30"):
        keepers.add(office, shelter.id, phone="+8612999999999", post="One more", language="zh")
