"""Openings on the warning's public page and in its feed: real ones, with their state, and never a drill."""

from __future__ import annotations

import json
import uuid

import pytest

from portal import current_settings
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.shelters.living import opening, reports
from portal.site.generations import read_manifest
from portal.site.publish import Publishing, publish, root_of
from tests.shelters.living.one_database import database_url  # noqa: F401


@pytest.fixture
def published(district_, monkeypatch):
    """`published(path, …)`: the texts of these files after publishing the warnings once more."""
    monkeypatch.setattr(Publishing, "fill_shelters", lambda *_: 0)  # pages of their own, and slow

    def read(*paths):
        publish(district_)
        current = root_of(current_settings()) / "current"
        texts = [(current / read_manifest(current).entries[path].file).read_text() for path in paths]
        return texts if len(texts) > 1 else texts[0]
    return read


def test_the_page_and_the_feed_of_a_warning_name_what_was_opened_for_it(published, office, shelter, bulletin):
    call = bulletin()
    page = f"/en/warnings/{call.warning_number}/"
    assert "Shelters opened" not in published(page)
    made = opening.open_shelters(office, call, [shelter.id])
    text = published(page)
    assert 'href="/en/shelters/S1/">Sports hall</a>' in text
    assert "Opening" in text
    with transaction() as session:
        reports.report(session, shelter.id, ref=str(uuid.uuid4()), status="open", occupancy=40, observed_at=utcnow(),
                       source="keeper", reporter="Front door", keeper_id=1)
    english, chinese, feed = published(page, f"/zh/warnings/{call.warning_number}/", "/feeds/warnings.geojson")
    assert "200 places free" in english
    assert "体育馆" in chinese
    (named,) = json.loads(feed)["features"][0]["properties"]["shelters"]
    assert (named["code"], named["status"], named["free"]) == ("S1", "open", 200)
    opening.close_for(office, call.warning_id, seen=made.id)
    assert "Shelters opened" not in published(page)


def test_what_a_drill_opens_is_on_no_page_of_a_real_warning(published, office, shelter, bulletin):
    real, drill = bulletin(), bulletin(exercise=True)
    opening.open_shelters(office, drill, [shelter.id])
    page, feed = published(f"/en/warnings/{real.warning_number}/", "/feeds/warnings.geojson")
    assert "Shelters opened" not in page
    assert json.loads(feed)["features"][0]["properties"]["shelters"] == []


def test_a_warning_is_published_although_openings_cannot_be_read(published, shelter, bulletin, monkeypatch):
    monkeypatch.setattr("portal.site.publish.opened_for", lambda *_: 1 / 0)
    call = bulletin()
    assert "<h1>" in published(f"/en/warnings/{call.warning_number}/")
