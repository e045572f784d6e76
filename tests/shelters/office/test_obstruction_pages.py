"""Closing a way at the desk without JavaScript: looking first, rights by region, ending and taking that back, files."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import lxml.html
import pytest
from werkzeug.test import TestResponse

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.shelters import field
from portal.shelters.field import recompute
from portal.shelters.field.routes import Route
from portal.shelters.models import Obstruction
from portal.shelters.office import cuts
from portal.shelters.roads import obstructions
from tests import district
from tests.desk.conftest import Seat
from tests.district import LIULIAN
from tests.shelters.grid import STEP_LAT, STEP_LON
from tests.shelters.office.conftest import obstruction, sent_by
from tests.shelters.places import make_shelter
from tests.shelters.roads.obstacles import FAR, feature, middle, point

ALL, NEW, FILES = "/desk/obstructions/", "/desk/obstructions/new", "/desk/obstructions/import"


def text(page: TestResponse) -> str:
    return " ".join(lxml.html.fromstring(page.text).xpath("//main")[0].text_content().split())


def fill(seat: Seat, do: str, path: str = NEW, **typed: Any) -> TestResponse:
    """Fill the form at `path` in as a browser without scripts would, and press a button."""
    sent = sent_by(seat.get(path).text, "geometry")
    lon, lat = middle()
    if path == NEW:
        sent |= {"kind": "road_closed", "name_zh": "六联路口", "geometry": f"{lon}, {lat}"}
    return seat.send(path, sent | typed | {"do": do})


def only() -> Obstruction:
    db.session.expire_all()
    db.session.rollback()
    return obstructions.listing(utcnow(), state="").rows[0]


def count() -> int:
    db.session.rollback()
    return obstructions.listing(utcnow(), state="").total


# -- setting one ---------------------------------------------------------------------------------------------
def test_a_point_is_typed_looked_at_and_saved_without_scripts(sit, town):
    looked = fill(sit, "look", radius="80")
    assert looked.status_code == 200
    assert "Nothing is saved yet." in text(looked)
    assert "Row" in text(looked)  # the ways it cuts are named
    assert count() == 0
    saved = fill(sit, "save")
    assert saved.status_code == 302
    row = only()
    assert (row.region_codes, row.source, row.geometry["type"]) == ([LIULIAN], "desk", "Point")
    assert timedelta(hours=5, minutes=59) < row.expires_at - utcnow() <= timedelta(hours=6)
    assert "ends by itself in 5 h 59 min" in text(sit.get(saved.location))
    assert "六联路口" in sit.get(ALL).text


def test_lines_areas_and_pasted_geojson_are_read(sit):
    lon, lat = middle()
    lines = f"{lon}, {lat}\n{lon + .001}，{lat}\n{lon + .001} {lat + .001}"
    assert fill(sit, "save", shape="line", geometry=lines).status_code == 302
    assert only().geometry["type"] == "LineString"
    assert fill(sit, "save", shape="area", geometry=lines).status_code == 302
    assert only().geometry["type"] == "Polygon"
    pasted = json.dumps({"type": "FeatureCollection", "features": [feature()]})
    assert fill(sit, "save", geometry=pasted).status_code == 302
    assert only().geometry["type"] == "Point"


def test_what_was_typed_stays_when_something_is_wrong(sit):
    page = fill(sit, "save", geometry="nowhere", name_zh="某处", radius="wide", expires_mode="at", expires="")
    assert page.status_code == 422
    root = lxml.html.fromstring(page.text)
    assert root.get_element_by_id("name_zh").value == "某处"
    assert root.get_element_by_id("geometry").text.strip() == "nowhere"
    assert {e.get("href") for e in root.xpath("//div[@id='problems']//a")} == {"#geometry", "#expires_at"}
    assert fill(sit, "save", begins="9999-12-31T23:59", expires_mode="24").status_code == 422
    assert count() == 0


def test_an_outline_that_crosses_itself_is_mended_and_the_desk_is_told(sit, town):
    lon, lat = middle()
    bow = f"{lon}, {lat}\n{lon + .001}, {lat + .001}\n{lon + .001}, {lat}\n{lon}, {lat + .001}"
    assert "crossed itself and was mended" in text(fill(sit, "look", shape="area", geometry=bow))
    saved = fill(sit, "save", shape="area", geometry=bow)
    assert "crossed itself and was mended" in sit.get(saved.location).text


def test_the_preview_tells_of_shelters_under_it_and_of_people_without_a_way(sit, town, monkeypatch):
    view = field.current()
    lon, lat = float(view.graph.lon[0]), float(view.graph.lat[0])
    over = text(fill(sit, "look", geometry=f"{lon}, {lat}", radius="60"))
    assert "These shelters lie under it: First" in over
    assert "no longer reach a shelter" in over
    with transaction() as session:
        make_shelter(session, name_en="Beside it", longitude=lon, latitude=lat)
    monkeypatch.setattr(cuts, "NAMED", 1)
    assert "and 1 more. Nobody is led" in text(fill(sit, "look", geometry=f"{lon}, {lat}", radius="60"))
    harmless = text(fill(sit, "look", geometry=f"{lon + 11 * STEP_LON}, {lat + 11 * STEP_LAT}", kind="construction"))
    assert "nobody loses the way" in harmless


def test_an_obstruction_over_the_shelter_takes_its_ways_and_its_expiry_gives_them_back(sit, town, monkeypatch):
    view = field.current()
    lon, lat = float(view.graph.lon[0]), float(view.graph.lat[0])
    far = (float(view.graph.lon[-1]), float(view.graph.lat[-1]))
    assert isinstance(view.route(*far, "water.walk"), Route)
    saved = fill(sit, "save", geometry=f"{lon}, {lat}", radius="60")
    recompute.now("test")
    assert not isinstance(field.current().route(*far, "water.walk"), Route)
    assert "These shelters lie under it" in text(sit.get(saved.location))
    assert "no longer reach a shelter" in text(sit.get(f"{saved.location}?people=1"))
    assert "Coverage" in text(sit.get("/desk/shelters/"))
    later = utcnow() + timedelta(hours=7)
    monkeypatch.setattr("portal.shelters.field.recompute.utcnow", lambda: later)
    recompute.now("test")
    assert isinstance(field.current().route(*far, "water.walk"), Route)


# -- rights and versions -------------------------------------------------------------------------------------
def test_a_street_sets_and_ends_its_own_only_and_sees_no_buttons_elsewhere(keeper, street, seat):
    own, far = obstruction(keeper), obstruction(keeper, geometry=point(FAR))
    there = seat(street)
    assert fill(there, "save", geometry=", ".join(map(str, middle(FAR)))).status_code == 403
    assert there.get(f"{ALL}{far.id}/edit").status_code == 403
    assert there.post(f"{ALL}{far.id}/end", version=1).status_code == 403
    assert "End now" not in text(there.get(f"{ALL}{far.id}/"))
    assert "End now" in text(there.get(f"{ALL}{own.id}/"))
    assert there.post(f"{ALL}{own.id}/end", version=1).status_code == 302
    db.session.rollback()
    assert [obstructions.state_of(obstructions.get(r.id), utcnow()) for r in (own, far)] == ["ended", "now"]


def test_who_has_no_duty_for_shelters_reads_but_changes_nothing(keeper, seat):
    row = obstruction(keeper)
    reader = seat(district.drafter())
    assert reader.get(ALL).status_code == 200
    assert "End now" not in reader.get(ALL).text
    assert {reader.get(path).status_code for path in (NEW, FILES, f"{ALL}{row.id}/edit")} == {403}
    assert reader.post(f"{ALL}{row.id}/end", version=1).status_code == 403


def test_ending_is_taken_back_and_the_end_put_off_in_one_tap(keeper, sit):
    end = utcnow() + timedelta(hours=2)
    row = obstruction(keeper, expires_at=end)
    sit.post(f"{ALL}{row.id}/extend", version=1, hours=3, back="list")
    assert only().expires_at - end == timedelta(hours=3)
    sit.post(f"{ALL}{row.id}/end", version=2)
    assert "Take up again" in text(sit.get(f"{ALL}{row.id}/"))
    sit.post(f"{ALL}{row.id}/resume", version=3)
    assert obstructions.state_of(only(), utcnow()) == "now"
    sit.post(f"{ALL}{row.id}/end", version=1)  # from a page that is old
    assert obstructions.state_of(only(), utcnow()) == "now"


def test_who_comes_second_keeps_what_was_typed(keeper, sit):
    row = obstruction(keeper)
    path = f"{ALL}{row.id}/edit"
    obstructions.edit(keeper, row.id, 1, {"radius": 77.0})
    page = fill(sit, "save", path, version="1", name_zh="我的名字")
    assert page.status_code == 409
    assert lxml.html.fromstring(page.text).get_element_by_id("name_zh").value == "我的名字"
    assert only().name_zh == "六联路口"


# -- files ---------------------------------------------------------------------------------------------------
def upload(seat: Seat, content: bytes, path: str = FILES, **typed: str) -> TestResponse:
    token = lxml.html.fromstring(seat.get(path).text).xpath("//input[@name='csrf_token']")[0].value
    return seat.send(path, {"csrf_token": token, "do": "look", "file": (io.BytesIO(content), "closed.geojson"), **typed})


def confirm(seat: Seat, page: TestResponse, path: str = FILES, **typed: str) -> TestResponse:
    form = next(f for f in lxml.html.fromstring(page.text).forms if "kept" in f.fields)
    return seat.send(path, dict(form.form_values()) | {"do": "import"} | typed)


def geojson(*features: Any) -> bytes:
    return json.dumps({"type": "FeatureCollection", "features": list(features)}).encode()


def test_a_preview_changes_nothing_and_the_import_does_what_it_said(sit):
    page = upload(sit, geojson(feature(), feature(external_id="r-2", kind="flood"), feature(external_id="r-3")))
    assert count() == 0
    assert "Import 2 obstructions" in text(page)
    assert "Choose what kind of obstruction it is." in text(page)
    assert confirm(sit, page).status_code == 422  # not ticked that the bad one is left out
    assert count() == 0
    assert confirm(sit, page, skip_bad="1").status_code == 302
    assert count() == 2
    again = upload(sit, geojson(feature(), feature(external_id="r-3")))
    assert "nothing in it is new or changed" in text(again)


def test_a_file_cannot_be_slipped_in_between_preview_and_import(sit, street, seat):
    page = upload(sit, geojson(feature()))
    assert confirm(sit, page, kept="AAAA.BBBB.CCCC").status_code == 422
    other = seat(street)
    stolen = next(f for f in lxml.html.fromstring(page.text).forms if "kept" in f.fields).fields["kept"]
    own = upload(other, geojson(feature()))
    assert confirm(other, own, kept=stolen).status_code == 422
    assert count() == 0


def test_a_file_of_several_megabytes_is_taken_and_a_larger_one_refused_in_words(sit):
    large = geojson(feature()).replace(b"{", b"{" + b" " * 3_000_000, 1)
    page = upload(sit, large)
    assert page.status_code == 200
    assert confirm(sit, page).status_code == 302
    assert count() == 1
    too_large = upload(sit, b" " * (8 * 1024 * 1024 + 1))
    assert too_large.status_code == 422
    assert "larger than 8 MB" in text(too_large)
    assert upload(sit, b" " * (14 * 1024 * 1024)).status_code == 413


@pytest.mark.parametrize("content", [b"", b"not json", b"\xff\xfe{", b'{"type":"FeatureCollection","features":['])
def test_a_file_that_is_none_is_refused_in_words(sit, content):
    page = upload(sit, content)
    assert page.status_code in (200, 422)
    assert "cannot be read" in text(page) or "The file is empty" in text(page)
    assert count() == 0


def test_without_the_forms_token_no_file_is_looked_at(sit):
    answer = sit.send(FILES, {"do": "look", "file": (io.BytesIO(geojson(feature())), "x.geojson")})
    assert answer.status_code == 400


def test_maps_are_drawn_from_our_own_data_and_bounded(sit, town, monkeypatch):
    view = field.current()
    box = f"{view.graph.lon.min()},{view.graph.lat.min()},{view.graph.lon.max()},{view.graph.lat.max()}"
    found = sit.get(f"/desk/shelters/map/roads.json?box={box}").json
    assert len(found["pieces"]) == view.graph.edges
    monkeypatch.setattr("portal.shelters.office.maps.MOST_PIECES", 10)
    assert sit.get(f"/desk/shelters/map/roads.json?box={box}").json == {"pieces": [], "too_many": True}
    assert sit.get("/desk/shelters/map/roads.json?box=a,b").status_code == 400
    assert sit.get("/desk/shelters/map/regions.json").json["features"]
    assert sit.get("/desk/shelters/map/shelters.json").json[0]["open"] is True


def test_the_form_reads_back_what_it_shows(sit, keeper):
    shown: Callable[[str], str] = lambda path: next(  # noqa: E731
        f for f in lxml.html.fromstring(sit.get(path).text).forms if "geometry" in f.fields).fields["geometry"]
    row = obstruction(keeper, geometry={"type": "LineString", "coordinates": [[114.32, 22.7], [114.321, 22.7]]})
    before = (row.geometry, row.version)
    assert shown(f"{ALL}{row.id}/edit").split("\n")[0].strip() == "114.32, 22.7"
    assert fill(sit, "save", f"{ALL}{row.id}/edit").status_code == 302
    assert (only().geometry, only().version) == before
