"""Keeping shelters at the desk: what is unknown is said, what is stale is greyed, nobody writes over somebody else."""

from __future__ import annotations

import csv
import io
import json
import uuid
from datetime import timedelta
from typing import Any

import lxml.html
import pytest
from werkzeug.test import TestResponse

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.regions import lookup
from portal.shelters import field
from portal.shelters.living import reports
from portal.shelters.office import figures
from portal.shelters.registry import store
from portal.shelters.registry.exchange import export
from tests import district
from tests.desk.conftest import Seat
from tests.district import DISTRICT, LIULIAN
from tests.shelters.office.conftest import sent_by
from tests.shelters.office.test_obstruction_pages import text
from tests.shelters.places import make_shelter
from tests.shelters.roads.obstacles import FAR, middle

HOME, LIST, FILES = "/desk/shelters/", "/desk/shelters/list/", "/desk/shelters/import"


def make(**values: Any) -> int:
    with transaction() as session:
        return make_shelter(session, **values).id


def again(shelter_id: int):
    db.session.rollback()
    db.session.expire_all()
    return store.get(shelter_id)


def form_of(page: TestResponse, name: str) -> dict[str, str]:
    return sent_by(page.text, name)


def edit(seat: Seat, path: str, do: str = "save", page: TestResponse | None = None, **typed: str) -> TestResponse:
    return seat.send(path, form_of(page or seat.get(path), "name_zh") | typed | {"do": do})


# -- the dashboard -------------------------------------------------------------------------------------------
def test_an_empty_registry_says_what_to_do_next(sit):
    page = text(sit.get(HOME))
    assert "No shelter is registered yet." in page
    assert "No ways have been computed yet." in page
    assert "Nobody was counted in the last two days." in page


def test_places_are_set_against_people_and_the_target(sit):
    people = 54_260
    make(area_m2=people * 1.6, capacity_day=30_000)
    make(region_code=FAR, area_m2=None, capacity_day=None)
    rows = {r.node.code: r for r in figures.rows(DISTRICT, None, "water.walk")}
    assert (rows[LIULIAN].people, rows[LIULIAN].verdict, rows[LIULIAN].m2) == (people, "met", pytest.approx(1.6))
    assert rows[FAR].verdict == "unknown"
    assert {r.verdict for c, r in rows.items() if c not in (LIULIAN, FAR)} == {"none"}
    page = sit.get(HOME)
    assert "The places of 1 shelter are unknown and not counted." in text(page)
    drawn = lxml.html.fromstring(page.text).xpath("//figure[contains(@class, 'choropleth')]//*[name()='path']/@fill")
    assert {"url(#class-met)", "url(#class-none)", "url(#class-unknown)"} <= set(drawn)


def test_coverage_is_whole_or_names_who_has_no_way(sit, town):
    covered = {r.node.code: r for r in figures.rows(DISTRICT, field.current(), "water.walk")}
    assert covered[LIULIAN].share == 1.0
    assert covered[LIULIAN].minutes > 0
    assert covered[FAR].share is None
    page = text(sit.get(HOME))
    assert "no roads are known" in page
    told = list(csv.reader(io.StringIO(sit.get(f"{HOME}coverage.csv?family=water").text.removeprefix("\ufeff"))))
    mine = dict(zip(told[0], next(r for r in told if r[0] == LIULIAN), strict=True))
    assert (mine["People who reach a shelter (%)"], mine["People who reach none"], mine["Shelters"]) == ("100.0", "0", "1")
    none = {r.node.code: r for r in figures.rows(DISTRICT, field.current(), "nothing.walk")}
    assert none[LIULIAN].share is None


def test_who_is_not_covered_is_listed_by_name_and_only_full_coverage_is_called_that(sit, town, monkeypatch):
    node, far = lookup.get(LIULIAN), lookup.get(FAR)
    room = store.Capacity(300, 200, 300, node.population * 1.5, 1)
    rows = [figures.Row(node, None, room, 1.0, 4.0)]
    monkeypatch.setattr(figures, "rows", lambda *_: rows)
    assert "Coverage 100 %: everybody reaches a shelter." in text(sit.get(HOME))
    rows.append(figures.Row(far, None, room, 0.75, 9.0))
    missing = round(far.population / 4)
    page = sit.get(HOME)
    listed = lxml.html.fromstring(page.text).xpath("//div[contains(@class, 'notice-problem')]//li")
    assert [" ".join(li.text_content().split()) for li in listed] == [
        f"{far.name_en}: about {missing:,} people (25.0 %)"]
    assert "Coverage 100 %" not in text(page)
    table = lxml.html.fromstring(page.text).xpath("//table[contains(caption, 'By community')]/tbody/tr")
    assert [[" ".join(cell.text_content().split()) for cell in row.xpath("td")] for row in table] == [
        [f"{node.population:,}", "1", "300", "200", "1.50", "met", "100.0 %", "4"],
        [f"{far.population:,}", "1", "300", "200", f"{room.area_m2 / far.population:.2f}",
         "met" if room.area_m2 >= far.population * 1.5 else "below", "75.0 %", "9"]]
    told = list(csv.reader(io.StringIO(sit.get(f"{HOME}coverage.csv").text.removeprefix("\ufeff"))))
    mine = [dict(zip(told[0], row, strict=True)) for row in told[1:]]
    assert [(r["People"], r["m² for each inhabitant"], r["People who reach none"]) for r in mine] == [
        (str(node.population), "1.50", "0"), (str(far.population), f"{room.area_m2 / far.population:.2f}", str(missing))]


def test_a_stale_state_is_greyed_dated_and_not_counted(sit):
    now = utcnow()
    make(name_en="Fresh", status="open", status_at=now, occupancy=30, occupancy_at=now)
    make(name_en="Old", status="open", status_at=now - timedelta(hours=20), occupancy=500, occupancy_at=now)
    make(name_en="Broken", status="unsafe", status_at=now - timedelta(days=9))
    live = figures.live(now)
    assert ([s.name_en for s in live.open], [s.name_en for s in live.stale], live.people) == (["Fresh"], ["Old"], 30)
    assert [s.name_en for s in live.unsafe] == ["Broken"]
    row = lxml.html.fromstring(sit.get(f"{HOME}live").text).xpath("//tr[contains(., 'Old')]")[0]
    assert row.get("class") == "stale"
    assert "too old to rely on" in row.text_content()


def test_head_counts_over_time_carry_the_last_one_forward(sit):
    assert figures.occupancy(utcnow()) == []
    first, second, now = make(), make(), utcnow().replace(minute=30) - timedelta(hours=1)
    for shelter, hours, people in ((first, 5, 10), (second, 3, 7), (first, 1, 40)):
        with transaction() as session:
            reports.report(session, shelter, ref=str(uuid.uuid4()), occupancy=people, observed_at=now - timedelta(hours=hours),
                           source="desk", reporter="x")
    series = figures.occupancy(now)
    assert [(n, counted) for _at, n, counted in series] == [(10, 1), (10, 1), (17, 2), (17, 2), (47, 2), (47, 2)]
    with transaction() as session:
        reports.report(session, second, ref=str(uuid.uuid4()), status="closed", observed_at=now, source="desk", reporter="x")
    assert figures.occupancy(now)[-1][1:] == (40, 1), "who went home is in no shelter"
    page = lxml.html.fromstring(sit.get(HOME).text)
    drawn = json.loads(page.get_element_by_id("occupancy").get("data-series"))
    rows = page.xpath("//details//tbody/tr/td[1]")
    assert drawn["people"] == [int(cell.text_content()) for cell in rows][::-1] != []
    assert len(drawn["at"]) == len(drawn["words"]) == len(rows)


def test_ways_are_computed_anew_at_the_desk_by_those_with_the_duty(sit, seat, town):
    before = field.current().version
    make(code="s-2")
    answer = sit.post(f"{HOME}recompute", token_from=HOME)
    assert answer.status_code == 302
    assert "The ways were computed anew." in sit.get(HOME).text
    assert field.current().version == before + 1
    assert seat(district.drafter()).post(f"{HOME}recompute").status_code == 403


# -- the list and one shelter --------------------------------------------------------------------------------
def test_the_list_is_filtered_by_what_is_known_and_by_what_is_not(sit):
    now = utcnow()
    make(code="a-1", space="outdoor", status="open", status_at=now)
    make(code="a-2", region_code=FAR, suitability={"flood": False}, step_free=None, status="open",
         status_at=now - timedelta(days=2))
    make(code="a-3", longitude=None, latitude=None, retired_at=now)

    def codes(query: str) -> set[str]:
        return set(lxml.html.fromstring(sit.get(f"{LIST}?{query}").text).xpath("//table//span[contains(@class, 'mono')]/text()"))
    assert codes("") == {"a-1", "a-2"}
    assert codes(f"region={FAR}") == {"a-2"} == codes("status=stale") == codes("missing=step_free")
    assert codes("missing=suitability") == {"a-2"}
    assert codes("space=outdoor") == {"a-1"} == codes("status=open") == codes("family=water") == codes("text=a-1")
    assert codes("retired=1") == {"a-3"}
    assert "No shelter matches." in sit.get(f"{LIST}?text=nowhere").text


def test_what_is_unknown_is_said_to_be_unknown(sit):
    shelter = make(longitude=None, latitude=None, suitability={}, water=None, capacity_night=None, contact_phone="")
    page = text(sit.get(f"{HOME}{shelter}/"))
    assert "unknown: nobody can be led here" in page
    assert "Nobody has ever said anything." in page
    assert page.count("unknown") > 12
    assert "Typhoonunknown" in page.replace(" ", "")


def test_a_status_from_the_desk_is_one_observation_among_others(sit, keeper):
    shelter = make()
    path = f"{HOME}{shelter}/"
    form = form_of(sit.get(path), "occupancy")
    assert sit.send(f"{path}status", form | {"status": "open", "occupancy": "12", "valid": "6"}).status_code == 302
    found = again(shelter)
    assert (found.status, found.occupancy, found.status_source) == ("open", 12, "desk")
    assert timedelta(hours=5) < found.status_until - utcnow() < timedelta(hours=6, minutes=1)
    sit.send(f"{path}status", form | {"status": "full", "occupancy": "99"})  # the same form once more changes nothing
    assert again(shelter).status == "open"
    wrong = sit.send(f"{path}status", form_of(sit.get(path), "occupancy") | {"occupancy": "many"})
    assert (wrong.status_code, again(shelter).occupancy) == (422, 12)


def test_numbers_that_no_column_holds_are_not_found_and_break_nothing(sit):
    huge = "9" * 30
    for tail in ("", "edit"):
        assert sit.get(f"{HOME}{huge}/{tail}").status_code == 404
    for tail in ("status", "retire", "restore"):
        assert sit.post(f"{HOME}{huge}/{tail}", version="1", status="open", ref=str(uuid.uuid4())).status_code == 404
    shelter = make()
    form = form_of(sit.get(f"{HOME}{shelter}/"), "occupancy") | {"status": "open", "seen": huge}
    assert sit.send(f"{HOME}{shelter}/status", form).status_code == 302


def test_a_street_sets_no_state_and_no_fact_of_another(street, seat, keeper):
    shelter = make(region_code=FAR)
    there = seat(street)
    path = f"{HOME}{shelter}/"
    assert there.get(path).status_code == 200
    assert "Write down its state now" not in there.get(path).text
    for tail, data in (("status", {"status": "open", "ref": str(uuid.uuid4())}), ("retire", {"version": 1}),
                       ("edit", {"version": 1, "name_zh": "x", "code": "x-1"})):
        assert there.post(path + tail, **data).status_code == 403
    assert there.get(path + "edit").status_code == 403
    assert again(shelter).status is None


def test_out_of_use_is_taken_back(sit):
    shelter = make()
    path = f"{HOME}{shelter}/"
    sit.post(f"{path}retire", version=1)
    assert again(shelter).retired_at is not None
    assert "nobody is sent here" in sit.get(path).text
    sit.post(f"{path}restore", version=2)
    assert again(shelter).retired_at is None


# -- the form ------------------------------------------------------------------------------------------------
def test_a_shelter_is_registered_without_scripts_with_two_entrances(sit):
    lon, lat = middle()
    path = f"{HOME}new"
    typed = {"code": "n-1", "name_zh": "新场所", "longitude": str(lon), "latitude": str(lat), "capacity_day": "120",
             "suitability.flood": "yes", "suitability.landslide": "no", "pets": "no",
             "entrances.0.longitude": str(lon), "entrances.0.latitude": str(lat), "entrances.0.step_free": "yes"}
    more = edit(sit, path, "add-entrance", **typed)
    assert store.by_code("n-1") is None
    saved = edit(sit, path, "save", more, **{"entrances.1.longitude": str(lon), "entrances.1.latitude": str(lat + .0002),
                                             "entrances.1.hours": "08:00-22:00"})
    assert saved.status_code == 302
    db.session.rollback()
    shelter = again(store.by_code("n-1").id)
    assert [(e.step_free, e.hours) for e in shelter.entrances] == [(True, ""), (None, "08:00-22:00")]
    assert (shelter.suitability, shelter.pets, shelter.water, shelter.capacity_night) == (
        {"flood": True, "landslide": False}, False, None, None)
    assert shelter.region_code == LIULIAN  # found by its place
    less = edit(sit, f"{HOME}{shelter.id}/edit", "remove-entrance.0")
    assert edit(sit, f"{HOME}{shelter.id}/edit", "save", less).status_code == 302
    assert [e.hours for e in again(shelter.id).entrances] == ["08:00-22:00"]


def test_a_form_that_is_saved_as_it_was_shown_changes_nothing(sit):
    shelter = make(area_m2=1234.5678912, checked_at=utcnow(), boundary={"type": "Polygon", "coordinates": [
        [[114.35, 22.69], [114.351, 22.69], [114.351, 22.691], [114.35, 22.69]]]})
    before = store.values_of(again(shelter))
    assert edit(sit, f"{HOME}{shelter}/edit").status_code == 302
    assert store.values_of(again(shelter)) == before
    assert again(shelter).version == 1


def test_what_is_wrong_is_said_at_its_field_and_the_typed_stays(sit):
    shelter = make()
    page = edit(sit, f"{HOME}{shelter}/edit", capacity_day="lots",
                **{"entrances.0.hours": "sometimes", "suitability.flood": "no"})
    root = lxml.html.fromstring(page.text)
    assert page.status_code == 422
    assert {e.get("href") for e in root.xpath("//div[@id='problems']//a")} == {"#capacity_day", "#entrances.0.hours"}
    assert root.get_element_by_id("capacity_day").value == "lots"
    assert again(shelter).suitability["flood"] is True


def test_who_comes_second_sees_both_values(sit, keeper):
    shelter = make(name_en="Before")
    page = sit.get(f"{HOME}{shelter}/edit")
    store.save(keeper, {"name_en": "Theirs"}, shelter_id=shelter, version=1)
    answer = edit(sit, f"{HOME}{shelter}/edit", "save", page, name_en="Mine")
    assert answer.status_code == 409
    cells = [[c.text_content().strip() for c in row] for row in lxml.html.fromstring(answer.text).xpath(
        "//section[contains(@class, 'notice')]//tbody/tr")]
    assert cells == [["Name (English)", "Mine", "Theirs"]]
    assert again(shelter).name_en == "Theirs"


# -- files ---------------------------------------------------------------------------------------------------
def upload(seat: Seat, content: bytes, name: str = "shelters.csv") -> TestResponse:
    token = form_of(seat.get(FILES), "file")["csrf_token"]
    return seat.send(FILES, {"csrf_token": token, "do": "look", "file": (io.BytesIO(content), name)})


def press(seat: Seat, page: TestResponse, field_: str, do: str, **typed: str) -> TestResponse:
    return seat.send(FILES, form_of(page, field_) | {"do": do} | typed)


def test_what_was_exported_comes_back_unchanged(sit):
    make(code="x-1")
    content = b"".join(export("csv"))
    assert sit.get(f"{HOME}export/csv").data == content
    assert "nothing in it is new or changed" in text(upload(sit, content))
    changed = content.replace(b"x-1", b"x-9")
    page = upload(sit, changed)
    assert "Import 1 shelter" in text(page)
    assert store.by_code("x-9") is None
    assert press(sit, page, "fingerprint", "import").status_code == 302
    db.session.rollback()
    assert store.by_code("x-9") is not None


def test_swapped_coordinates_are_offered_to_be_put_right(sit):
    rows = "code,name_zh,longitude,latitude\r\nw-1,反了,22.71,114.33\r\nw-2,好的,114.33,22.71\r\n".encode()
    page = upload(sit, rows)
    assert "stand the wrong way round" in text(page)
    right = press(sit, page, "swap", "again")
    assert "put right in 1 row" in text(right)
    assert press(sit, right, "fingerprint", "import").status_code == 302
    db.session.rollback()
    assert store.by_code("w-1").latitude == 22.71


def test_what_changed_since_the_preview_is_not_imported_unseen(sit, keeper):
    page = upload(sit, "code,name_zh\r\nf-1,新\r\n".encode())
    store.save(keeper, {"code": "f-1", "name_zh": "别人"}, shelter_id=None, version=None)
    assert press(sit, page, "fingerprint", "import").status_code == 409
    db.session.rollback()
    assert store.by_code("f-1").name_zh == "别人"


def test_bad_rows_are_named_and_left_out_only_when_ticked(sit):
    page = upload(sit, "code,name_zh,capacity_day\r\ng-1,好,5\r\ng-2,坏,many\r\n".encode())
    assert "g-2" in text(page)
    assert press(sit, page, "fingerprint", "import").status_code == 422
    assert press(sit, page, "fingerprint", "import", skip_bad="1").status_code == 302
    db.session.rollback()
    assert (store.by_code("g-1") is not None, store.by_code("g-2")) == (True, None)


def test_two_who_say_different_things_are_shown_until_the_desk_settles_it(sit):
    shelter, now = make(), utcnow()
    for reporter, people, minutes in (("Post A", 40, 3), ("Post B", 90, 2)):
        with transaction() as session:
            reports.report(session, shelter, ref=str(uuid.uuid4()), status="open", occupancy=people, source="desk",
                           observed_at=now - timedelta(minutes=minutes), reporter=reporter)
    path = f"{HOME}{shelter}/"
    for page in (HOME, f"{HOME}live", path):
        said = sit.get(page).text
        assert "Two said different things" in said
        assert "Post A" in said
        assert "Post B" in said
    sit.send(f"{path}status", form_of(sit.get(path), "occupancy") | {"status": "open", "occupancy": "60"})
    assert "Two said different things" not in sit.get(HOME).text
    assert again(shelter).occupancy == 60
