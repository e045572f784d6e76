"""The lists of shelters: true without scripts, unknown is never shown as safe, what is old says so."""

from __future__ import annotations

import json
import re
from datetime import datetime, timedelta

import lxml.html
import time_machine

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.shelters.field import maps_links
from portal.shelters.models import Entrance, Shelter
from portal.shelters.public import one
from portal.shelters.public.view import slug_of
from portal.shelters.registry.suitability import HAZARDS
from portal.site.publish import publish
from tests.district import LIULIAN
from tests.shelters.public.conftest import files


def section(text: str, heading: str) -> str:
    """Everything below the heading with this id, up to the next heading of its rank."""
    at = text.index(f'id="{heading}"')
    following = text.find("<h2", at)
    return text[at:following if following > 0 else None]


def test_the_list_and_the_page_are_there_without_scripts_and_small(add, read):
    code = add(name_zh="六联小学", name_en="Liulian School", status="open", status_at=utcnow(), occupancy=40,
               occupancy_at=utcnow())
    for language, name, word in (("zh", "六联小学", "尚余 260 个位置"), ("en", "Liulian School", "260 places free")):
        text = read(f"/{language}/shelters/")
        assert name in section(text, "open")
        assert word in section(text, "open")
        page = read(f"/{language}/shelters/{code}/", again=False)
        assert name in page
        for body in (text, page):
            assert len(body.encode()) < 30_000
            assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=|\son[a-z]+=", body)


def test_a_shelters_page_has_its_own_code_and_leads_into_each_map_in_its_own_coordinates(add, read):
    code = add(name_zh="六联小学", name_en="Liulian School", longitude=114.35, latitude=22.69)
    for language, name in (("zh", "六联小学"), ("en", "Liulian School")):
        page = lxml.html.fromstring(read(f"/{language}/shelters/{code}/", again=language == "zh"))
        code_of = lxml.html.fromstring(one.qr(f"http://localhost/{language}/shelters/{code}/"))
        assert page.xpath("//svg[@class='qr']//path/@d") == code_of.xpath(".//path/@d") != []
        assert page.xpath("//ul[@class='links']//a/@href") == list(maps_links.links(114.35, 22.69, name).values())


def test_when_none_is_open_the_plan_is_shown_as_a_plan(add, read):
    add(name_en="Hall of the plan", status="standby", status_at=utcnow())
    text = read("/en/shelters/")
    assert "No shelter is open now" in section(text, "open")
    assert "doors may be locked until then" in text
    assert "Hall of the plan" in section(text, "plan")


def test_what_is_being_opened_is_named_first_and_not_called_open(add, read):
    add(name_en="Hall of the plan", status="standby", status_at=utcnow())
    add(name_en="Hall with a key", status="opening", status_at=utcnow())
    add(name_en="Forgotten hall", status="opening", status_at=utcnow() - timedelta(days=2))
    text = read("/en/shelters/")
    assert "No shelter is open now" in section(text, "open")
    assert "Some are being opened" in section(text, "open")
    assert "Hall with a key" in section(text, "opening")
    assert "Hall with a key" not in section(text, "plan")
    assert "Forgotten hall" not in section(text, "opening")


def test_unknown_is_never_shown_as_safe(add, read):
    add(name_en="Known Hall", suitability={"flood": True, "waterlogging": True, "storm_surge": True})
    add(name_en="Unknown Hall", suitability={"flood": True, "waterlogging": True})
    add(name_en="Low Hall", suitability={"flood": False, "waterlogging": True, "storm_surge": True})
    add(name_en="Open Unknown Hall", suitability={}, status="open", status_at=utcnow())
    text = read("/en/shelters/water/")
    assert "Known Hall" in section(text, "plan")
    for wrong in ("Unknown Hall", "Low Hall"):
        assert wrong not in section(text, "plan")
        assert wrong not in section(text, "open")
    assert "Unknown Hall" in section(text, "unknown")
    assert "Open Unknown Hall" in section(text, "unknown")
    assert "That is not the same as safe" in section(text, "unknown")
    assert "Low Hall" in section(text, "unsuitable")
    signs = re.findall(r'class="at at-\w+"><title>([^<]*)', text)
    assert signs == ["Known Hall"], "the map of a danger shows only what is known to be suitable"


def test_a_district_without_a_suitable_shelter_says_what_to_do_instead(add, read):
    add(suitability={})
    assert "No shelter is known to be suitable for this danger." in read("/en/shelters/quake/")
    assert "遇险请拨打 119" in read("/zh/shelters/quake/", again=False)


def test_a_stale_state_is_greyed_and_dated_and_its_places_are_not_promised(add, read):
    code = add(name_en="Old Hall", status="open", status_at=utcnow() - timedelta(hours=20), occupancy=0,
               occupancy_at=utcnow() - timedelta(hours=20))
    text = read("/en/shelters/")
    assert re.search(r'class="place[^"]* is-stale"', text)
    assert "Was reported: Open. Not confirmed since" in text
    assert '<time datetime="' in section(text, "open")
    assert "places free" not in text
    page = read(f"/en/shelters/{code}/", again=False)
    assert "is-stale" in page
    assert "Was reported: Open" in page


def test_a_state_becomes_stale_by_the_clock_alone(add, read, site):
    code = add(status="open", status_at=utcnow(), status_until=utcnow() + timedelta(hours=1))
    assert "is-stale" not in read(f"/zh/shelters/{code}/")
    with time_machine.travel(utcnow() + timedelta(hours=2), tick=True):
        assert "is-stale" in read(f"/zh/shelters/{code}/")


def test_filters_are_forms_and_styles_and_count_only_what_is_known(add, read, site):
    add(name_en="Ramp Hall", step_free=True, pets=None, medical=False, night=True)
    text = read("/en/shelters/")
    assert re.search(r'<li class="place has-step_free has-night"', text)
    style = next(p for p in files(site) if re.match(r"assets/shelters-\w+\.css", p))
    css = read("/" + style, again=False)
    for name in ("step_free", "pets", "night", "medical"):
        assert f'<input type="checkbox" id="f-{name}">' in text
        assert f"body:has(#f-{name}:checked) .place:not(.has-{name})" in css
    assert "unknown: Pets allowed" in text


def test_each_entrance_says_steps_and_hours_and_each_fact_how_old_it_is(add, read):
    now, doors = utcnow(), [(True, "24h"), (False, "08:00-22:00"), (None, "")]
    ages = {name: now - timedelta(hours=n) for n, name in enumerate(("status_at", "occupancy_at", "checked_at"), 1)}
    code = add(status="open", occupancy=40, source="Street office", source_date=now.date(), pets=False, water=True, **ages,
               entrances=[Entrance(name_en=f"Gate {n}", name_zh=f"{n}号门", longitude=114.35, latitude=22.69, step_free=free,
                                   hours=hours) for n, (free, hours) in enumerate(doors)])
    page = lxml.html.fromstring(read(f"/en/shelters/{code}/"))
    told = [" ".join(row.text_content().split()) for row in page.xpath("//section[h2='Entrances']//li")]
    for row, words in zip(told, (("Gate 0", "yes", "day and night"), ("Gate 1", "no", "08:00-22:00"),
                                 ("Gate 2", "unknown", "Hours: unknown")), strict=True):
        assert all(word.lower() in row.lower() for word in words), row
    old = page.xpath("//section[starts-with(h2, 'How old')]")[0]
    said = [datetime.fromisoformat(at) for at in old.xpath(".//time/@datetime")]
    assert said == [at.replace(microsecond=0) for at in ages.values()]
    assert "Street office" in old.text_content()
    assert now.date().isoformat() in old.text_content()
    has = page.xpath("//section[h2='What it has']")[0].text_content()
    for known in ("300", "200", "600 m²", "2 m²"):
        assert known in has


def test_everything_that_is_unknown_says_so(add, read):
    code = add(code="BARE", suitability={}, level=None, duration=None, space=None, function=None, region_code=None, address_zh="",
               address_en="", longitude=None, latitude=None, area_m2=None, m2_per_person=None, capacity_day=None,
               capacity_night=None, step_free=None, night=None, source="", pinyin="", name_en="")
    page = read(f"/en/shelters/{code}/")
    for words in ("State unknown: nobody has reported it", "number of places unknown", "Address unknown",
                  "Nobody has entered where it is on the map.", "No entrance is known.", "never reported"):
        assert words in page
    assert page.count("nobody has examined it: do not rely on it") == 6
    assert "None" not in page
    assert "Community unknown" in read("/en/shelters/", again=False)


def test_what_people_wrote_is_text_and_an_odd_code_names_no_file(add, read, site):
    add(code="../../x", name_zh="<script>alert(1)</script>", name_en="A & <b>")
    text = read("/zh/shelters/")
    assert "<script>alert" not in text
    assert "&lt;script&gt;alert(1)" in text
    slug = slug_of("../../x")
    assert f"zh/shelters/{slug}/index.html" in files(site)
    assert slug_of("44031000-1.a") == "44031000-1.a"


def test_only_what_changed_is_rendered_again(add, site):
    first, second = add(), add()
    publish(site)
    before = files(site)
    with site.app_context(), transaction() as session:
        row = session.query(Shelter).filter_by(code=first).one()
        row.status, row.status_at = "open", utcnow()
    publish(site)
    after = files(site)
    changed = {name for name, inode in after.items() if before.get(name) != inode}
    assert f"zh/shelters/{first}/index.html" in changed
    assert f"zh/communities/{LIULIAN}/index.html" in changed
    assert not {name for name in changed if second in name or name.startswith("assets/") or "440310001002" in name}
    assert "fields/index.json" not in changed
    assert "fields/shelters.json" in changed


def test_a_retired_shelter_is_gone_from_every_page(add, read, site):
    code = add(name_en="Former Hall", retired_at=utcnow())
    assert "Former Hall" not in read("/en/shelters/")
    assert not [name for name in files(site) if code in name]


def test_programs_get_geojson_with_null_for_unknown(add, read):
    add(code="G1", longitude=114.35, latitude=22.69, pets=None, suitability={"flood": True})
    add(code="G2", longitude=None, latitude=None)
    features = {f["id"]: f for f in json.loads(read("/feeds/shelters.geojson"))["features"]}
    assert features["G1"]["geometry"] == {"type": "Point", "coordinates": [114.35, 22.69]}
    assert features["G2"]["geometry"] is None
    properties = features["G1"]["properties"]
    assert properties["pets"] is None
    assert properties["suitability"] == dict.fromkeys(HAZARDS) | {"flood": True}
    assert not {"contact_phone", "version", "created_at"} & set(properties)
