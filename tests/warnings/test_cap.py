"""CAP: what we write is valid and says what was meant; what others write is understood or refused with a
reason."""

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

FACTS = Path(__file__).resolve().parents[3] / "shared" / "cap"
SAMPLES = sorted((FACTS / "samples").glob("*")) if FACTS.exists() else []
ABSENT = pytest.mark.skipif(
    not FACTS.exists(), reason="the CAP schemas and samples lie outside the repository and are absent"
)
CHINA = timezone(timedelta(hours=8))
SENT = datetime(2026, 11, 22, 8, 30, 5, tzinfo=CHINA)
RING = [[114.30, 22.66], [114.36, 22.66], [114.36, 22.71], [114.30, 22.71]]
WORDS = {
    "zh": {
        "headline": "暴雨红色预警",
        "description": "大雨 & <危险>",
        "instruction": "避险",
        "sms": "短信",
        "speaker": "喇叭",
    },
    "en": {
        "headline": "Red rainstorm",
        "description": "Heavy rain",
        "instruction": "Take shelter",
        "sms": "SMS",
        "speaker": "Horn",
    },
}


def alert(**changes: Any) -> cap.CapAlert:
    values: dict[str, Any] = {
        "identifier": "44031041600000_20261122083005",
        "sender": "warning@pingshan.example",
        "sent_local": SENT,
        "kind": "alert",
        "exercise": False,
        "references": [],
        "tier": "red",
        "words": WORDS,
        "hazard": {"code": "11B03", "zh": "暴雨", "en": "Rainstorm", "category": "Met"},
        "areas": [{"code": "440310001000", "zh": "坪山街道", "en": "Pingshan Street"}],
        "polygons": [RING],
        "codes": ["440310001000"],
        "authority": {"zh": "应急管理局", "en": "Emergency Bureau"},
        "onset_local": SENT,
        "expires_local": SENT + timedelta(hours=6),
        "web_urls": {"zh": "https://warn.example/zh/warnings/20261122-01/"},
    }
    return cap.alert_for(**(values | changes))


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


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_broken_bytes_are_refused_in_words_and_never_crash(data: st.DataObject) -> None:
    whole = bytearray(cap.render(alert()))
    for _ in range(data.draw(st.integers(1, 6))):
        at = data.draw(st.integers(0, len(whole) - 1))
        whole[at : at + data.draw(st.integers(0, 40))] = data.draw(st.binary(max_size=12))
    refused = ""
    try:
        cap.parse(bytes(whole))
    except cap.Unreadable as refusal:
        refused = refusal.reason
    assert "Traceback" not in refused


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=300))
def test_noise_is_refused(noise: bytes) -> None:
    with pytest.raises(cap.Unreadable):
        cap.parse(noise)


# -- what others send --------------------------------------------------------------------------------------
ODD = {
    "australia.cap": ["parameter"],
    "iceland_met_office.cap": [],
    "mexico.xml": [],
    "no_info_tag.cap": [],
    **{
        f"v1dot{v}_appendix_adot{n}.xml": ["expires"] if n != 2 else []
        for v in (0, 1, 2)
        for n in (1, 2, 3, 4)
    },
}


@ABSENT
@pytest.mark.parametrize("path", SAMPLES, ids=lambda path: path.name)
def test_each_sample_is_understood_or_refused_as_expected(path: Path) -> None:
    if path.name == "invalid.cap":
        with pytest.raises(cap.Unreadable, match="<scope> is missing") as refusal:
            cap.parse(path.read_bytes())
        assert refusal.value.line == 2
        return
    parsed = cap.parse(path.read_bytes())
    assert sorted({o.message.split(">")[0].strip("<") for o in parsed.oddities}) == ODD[path.name], (
        parsed.oddities
    )
    assert parsed.version == (f"1.{path.name[5]}" if path.name.startswith("v1dot") else "1.2")
    assert parsed.alert.identifier
    assert all(o.line > 0 for o in parsed.oddities)


@ABSENT
def test_the_old_versions_mean_what_the_new_one_means() -> None:
    old, new = (
        cap.parse((FACTS / "samples" / f"v1dot{v}_appendix_adot2.xml").read_bytes()).alert.infos[0]
        for v in (0, 2)
    )
    assert old.event_codes == (("same", "SVR"),)
    assert old.areas[0].polygons == new.areas[0].polygons
    assert len(old.areas[0].geocodes) == 3
    assert cap.parse((FACTS / "samples" / "no_info_tag.cap").read_bytes()).signed


def changed(before: str, after: str) -> bytes:
    text = cap.render(alert()).decode()
    assert before in text
    return text.replace(before, after).encode()


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (changed("08:30:05+08:00</sent>", "08:30:05.5+08:00</sent>"), "<sent> is written"),
        (changed("2026-11-22T08:30:05+08:00</sent>", "2026-11-22T00:30:05Z</sent>"), "<sent> is written"),
        (changed("2026-11-22T08:30:05+08:00</sent>", "2026-11-22T00:30:05+00:00</sent>"), "-00:00"),
        (
            changed(
                "<scope>Public</scope>",
                "<scope>Public</scope><references>warning@pingshan.example,"
                "44031041600000_20261122083005,2026-11-22T08:30:05+08:00</references>",
            ),
            "itself",
        ),
        (
            changed("<scope>Public</scope>", "<scope>Public</scope><references>x,y</references>"),
            "sender,identifier,sent",
        ),
        (changed("<msgType>Alert", "<msgType>Cancel"), "names no earlier message"),
        (changed("<category>Met", "<category>Rain"), "<category>"),
        (changed("<severity>Extreme", "<severity>Red"), "<severity>"),
        (changed("<certainty>Likely", "<certainty>Very Likely"), "Likely"),
        (changed("<web>", "<web/><web>"), "repeated"),
        (changed("<polygon>22.660000,114.300000 ", "<polygon>"), "not closed"),
        (changed("<polygon>22.660000,114.300000 ", "<polygon>114.300000,22.660000 "), "left out"),
        (changed("</headline>", "</headline><colour>red</colour>"), "<colour> is not part"),
        (changed("<urgency>Immediate</urgency>", ""), "<urgency> is missing"),
        (changed(' xmlns="urn:oasis:names:tc:emergency:cap:1.2"', ""), "no namespace"),
        (
            cap.render(alert(words={"zh": {"headline": "rain"}}, authority={}, areas=[]))
            .decode()
            .replace("UTF-8", "ISO-8859-1")
            .replace("rain", "été")
            .replace("暴雨", "x")
            .encode("latin-1"),
            "ISO-8859-1",
        ),
        (cap.render(alert()).decode().replace("UTF-8", "UTF-16").encode("utf-16"), "UTF-16"),
    ],
)
def test_what_is_odd_is_taken_and_said(data: bytes, said: str) -> None:
    assert any(said in oddity.message for oddity in cap.parse(data).oddities), cap.parse(data).oddities


def test_tabs_and_line_ends_in_a_polygon_are_only_space() -> None:
    data = changed(
        "22.660000,114.300000 22.660000,114.360000", "22.660000,114.300000\t\n22.660000 , 114.360000"
    )
    assert cap.parse(data).alert == alert()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "not well-formed"),
        (b"<alert", "not well-formed"),
        (b"<html/>", "not <alert>"),
        (b'<alert xmlns="urn:other"/>', "namespace"),
        (b"\xff\xfe\x00", "XML"),
        (b'<?xml version="1.0" encoding="nonsense"?><alert/>', "XML"),
        (b'<!DOCTYPE a [<!ENTITY x "y">]><alert/>', "document type"),
        ('<!DOCTYPE a SYSTEM "file:///etc/passwd"><alert/>'.encode("utf-16"), "document type"),
        (b"<alert>" + b"<a>" * 60 + b"</a>" * 60 + b"</alert>", "nested"),
        (b"<alert>" + b"<a>" * 100_000, "XML"),
        (b"<alert>" + b" " * 1_100_000 + b"</alert>", "larger"),
        (changed("<sent>2026-11-22", "<sent>yesterday"), "<sent>"),
        (changed("<status>Actual", "<status>Perhaps"), "<status>"),
        (changed("<msgType>Alert", "<msgType>Rumour"), "<msgType>"),
        (changed("<scope>Public</scope>", ""), "<scope> is missing"),
        (changed("44031041600000_20261122083005", ""), "identifier"),
    ],
)
def test_what_cannot_be_relied_on_is_refused_with_the_reason(data: bytes, reason: str) -> None:
    with pytest.raises(cap.Unreadable, match=reason):
        cap.parse(data)


def test_a_refusal_names_the_line() -> None:
    with pytest.raises(cap.Unreadable) as refusal:
        cap.parse(changed("<status>Actual", "<status>Perhaps"))
    assert (refusal.value.line, str(refusal.value)[:7]) == (6, "line 6:")


def test_an_entity_bomb_is_refused_before_it_grows() -> None:
    bomb = (
        b'<!DOCTYPE a [<!ENTITY a "aaaaaaaaaa">'
        + b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(8))
        + b"]><alert>&i;</alert>"
    )
    with pytest.raises(cap.Unreadable, match="document type"):
        cap.parse(bomb)


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
