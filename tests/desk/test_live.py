"""What the desk promises of what is live: it is in sight, its counts are those kept, and stopping is asked twice."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from contextvars import Context
from datetime import UTC, datetime, timedelta

import lxml.html
import pytest
from flask import Flask
from flask_babel import force_locale
from sqlalchemy import select, update

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.desk import horn_pages, labels, state, warning_pages
from portal.dispatch import plan, progress, receipts
from portal.dispatch.issue import issue
from portal.dispatch.models import Dispatch
from portal.identity.models import Account
from portal.identity.rights import APPROVER, DRAFTER, VIEWER
from portal.site import standing
from portal.warnings import bulletins
from portal.warnings.models import ALERT, CANCEL, Bulletin
from tests import district
from tests.desk.conftest import Seat
from tests.dispatch.offices import SmsDesk
from tests.district import DISTRICT, KENGZI, LIULIAN, PINGSHAN
from tests.ends import put

Sit = Callable[..., Seat]


class People:
    def __init__(self) -> None:
        self.drafter, self.approver = district.drafter(), district.approver()
        self.viewer = district.office("viewer", (VIEWER, DISTRICT, "red"))
        self.street = district.office("street", (APPROVER, KENGZI, "red"))

    def issue(self, **changes: object) -> Bulletin:
        draft = district.submitted(self.drafter, **changes)
        return issue(self.approver, draft.id, version=draft.version, content_hash=draft.content_hash)


@pytest.fixture
def people(settled: Flask) -> People:
    for n in range(5):
        district.subscriber(f"+861390000000{n}", LIULIAN, language="en" if n == 4 else "zh")
    district.speakers(LIULIAN, LIULIAN)
    return People()


def plan_all() -> None:
    for dispatch_id in plan.waiting_dispatches(db.session):
        for went_on in plan.plan(dispatch_id):
            if not went_on:
                break


def send() -> None:
    """Plan, send the text messages and fold their receipts."""
    plan_all()
    texts = SmsDesk()
    while texts.send_one():
        pass
    texts.close()
    while receipts.fold():
        pass
    district.forget()


def of(bulletin: Bulletin) -> str:
    return f"/desk/warnings/{bulletin.warning_number}/"


def text_of(page: str) -> str:
    """What a reader sees, with single spaces."""
    root = lxml.html.fromstring(page)
    for hidden in root.xpath("//script|//style"):
        hidden.drop_tree()
    return re.sub(r"\s+", " ", root.text_content())


def dispatch_of(bulletin: Bulletin, channel: str = "sms") -> Dispatch:
    return db.session.execute(select(Dispatch).where(Dispatch.bulletin_id == bulletin.id, Dispatch.channel == channel)
                              .execution_options(populate_existing=True)).scalar_one()


def refuse(bulletin: Bulletin, error: str) -> None:
    with transaction() as session:
        session.execute(update(Dispatch).where(Dispatch.bulletin_id == bulletin.id, Dispatch.channel == "sms")
                        .values(last_error=error))


# -- who may look ------------------------------------------------------------------------------------------
def test_nobody_sees_the_desk_without_signing_in(people: People, settled: Flask) -> None:
    bulletin = people.issue()
    stop = f"/desk/dispatches/{dispatch_of(bulletin).id}/stop"
    client = settled.test_client()
    for path in ("/desk/", "/desk/now", "/desk/live", "/desk/warnings/", of(bulletin), of(bulletin) + "progress",
                 of(bulletin) + "horns", of(bulletin) + "reach.csv", "/desk/horns/", "/desk/trail/", stop):
        answer = Context().run(client.get, path)
        assert answer.status_code == 302, path
        assert "/sign-in" in answer.location
    assert Context().run(client.get, "/desk/live", headers={"HX-Request": "true"}).status_code == 401


def test_a_viewer_sees_everything_and_is_offered_nothing_that_acts(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    plan_all()
    viewer = seat(people.viewer)
    page = viewer.get(of(bulletin)).text
    assert "Stop what is unsent" not in page
    assert "Give the all-clear" not in page
    assert viewer.get(of(bulletin) + "horns").status_code == 200
    assert viewer.get(of(bulletin) + "reach.csv").status_code == 200
    assert viewer.get("/desk/trail/").status_code == 403
    assert viewer.post(f"/desk/dispatches/{dispatch_of(bulletin).id}/stop").status_code == 403
    district.forget()
    assert dispatch_of(bulletin).state == "running"


# -- the bar and the board -----------------------------------------------------------------------------------
def test_the_bar_says_tier_time_left_and_what_waits_on_every_page(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    waiting = district.submitted(people.drafter)
    approver = seat(people.approver)
    for path in ("/desk/", "/desk/warnings/", "/desk/drafts/", "/desk/horns/", "/desk/trail/", "/desk/live"):
        bar = lxml.html.fromstring(approver.get(path).text)
        bar = bar if bar.get("id") == "live" else bar.get_element_by_id("live")
        said = re.sub(r"\s+", " ", bar.text_content())
        assert "Red" in said
        assert "6 h left" in said
        assert "1 waits for your approval" in said
        assert "as of" in said
        assert bar.xpath(f".//a[contains(@href, '{bulletin.warning_number}')]")
        assert bar.xpath(f".//a[contains(@href, '{waiting.id}')]")
        lost = bar.xpath(".//*[@id='live-lost']")[0]
        assert "hidden" in lost.attrib
    assert "waits for your approval" not in text_of(seat(people.viewer).get("/desk/").text)
    assert "waits for your approval" not in text_of(seat(people.street).get("/desk/").text)


def test_a_drill_is_called_a_drill_in_the_bar_and_never_wears_the_colour_of_a_real_one(people: People, seat: Sit) -> None:
    bulletin = people.issue(exercise=True)
    bar = lxml.html.fromstring(seat(people.viewer).get("/desk/live").text)
    item = bar.xpath(f".//a[contains(@href, '{bulletin.warning_number}')]")[0]
    assert "Drill" in item.text_content()
    assert "live-drill" in item.get("class")
    assert "live-red" not in item.get("class")


def test_the_board_says_in_words_what_the_carrier_refuses_before_it_counts(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    plan_all()
    refuse(bulletin, "auth")
    viewer = seat(people.viewer)
    card = lxml.html.fromstring(viewer.get("/desk/").text).xpath("//article")[0].text_content()
    assert "the carrier refuses our account: an administrator must check its key (auth)" in card
    assert card.index("refuses our account") < card.index("/ 5 taken")
    send()
    district.forget()
    assert "refuses our account" not in text_of(viewer.get("/desk/").text)


def test_the_board_stands_when_there_is_nothing(settled: Flask, seat: Sit) -> None:
    said = text_of(seat(district.office("viewer", (VIEWER, DISTRICT, "red"))).get("/desk/").text)
    assert "No warning is in force." in said
    assert "no loudspeaker is registered" in said
    assert "two people agree on: Orange, Red" in said


def test_the_board_says_since_when_the_public_pages_do_not_keep_up(
    settled: Flask, seat: Sit, monkeypatch: pytest.MonkeyPatch
) -> None:
    viewer = seat(district.office("viewer", (VIEWER, DISTRICT, "red")))
    assert "do not keep up" not in viewer.get("/desk/").text
    made = datetime(2026, 11, 22, 4, 5, tzinfo=UTC)
    monkeypatch.setattr(standing, "look", lambda *_args: standing.Standing(made, standing.FULL))
    for path in ("/desk/", "/desk/now"):
        said = text_of(viewer.get(path).text)
        assert "residents read what stood at 2026-11-22 12:05" in said
        assert "is full: free some space" in said


# -- counts ------------------------------------------------------------------------------------------------
def test_the_numbers_shown_are_those_kept(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    send()
    kept = {p.dispatch.channel: p for p in progress.of_bulletin(bulletin.id)}["sms"]
    assert (kept.planned, kept.accepted, kept.stages) == (5, 5, {"delivered": 5})
    root = lxml.html.fromstring(seat(people.viewer).get(of(bulletin)).text)
    sms = next(c for c in root.xpath("//div[@class='channel']") if "Text messages" in c.text_content())
    shown = {pair.xpath("dt")[0].text_content(): pair.xpath("dd")[0].text_content() for pair in sms.xpath(".//dl/div")}
    assert shown["meant for"] == shown["taken by the carrier"] == shown["delivered"] == "5"
    assert "still to be sent" not in shown
    status = root.get_element_by_id("summary")
    assert (status.get("aria-live"), "Text messages: 5 of 5 taken." in status.text_content()) == ("polite", True)


def test_the_table_of_communities_adds_up_to_the_whole(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    send()
    rows = seat(people.viewer).get(f"{of(bulletin)}reach/{dispatch_of(bulletin).id}").text
    of_people = lxml.html.fromstring(f"<table>{rows}</table>").xpath("//tr[not(@class='group' or @class='by-audience')]")
    cells = [[c.text_content().strip() for c in row] for row in of_people]
    assert cells[0] == ["All", "5", "5", "5", "0", "0", "0"]
    assert [row[:3] for row in cells[1:3]] == [["English", "1", "1"], ["Chinese", "4", "4"]]
    assert cells[3][0].endswith("· Liulian Community")
    assert cells[3][1:] == cells[0][1:]


def test_the_csv_has_every_count_of_every_channel_by_community(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    send()
    answer = seat(people.viewer).get(of(bulletin) + "reach.csv")
    assert answer.content_type.startswith("text/csv")
    assert bulletin.warning_number in answer.headers["Content-Disposition"]
    assert answer.data.startswith(b"\xef\xbb\xbf")
    rows = {r["channel"]: r for r in csv.DictReader(io.StringIO(answer.data.decode("utf-8-sig")))}
    assert set(rows) == {"sms", "speakers"}
    wanted = ("region_code", "planned", "accepted", "pending", "receipt_delivered")
    assert [rows["sms"][k] for k in wanted] == [LIULIAN, "5", "5", "0", "5"]
    assert [rows["speakers"][k] for k in wanted] == [LIULIAN, "2", "0", "2", "0"]


def test_the_page_looks_again_while_something_moves_and_stops_when_nothing_does(people: People, seat: Sit) -> None:
    bulletin = people.issue(target={"regions": [PINGSHAN], "area": None, "audiences": [], "channels": ["sms"]}, exercise=True)
    viewer = seat(people.viewer)
    assert 'hx-trigger="every 2s"' in viewer.get(of(bulletin)).text
    send()
    district.forget()
    assert dispatch_of(bulletin).ended_at is not None
    part = viewer.get(of(bulletin) + "progress").text
    assert "hx-trigger" not in part
    assert "nothing moves any more" in part
    assert viewer.get(f"{of(bulletin)}reach/{dispatch_of(bulletin).id}").status_code == 286


def test_what_is_silent_for_too_long_becomes_a_trouble(people: People) -> None:
    bulletin = people.issue()
    plan_all()
    found = progress.Progress(dispatch_of(bulletin), planned=5, ends={"accepted": 5}, stages={"delivered": 2})
    found.dispatch.last_at = now = utcnow()
    with force_locale("en"):
        assert state.troubles(found, now) == []
        assert state.troubles(found, now + timedelta(minutes=61)) == ["Nothing was heard of 3 that were taken."]
    db.session.rollback()


# -- words for codes ---------------------------------------------------------------------------------------
@pytest.mark.parametrize(("code", "words"), [
    ("broker", "no connection to the broker of the loudspeakers (broker)"),
    ("30003", "the phone is off or out of reach (30003)"),
    ("http_503", "the carrier has a fault of its own (http_503)"),
    ("429", "too many messages at once; the carrier asks us to slow down (429)"),
    ("refused:clock", "devices refuse the command: the device's clock is wrong (refused:clock)"),
    ("publish: No space left on device", "the public pages cannot be written (publish: No space left on device)"),
    ("internal: KeyError", "a fault in this portal; it is written in its log (internal: KeyError)"),
    ("99999", "99999"),
    ("something else", "something else"),
])
def test_codes_are_said_in_words_and_unknown_ones_as_they_are(settled: Flask, code: str, words: str) -> None:
    with force_locale("en"):
        assert labels.error(code) == words
    with force_locale("zh"):
        assert labels.error(code).isascii() == (words == code)


# -- stopping ------------------------------------------------------------------------------------------------
def test_stopping_is_shown_first_and_done_by_the_second_press(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    plan_all()
    approver = seat(people.approver)
    link = lxml.html.fromstring(approver.get(of(bulletin)).text).get_element_by_id(f"stop-{dispatch_of(bulletin).id}").get("href")
    asked = approver.get(link)
    assert "5 of 5 recipients have not been sent to yet" in text_of(asked.text)
    district.forget()
    assert dispatch_of(bulletin).state == "running"
    done = approver.send(link.partition("?")[0], approver.form(asked, "/stop"))
    assert done.status_code == 302
    assert "What was handed over before cannot be called back" in text_of(approver.get(done.location).text)
    district.forget()
    assert dispatch_of(bulletin).state == "stopped"
    assert dispatch_of(bulletin, "speakers").state == "running"
    assert approver.post(f"/desk/dispatches/{dispatch_of(bulletin).id}/stop").status_code == 409
    assert "nothing is left to stop" in text_of(approver.get(link).text)


def test_an_approver_of_another_street_cannot_stop(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    plan_all()
    street = seat(people.street)
    assert "Stop what is unsent" not in street.get(of(bulletin)).text
    stop = f"/desk/dispatches/{dispatch_of(bulletin).id}/stop"
    assert street.get(f"{stop}?warning={bulletin.warning_number}").status_code == 403
    assert street.post(stop).status_code == 403
    district.forget()
    assert dispatch_of(bulletin).state == "running"


# -- the past, and drills ------------------------------------------------------------------------------------
def test_drills_and_real_warnings_are_listed_apart(people: People, seat: Sit) -> None:
    real, drill = people.issue(), people.issue(exercise=True)
    viewer = seat(people.viewer)
    table = "//table//th[@scope='row']"
    real_ones, drills = (
        [h.text_content() for h in lxml.html.fromstring(viewer.get(path).text).xpath(table)]
        for path in ("/desk/warnings/", "/desk/warnings/?show=drills"))
    assert (real_ones, drills) == ([real.warning_number], [drill.warning_number])


def test_many_drills_never_push_a_real_warning_off_its_list(people: People, seat: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(warning_pages, "HISTORY_LIMIT", 1)
    real = people.issue()
    people.issue(exercise=True)
    assert real.warning_number in text_of(seat(people.viewer).get("/desk/warnings/").text.partition("<main")[2])


def test_a_warning_that_was_cancelled_or_expired_is_said_to_be_over(people: People, seat: Sit) -> None:
    first, second = people.issue(), people.issue()
    people.issue(kind=CANCEL, warning_id=first.warning_id)
    assert bulletins.expire_due(utcnow() + timedelta(hours=7)) == [second.warning_number]
    viewer = seat(people.drafter)
    for bulletin, words in ((first, "the all-clear was given on"), (second, "it expired on")):
        page = viewer.get(of(bulletin)).text
        assert f"This warning is over: {words}" in text_of(page)
        assert "Write an update" not in page
    assert "No warning is in force." in text_of(viewer.get("/desk/live").text)


def test_who_wrote_and_approved_it_and_its_words_stand_on_the_page_as_issued(people: People, seat: Sit) -> None:
    bulletin = people.issue(kind=ALERT)
    root = lxml.html.fromstring(seat(people.viewer).get(of(bulletin)).text)
    issued = [p.text_content() for p in root.xpath("//p[@class='as-issued']")]
    assert issued == [text for texts in bulletin.snapshot["words"].values() for text in texts.values()]
    said = re.sub(r"\s+", " ", root.text_content())
    assert "drafter office" in said
    assert "approver office" in said
    assert bulletin.identifier in said


# -- horns ---------------------------------------------------------------------------------------------------
def test_horns_are_grouped_by_what_they_did_and_the_silent_ones_come_first(people: People, seat: Sit) -> None:
    bulletin = people.issue()
    plan_all()
    ids = [h.speaker.id for h in progress.horns(dispatch_of(bulletin, "speakers").id)]
    from portal.dispatch.models import Batch
    with transaction() as session:
        batch = session.execute(select(Batch.id).where(Batch.channel == "speakers")).scalar_one()
        put(session, batch, (ids[0], "accepted"), (ids[1], "failed", "address"))
    viewer = seat(people.viewer)
    heads = [re.sub(r"\s+", " ", h.text_content()).strip()
             for h in lxml.html.fromstring(viewer.get(of(bulletin) + "horns").text).xpath("//h2")]
    assert heads == ["Failed, refused or interrupted: 1", "Command taken, not yet spoken: 1"]
    only = text_of(viewer.get(of(bulletin) + "horns?show=problems").text)
    assert "the device's address is wrong (address)" in only
    assert "Horn 1" in only
    assert not re.search(r"Horn 0 horn-0", only)
    assert viewer.get(of(bulletin) + "horns?bulletin=7").status_code == 404


def test_a_list_that_leaves_horns_out_says_so_also_on_paper(people: People, seat: Sit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(horn_pages, "GLANCE", 1)
    bulletin = people.issue()
    plan_all()
    root = lxml.html.fromstring(seat(people.viewer).get(of(bulletin) + "horns").text)
    said = next(p for p in root.xpath("//p") if "Listed here: 1 of 2." in p.text_content())
    assert "no-print" not in (said.get("class") or "")
    link = said.xpath("a/@href")[0]
    assert "Horn 1" in text_of(seat(people.viewer).get(link).text)


def test_the_registry_finds_the_horns_without_contact(people: People, seat: Sit) -> None:
    from portal.channels.speakers import registry
    from portal.channels.speakers.bridge import State
    registry.set_states([(State("horn-0", "online"), utcnow()), (State("horn-1", "online"), utcnow() - timedelta(hours=1))])
    district.forget()
    viewer = seat(people.viewer)

    def listed(query: str) -> list[str]:
        root = lxml.html.fromstring(viewer.get("/desk/horns/" + query).text)
        return [h.text_content().split(" horn")[0] for h in root.xpath("//table[contains(@class, 'cards')]//th[@scope='row']")]
    assert listed("") == ["Horn 0", "Horn 1"]
    assert listed("?state=offline") == ["Horn 1"]
    assert listed("?state=online") == ["Horn 0"]
    assert listed("?text=horn-0") == ["Horn 0"]
    assert listed(f"?region={KENGZI}") == []
    assert "No loudspeaker matches." in text_of(viewer.get(f"/desk/horns/?region={KENGZI}").text)


def test_an_account_of_one_street_sees_the_board(settled: Flask, seat: Sit) -> None:
    account: Account = district.office("street", (DRAFTER, KENGZI, "orange"))
    assert seat(account).get("/desk/").status_code == 200
