"""CAP: what others write is understood or refused with a reason."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from portal.warnings import cap
from tests.warnings.cap_facts import ABSENT, FACTS, SAMPLES, alert


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
