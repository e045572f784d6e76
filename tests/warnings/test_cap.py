"""CAP: what we write is valid and says what was meant."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from lxml import etree

from portal.warnings import cap, hazards
from tests.warnings.cap_facts import ABSENT, FACTS, SENT, WORDS, alert

EARLIER = ("warning@pingshan.example", "44031041600000_20261122070000", "2026-11-22T07:00:00+08:00")
CASES = {
    "an alert": alert(),
    "a drill": alert(exercise=True),
    "an update": alert(kind="update", references=[EARLIER]),
    "a cancel": alert(kind="cancel", references=[EARLIER, (*EARLIER[:1], "B", SENT)]),
    "a circle": alert(polygons=[], circles=[(114.3, 22.7, 1500)]),
    "an incident with a space": alert(incidents=["rain of May", "B"]),
    "white": alert(tier="white"),
    "no area": alert(areas=[], polygons=[], codes=[]),
    "one language": alert(words={"zh": WORDS["zh"]}),
}


@ABSENT
@pytest.mark.parametrize("schema", ["CAP-v1.2.xsd", "cap12_extended.xsd"])
@pytest.mark.parametrize("name", CASES)
def test_what_is_rendered_is_valid(name: str, schema: str) -> None:
    xsd = etree.XMLSchema(etree.parse(FACTS / schema))
    xsd.assertValid(etree.fromstring(cap.render(CASES[name])))


@pytest.mark.parametrize("name", CASES)
def test_what_is_rendered_reads_back_as_it_was_without_oddities(name: str) -> None:
    parsed = cap.parse(cap.render(CASES[name]))
    assert parsed.alert == CASES[name]
    assert (parsed.version, parsed.signed, parsed.oddities) == ("1.2", False, ())


def test_an_alert_says_what_every_rule_asks_for() -> None:
    text = cap.render(alert()).decode()
    assert "<sent>2026-11-22T08:30:05+08:00</sent>" in text
    assert (
        "<polygon>22.660000,114.300000 22.660000,114.360000 22.710000,114.360000 22.710000,114.300000 "
        "22.660000,114.300000</polygon>" in text
    )
    root = etree.fromstring(text.encode())
    assert root.xpath("//*[local-name()='language']/text()") == ["zh-CN", "en"]
    assert root.xpath("//*[local-name()='eventCode']/*/text()") == ["GB/T 35965", "11B03"] * 2
    pairs = [
        tuple(e.itertext())
        for e in etree.fromstring(cap.render(alert()), etree.XMLParser(remove_blank_text=True)).iterfind(
            ".//{*}parameter"
        )
    ]
    assert ("12379:SMS", "短信") in pairs
    assert ("12379:SPEAKER", "Horn") in pairs
    assert ("tier", "red") in pairs
    assert ("12379:severity", "Red") in pairs
    assert "Z<" not in text


@pytest.mark.parametrize(
    ("tier", "severity"),
    [("red", "Extreme"), ("orange", "Severe"), ("yellow", "Moderate"), ("blue", "Minor"), ("white", "Minor")],
)
def test_each_tier_has_its_severity(tier: str, severity: str) -> None:
    assert {info.severity for info in alert(tier=tier).infos} == {severity}


def test_a_drill_and_an_all_clear_say_that_they_are() -> None:
    drill, clear = alert(exercise=True), alert(kind="cancel", references=[EARLIER])
    assert (drill.status, clear.status) == ("Exercise", "Actual")
    assert "演练" in drill.note
    assert [info.responses for info in clear.infos] == [("AllClear",)] * 2


def test_the_same_facts_give_the_same_bytes() -> None:
    assert cap.render(alert()) == cap.render(alert())


@pytest.mark.parametrize(
    ("moment", "written"),
    [
        (SENT, "2026-11-22T08:30:05+08:00"),
        (SENT.replace(microsecond=999999), "2026-11-22T08:30:05+08:00"),
        (SENT.astimezone(UTC), "2026-11-22T00:30:05-00:00"),
        (SENT.astimezone(timezone(-timedelta(hours=3, minutes=30))), "2026-11-21T21:00:05-03:30"),
    ],
)
def test_times_are_written_as_cap_wants_them(moment: datetime, written: str) -> None:
    assert cap.stamp(moment) == written
    assert cap.moment(written) == moment.replace(microsecond=0)


def test_a_naive_time_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        cap.stamp(SENT.replace(tzinfo=None))


def first(**changes: Any) -> cap.CapAlert:
    whole = alert()
    return replace(whole, infos=tuple(replace(info, **changes) for info in whole.infos))


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (replace(alert(), identifier="a b"), "identifier"),
        (replace(alert(), sender="a,b"), "sender"),
        (replace(alert(), sender=""), "sender"),
        (replace(alert(), status="Real"), "status"),
        (replace(alert(), sent="2026-11-22T00:30:05Z"), "sent"),
        (replace(alert(), sent="2026-13-22T00:30:05+08:00"), "sent"),
        (replace(alert(), scope="Restricted"), "restriction"),
        (replace(alert(), restriction="x"), "restriction"),
        (replace(alert(), scope="Private"), "addresses"),
        (replace(alert(), message_type="Update"), "references"),
        (replace(alert(), references=(alert().reference,)), "itself"),
        (replace(alert(), references=(cap.Reference("a", "b", "2027-01-01T00:00:00+08:00"),)), "later"),
        (replace(alert(), incidents=('a"b',)), "incidents"),
        (first(expires=""), "expires"),
        (first(urgency="Now"), "urgency"),
        (first(categories=("Rain",)), "category"),
        (first(headline="a\x07b"), "headline"),
        (first(headline="a\ud800"), "headline"),
        (first(parameters=(("", "x"),)), "parameter"),
        (first(areas=(cap.CapArea("x", ceiling="9"),)), "ceiling"),
        (first(areas=(cap.CapArea("x", polygons=(((1.0, 2.0), (1.0, 3.0), (1.0, 2.0)),)),)), "polygon"),
        (
            first(
                areas=(
                    cap.CapArea(
                        "x", polygons=(((114.0, 22.0), (114.0, 23.0), (115.0, 23.0), (114.0, 22.0)),)
                    ),
                )
            ),
            "latitude",
        ),
        (
            replace(alert(), infos=(alert().infos[0], replace(alert().infos[1], event_codes=()))),
            "event codes",
        ),
    ],
)
def test_facts_that_no_valid_message_can_state_are_refused_by_name(facts: cap.CapAlert, reason: str) -> None:
    with pytest.raises(ValueError, match=reason):
        cap.render(facts)


def test_an_unknown_kind_or_tier_is_refused() -> None:
    with pytest.raises(ValueError, match="kind"):
        alert(kind="rumour")
    with pytest.raises(ValueError, match="tier"):
        alert(tier="green")


words = st.text(
    st.characters(exclude_categories=("Cc", "Cs"), exclude_characters="\ufffe\uffff"), max_size=80
).map(lambda text: text.strip(" \t\r\n"))


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.fixed_dictionaries(dict.fromkeys(("headline", "description", "instruction", "sms", "speaker"), words)),
    st.lists(
        st.tuples(st.floats(-180, 180), st.floats(-90, 90)),
        min_size=3,
        max_size=8,
        unique_by=lambda point: (round(point[0], 6), round(point[1], 6)),
    ),
)
def test_any_words_and_any_ring_survive_the_way_there_and_back(
    said: dict[str, str], ring: list[tuple[float, float]]
) -> None:
    facts = alert(words={"zh": said, "en": said}, polygons=[ring])
    assert cap.parse(cap.render(facts)).alert == facts


@ABSENT
def test_every_hazard_of_the_catalogue_can_be_said_in_valid_cap() -> None:
    catalogue = hazards.load(Path(__file__).resolve().parents[2] / "content")
    schemas = [etree.XMLSchema(etree.parse(FACTS / name)) for name in ("CAP-v1.2.xsd", "cap12_extended.xsd")]
    assert len(catalogue) >= 40
    for hazard in catalogue:
        facts = alert(hazard=hazard)
        assert [info.event for info in facts.infos] == [hazard.zh, hazard.en]
        assert {info.categories for info in facts.infos} == {(hazard.category,)}
        document = etree.fromstring(cap.render(facts))
        for schema in schemas:
            schema.assertValid(document)
