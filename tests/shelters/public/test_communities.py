"""A community's page: what is in force there, the ways in tables, whom to call, what cuts the way, what is prepared."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.regions import lookup
from portal.shelters.field import recompute
from portal.shelters.models import CommunityPost, Obstruction, Preparedness, RiskPoint
from portal.shelters.roads import store as roads
from portal.site.publish import publish
from tests.district import LIULIAN
from tests.shelters.grid import STEP_LAT, STEP_LON, grid
from tests.shelters.public.conftest import files
from tests.shelters.public.test_lists import section
from tests.site.records import record

PAGE = f"/zh/communities/{LIULIAN}/"
#: Room for everybody who lives in the community.
ROOMY = {"capacity_day": 90_000, "capacity_night": 90_000}
ENGLISH = f"/en/communities/{LIULIAN}/"


@pytest.fixture
def town(site):
    """Streets over the community; how a node's place is told: `town(column, row)`."""
    with site.app_context():
        west, south, east, north = lookup.box(LIULIAN)
        columns, rows = int((east - west) / STEP_LON) + 1, int((north - south) / STEP_LAT) + 1
        roads.save(grid(columns, rows, west, south), source="test")

    def at(column: float, row: float) -> dict[str, float]:
        return {"longitude": west + (east - west) * column, "latitude": south + (north - south) * row}

    return at


def compute(site):
    with site.app_context():
        assert recompute.now("test")


def put(site, *rows):
    with site.app_context(), transaction() as session:
        session.add_all(rows)


def test_the_ways_are_tables_with_steps_that_need_no_script(site, town, add, read):
    add(name_zh="六联小学", name_en="Liulian School", status="open", status_at=utcnow(), **ROOMY, **town(0.5, 0.5))
    compute(site)
    text = read(ENGLISH)
    table = text[text.index("<table"):text.index("</table>")]
    assert "Liulian School" in table
    assert re.search(r'<td class="nb">\d+ min<br>', table)
    assert re.search(r"<td>\d+ min</td></tr>", " ".join(table.split())), "and without steps, at the same door"
    assert "Road" in table[table.index("<details>"):]
    assert "No suitable shelter is open now" not in text
    chinese = read(PAGE, again=False)
    assert "横" in chinese[chinese.index("<details>"):]
    assert "路" in chinese[chinese.index("<details>"):]
    for page in (text, chinese):
        assert not re.search(r"<script(?![^>]*\bsrc=)|\sstyle=", page)


def test_ways_of_the_plan_say_that_doors_may_be_locked(site, town, add, read):
    add(status="standby", status_at=utcnow(), **town(0.5, 0.5))
    compute(site)
    assert "doors may be locked until a warning calls for opening" in read(ENGLISH)
    assert "可能未开门" in read(PAGE, again=False)


def test_where_no_safe_route_is_known_it_says_stay_go_up_call_119(site, town, add, read):
    add(suitability={"typhoon": True}, status="open", status_at=utcnow(), **town(0.5, 0.5))
    add(suitability={"earthquake": None}, status="open", status_at=utcnow(), **town(0.4, 0.5))
    compute(site)
    text = read(ENGLISH)
    water = text[text.index("Rainstorm, flood and storm surge</h3>") if "Rainstorm, flood and storm surge</h3>" in text
                 else text.index("Rainstorm, flood and storm surge"):]
    assert "No safe route" in water
    assert "119" in water


def test_without_a_field_it_says_so_and_still_names_the_shelters(add, read):
    add(name_en="Near Hall")
    text = read(ENGLISH)
    assert "The ways have not been computed yet." in text
    assert "Near Hall" in text


def test_its_own_shelters_say_for_which_dangers_they_serve_and_of_which_nobody_knows(add, read):
    add(name_en="Own Hall", suitability={"typhoon": True, "earthquake": False})
    add(name_en="Hall elsewhere", region_code="440310001002")
    own = section(read(ENGLISH), "own")
    assert "Own Hall" in own
    assert "Hall elsewhere" not in own
    yes, no, unknown = (own.index(words) for words in ("Suitable for:", "Not for:", "Unknown, do not rely on it:"))
    assert "Typhoon" in own[yes:no]
    assert "Earthquake" in own[no:unknown]
    assert "Landslide" in own[unknown:]


def test_warnings_in_force_here_and_no_others(site, read):
    with site.app_context():
        record("20261122-01")
        record("20261122-02", areas=({"code": "440310005000", "zh": "坑梓街道", "en": "Kengzi"},))
        record("20261122-03", exercise=True)
    text = read(PAGE)
    assert "/zh/warnings/20261122-01/" in text
    assert "20261122-02" not in text
    assert "20261122-03" not in text, "a drill is never on a public page"


def test_posts_risks_obstructions_and_the_ten_are_told_with_what_is_missing_and_unknown(site, read):
    now = utcnow()
    put(site,
        CommunityPost(region_code=LIULIAN, position=1, post_zh="社区值班室", post_en="Duty room", phone="0755 8462 0000"),
        RiskPoint(code="R1", region_code=LIULIAN, kind="slope", name_zh="后山边坡", name_en="Back slope", people=40),
        Preparedness(region_code=LIULIAN, item="speakers", there=True),
        Preparedness(region_code=LIULIAN, item="alarms", there=False),
        Obstruction(kind="waterlogging", name_zh="涵洞积水", name_en="Flooded underpass", radius=30.0, effect="cuts",
                    geometry={"type": "Point", "coordinates": [114.35, 22.69]}, families=["water"], region_codes=[LIULIAN],
                    begins_at=now - timedelta(hours=1), expires_at=now + timedelta(hours=1), source="desk", created_by="x",
                    created_at=now, changed_at=now))
    text = read(ENGLISH)
    assert '<a class="tel" href="tel:075584620000">0755 8462 0000</a>' in text
    for words in ("Duty room", "Back slope", "40 people in its reach", "Flooded underpass", "There: 1. Missing: 1. Unknown: 8."):
        assert words in text
    chinese = read(PAGE, again=False)
    for words in ("社区值班室", "后山边坡", "涵洞积水", "已有 1 项，缺少 1 项，不清楚 8 项。"):
        assert words in chinese


def test_nothing_entered_is_not_told_as_nothing_there(read):
    text = read(ENGLISH)
    assert "None has been entered. That is not the same as none." in text
    assert "No duty phone of this community has been entered." in text
    assert "Unknown: 10." in text


def test_an_unchanged_community_is_not_rendered_again_by_a_new_field(site, town, add):
    add(status="open", status_at=utcnow(), **town(0.5, 0.5))
    compute(site)
    publish(site)
    before = files(site)
    add(region_code="440310001002", suitability={"fire": False}, status="open", status_at=utcnow(), **town(0.1, 0.1))
    compute(site)
    publish(site)
    after = files(site)
    changed = {name for name, inode in after.items() if before.get(name) != inode}
    assert "zh/communities/440310001002/index.html" in changed
    assert f"zh/communities/{LIULIAN}/index.html" not in changed
    assert f"fields/{LIULIAN}.json" in changed


def test_paper_is_linked_in_the_language_of_the_page(read):
    text = read(PAGE)
    for kind in ("map", "plan", "card"):
        assert f'href="/paper/{LIULIAN}/{kind}-zh.pdf"' in text
