"""Typed text: areas come back as they were drawn, and edited words are never pushed aside."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest
from flask import Flask
from hypothesis import given
from hypothesis import strategies as st

from portal.core.errors import Invalid
from portal.core.i18n import LANGUAGES
from portal.desk import forms, wording
from portal.warnings.words import FIELDS

degrees = st.floats(-90, 90).map(lambda n: round(n, 6) + 0.0)
points = st.lists(st.tuples(degrees, degrees).map(list), min_size=3, max_size=20)
texts = st.fixed_dictionaries({lang: st.fixed_dictionaries({name: st.sampled_from(["", "old", "new", "own\nwords", " "])
                                                            for name in FIELDS}) for lang in LANGUAGES})


@given(points)
def test_a_polygon_comes_back_from_its_text(ring: list[list[float]]) -> None:
    area = {"type": "Polygon", "coordinates": [[*ring, ring[0]]]}
    assert forms.parse_area(forms.area_text(area)) == {"type": "Polygon", "coordinates": [ring]}


@given(degrees, degrees, st.floats(10, 99_999).map(lambda n: round(n, 1)))
def test_a_circle_comes_back_from_its_text(lon: float, lat: float, radius: float) -> None:
    area = {"type": "Circle", "center": [lon, lat], "radius": radius}
    assert forms.parse_area(forms.area_text(area)) == area


@pytest.mark.parametrize("text", ["114.3，22.6\n114.4，22.6\n114.4，22.7", "114.3 22.6; 114.4 22.6; 114.4 22.7",
                                  '{"type":"Feature","geometry":{"type":"Polygon","coordinates":[[[114.3,22.6],[114.4,22.6],[114.4,22.7]]]}}'])
def test_points_are_read_as_people_type_them(text: str) -> None:
    assert forms.parse_area(text) == {"type": "Polygon", "coordinates": [[[114.3, 22.6], [114.4, 22.6], [114.4, 22.7]]]}


@given(st.text(max_size=60))
def test_any_text_is_an_area_or_is_refused_in_words(text: str) -> None:
    try:
        found = forms.parse_area(text)
    except Invalid as refusal:
        fields = {p.field for p in refusal.problems}
    else:
        fields = {"target.area"}
        assert found is None or found["type"]
    assert fields == {"target.area"}


@given(texts, texts, texts, st.sampled_from([wording.ALL, wording.NEW, wording.NONE]))
def test_only_untouched_or_empty_places_take_the_templates_words(first: dict, typed_words: dict, fresh: dict, fill: str) -> None:
    typed = forms.Typed(words={lang: dict(typed_words[lang]) for lang in LANGUAGES},
                        offered={f"{lang}.{name}": wording.mark(first[lang][name]) for lang in LANGUAGES for name in FIELDS})
    kept = wording.take(typed, fresh, fill=fill)
    for lang in LANGUAGES:
        for name in FIELDS:
            before, after, new = typed_words[lang][name], typed.words[lang][name], fresh[lang][name]
            edited = before.strip() and before != first[lang][name]
            if edited:
                assert after == before
                assert (f"{lang}.{name}" in kept) == (wording.mark(before) != wording.mark(new))
            else:
                assert after in (before, new)


def test_the_end_in_hours_falls_on_a_full_ten_minutes(app: Flask) -> None:
    settings = app.extensions["anlan"]
    with app.test_request_context():
        for minute, expected in ((0, "12:00"), (1, "12:10"), (59, "13:00")):
            start = datetime(2026, 6, 1, 6, minute, tzinfo=UTC)
            made, _problems = forms.read(forms.Typed(), kind="alert", warning_id=None, now=start, settings=settings)
            assert f"{made.expires:%H:%M}" == expected
