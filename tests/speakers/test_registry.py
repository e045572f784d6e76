"""The registry answers what planning, the desk and the import ask of it."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import event, select

from portal.channels.speakers import demo, importer, registry
from portal.channels.speakers.bridge import State
from portal.channels.speakers.models import Speaker
from portal.channels.speakers.states import StateBuffer
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.regions import lookup
from tests.district import settle_regions

DISTRICT, STREET, COMMUNITY = "440310000000", "440310001000", "440310001001"


@pytest.fixture
def district(context: Flask) -> Flask:
    """The demonstration district with its 195 horns."""
    settle_regions()
    assert demo.seed(195, DISTRICT) == 195
    return context


def everyone() -> list[Speaker]:
    return list(db.session.execute(select(Speaker).order_by(Speaker.id)).scalars())


def around(speaker: Speaker, metres: float = 5) -> dict:
    return {"type": "Circle", "center": [speaker.longitude, speaker.latitude], "radius": metres}


def test_the_demonstration_has_its_horns_where_people_live(district: Flask) -> None:
    horns = everyone()
    assert [lookup.at_point(s.longitude, s.latitude) for s in horns] == [s.region_code for s in horns]
    counts = {code: registry.count_in([code]) for code in lookup.communities_under([DISTRICT])}
    populations = {code: lookup.population_of([code]) for code in counts}
    assert all(abs(n - 195 * populations[c] / sum(populations.values())) < 1 for c, n in counts.items())
    first = next(s for s in horns if s.region_code == COMMUNITY)
    node = lookup.get(COMMUNITY)
    assert (first.name_zh, first.name_en) == (f"{node.name_zh} 1 号喇叭", f"{node.name_en.removesuffix(' Community')} horn 1")
    assert demo.seed(195, DISTRICT) == 0, "a second start adds none"


def test_the_same_district_gets_the_same_horns_again(district: Flask) -> None:
    before = [(s.address, s.longitude, s.latitude) for s in everyone()]
    with transaction() as session:
        session.query(Speaker).delete()
    demo.seed(195, DISTRICT)
    assert [(s.address, s.longitude, s.latitude) for s in everyone()] == before


@given(st.integers(0, 500), st.lists(st.integers(0, 10**6), min_size=1, max_size=40))
def test_shares_add_up_and_are_fair(count: int, weights: list[int]) -> None:
    shares = demo.share_out(count, weights)
    assert sum(shares) == count
    if total := sum(weights):
        assert all(abs(share - count * w / total) < 1 for share, w in zip(shares, weights, strict=True))


def test_paging_a_community_meets_each_enabled_horn_once(district: Flask) -> None:
    horns = [s for s in everyone() if s.region_code == COMMUNITY]
    with transaction() as session:
        session.get(Speaker, horns[1].id).enabled = False
    met, last = [], 0
    while ids := registry.page(COMMUNITY, last, 2):
        assert len(ids) <= 2
        met, last = met + ids, ids[-1]
    assert met == [s.id for s in horns if s.id != horns[1].id]
    assert registry.count_in([COMMUNITY]) == len(met)
    assert registry.count_in([STREET]) == len(list(registry.devices_in([STREET])))
    assert registry.count_in([]) == 0


def test_a_drawn_area_takes_only_the_horns_inside(district: Flask) -> None:
    horns = everyone()
    one = next(s for s in horns if s.region_code == COMMUNITY)
    inside = {s.region_code for s in horns if (s.longitude, s.latitude) == (one.longitude, one.latitude)}
    assert registry.in_area(around(one)) == dict.fromkeys(sorted(inside), 1)
    assert registry.page(COMMUNITY, 0, 100, around(one)) == [one.id]
    assert registry.page(COMMUNITY, one.id, 100, around(one)) == []
    assert registry.count_in([DISTRICT], around(one)) == 1
    outline = lookup.outline([DISTRICT])
    whole = {"type": "Polygon", "coordinates": [[[114.0, 22.0], [115.0, 22.0], [115.0, 23.0], [114.0, 23.0], [114.0, 22.0]]]}
    assert outline
    assert sum(registry.in_area(whole).values()) == 195
    # A page of one goes on past the horns that the box holds and the shape does not.
    met, last = [], 0
    while ids := registry.page(COMMUNITY, last, 1, whole):
        met, last = met + ids, ids[-1]
    assert len(met) == registry.count_in([COMMUNITY])


def test_lists_are_narrowed_by_region_state_and_words(district: Flask) -> None:
    registry.set_states([(State("440310001001-01", "playing"), utcnow())])
    assert [s.address for s in registry.list_speakers([STREET], state="playing")] == ["440310001001-01"]
    assert [s.address for s in registry.list_speakers(text="001001-02")] == ["440310001001-02"]
    assert registry.list_speakers(text="100%_") == []
    assert len(registry.list_speakers(limit=10)) == 10
    assert registry.by_address("440310001001-01").id == registry.id_of(["440310001001-01", "x"])["440310001001-01"]
    ids = [s.id for s in everyone()]
    assert [s.id for s in registry.load([*reversed(ids), 10**9])] == ids
    assert len(list(registry.all_addresses("mqtt", demonstration=True))) == 195


def test_states_of_all_horns_are_one_transaction(district: Flask) -> None:
    buffer, commits = StateBuffer(), []
    for speaker in everyone():
        for state in ("online", "playing", "online"):
            buffer.put(State(speaker.address, state, firmware="2.0", volume=70))
    buffer.put(State("not-registered", "online"))
    db.session.rollback()
    event.listen(db.engine, "commit", lambda _c: commits.append(1))
    assert buffer.flush() == 196
    assert len(commits) == 1
    db.session.expire_all()
    assert {(s.state, s.firmware, s.volume) for s in everyone()} == {("online", "2.0", 70)}
    assert buffer.flush() == 0


def test_a_last_will_keeps_what_was_known(district: Flask) -> None:
    address = everyone()[0].address
    registry.set_states([(State(address, "online", firmware="2.0", volume=70, battery=50), utcnow())])
    registry.set_states([(State(address, "offline"), utcnow())])
    speaker = registry.by_address(address)
    assert (speaker.state, speaker.firmware, speaker.volume, speaker.battery) == ("offline", "2.0", 70, 50)


def test_a_failing_database_loses_no_state(district: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    buffer, address = StateBuffer(), everyone()[0].address
    buffer.put(State(address, "playing"))
    with monkeypatch.context() as broken:
        broken.setattr(registry, "transaction", lambda: (_ for _ in ()).throw(RuntimeError("down")))
        with pytest.raises(RuntimeError):
            buffer.flush()
    assert buffer.flush() == 1
    assert registry.by_address(address).state == "playing"


def test_the_buffer_writes_by_itself(district: Flask) -> None:
    from tests.waiting import until

    address = everyone()[0].address
    buffer = StateBuffer(district)
    buffer.start()
    buffer.put(State(address, "fault"))

    def written() -> bool:
        db.session.rollback()
        return registry.by_address(address).state == "fault"
    until(written, "the fault is in the registry")
    buffer.put(State(address, "offline"))
    buffer.close()
    db.session.rollback()
    assert registry.by_address(address).state == "offline", "what was left is written at the end"


def test_a_horn_that_has_gone_quiet_is_shown_as_silent(district: Flask) -> None:
    now, (a, b, c, *_) = utcnow(), everyone()
    registry.set_states([(State(a.address, "online"), now), (State(b.address, "playing"), now - timedelta(hours=1)),
                         (State(c.address, "offline"), now - timedelta(hours=1))])
    db.session.expire_all()
    assert [registry.state_shown(s, now) for s in everyone()[:4]] == ["online", "silent", "offline", "unknown"]
    assert registry.health([DISTRICT], now) == registry.Health(195, {"offline": 1, "online": 1, "silent": 1, "unknown": 192})


HEADER = "address,name_zh,name_en,region_code,longitude,latitude,language,groups,enabled\n"
GOOD = f"h-1,六联 1 号,Liulian 1,{COMMUNITY},114.35,22.70,zh,schools; river,yes\n" \
       f"h-2,六联 2 号,Liulian 2,{COMMUNITY},114.36,22.71,en,,no\n"


@pytest.fixture
def write(tmp_path: Path) -> Callable[[str], Path]:
    def make(content: str) -> Path:
        (tmp_path / "horns.csv").write_text(content, encoding="utf-8")
        return tmp_path / "horns.csv"
    return make


def test_an_import_adds_and_then_changes(context: Flask, write: Callable[[str], Path]) -> None:
    settle_regions()
    report = importer.import_csv(write("\ufeff" + HEADER + GOOD))
    assert (report.rows, report.added, report.changed, report.problems) == (2, 2, 0, [])
    assert registry.by_address("h-1").groups == ["schools", "river"]
    assert not registry.by_address("h-2").enabled
    report = importer.import_csv(write(HEADER + GOOD.replace("114.35", "114.37")))
    assert (report.added, report.changed, registry.by_address("h-1").longitude) == (0, 2, 114.37)
    assert [e.action for e in db.session.execute(select(audit.AuditEntry)).scalars()].count("speakers.import") == 2


def test_a_check_changes_nothing_and_bad_rows_are_named(context: Flask, write: Callable[[str], Path]) -> None:
    settle_regions()
    assert importer.import_csv(write(HEADER + GOOD), check=True).rows == 2
    bad = (f"h/3,x,x,{COMMUNITY},114.3,22.7,zh,,yes\n" f"h-1,x,x,{COMMUNITY},114.3,22.7,zh,,yes\n"
           f"h-4,,x,{STREET},22.7,114.3,fr,,perhaps\n" "h-5,x,x,999,nowhere,22.7,zh,,yes\n" "h-6,x\n")
    report = importer.import_csv(write(HEADER + GOOD + bad))
    assert (report.rows, report.bad) == (7, 5)
    expected = [("line 4", "address"), ("line 5", "earlier line"), ("line 6", "swapped"),
                ("line 7", "no region"), ("line 8", "row")]
    assert all(line in problem and why in problem for problem, (line, why) in zip(report.problems, expected, strict=True))
    assert all(word in report.problems[2] for word in ("name_zh", "street", "language", "enabled"))
    assert everyone() == []


@pytest.mark.parametrize(("content", "why"), [("", "missing columns"), ("address,colour\nx,red\n", "unknown columns: colour"),
                                              (HEADER + 'h-1,"' + "x" * 200_000, "cannot be read")])
def test_a_file_that_is_no_list_of_horns_is_refused(context: Flask, write: Callable[[str], Path], content: str, why: str) -> None:
    report = importer.import_csv(write(content))
    assert report.bad == 1
    assert why in report.problems[0]


def test_the_import_command_tells_what_it_did(context: Flask, write: Callable[[str], Path], make_settings, monkeypatch) -> None:
    from click.testing import CliRunner

    from portal.cli import main

    settle_regions()
    settings = make_settings()
    monkeypatch.setattr("portal.config.load_settings", lambda: settings)
    runner = CliRunner()
    checked = runner.invoke(main, ["speakers", "import", "--check", str(write(HEADER + GOOD))])
    assert checked.output == "2 rows are good; nothing was changed\n"
    done = runner.invoke(main, ["speakers", "import", str(write(HEADER + GOOD))])
    assert (done.exit_code, done.output) == (0, "2 loudspeakers added, 0 changed\n")
    failed = runner.invoke(main, ["speakers", "import", str(write(HEADER + "x"))])
    assert (failed.exit_code, "line 2" in failed.output) == (1, True)
    key = runner.invoke(main, ["speakers", "key"]).output.strip()
    assert len(bytes.fromhex(key)) == 32
    assert runner.invoke(main, ["speakers", "key"]).output.strip() == key, "made once and kept"
