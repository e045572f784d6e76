"""What a publishing cannot make anew stays as it was, and says so, and holds nothing else back."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from flask import Flask
from sqlalchemy.exc import OperationalError

from portal.core.clock import utcnow
from portal.site import assets, standing
from portal.site import publish as publisher
from portal.site.publish import publish
from tests.site.records import record


def test_a_page_that_is_taken_over_keeps_the_style_of_its_time(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    publish(site)
    client = site.test_client()
    old = re.findall(r'"(/assets/site-[^"]+\.css)"', client.get("/zh/shelters/").text)[0]
    with site.app_context():
        record("20261122-01")
    monkeypatch.setattr(publisher, "code_version", lambda: "an upgrade")
    monkeypatch.setattr(assets, "lean", lambda path: path.read_bytes() + b"\n")

    def broken(*_: object) -> None:
        raise RuntimeError("the shelters of the new version cannot be read")

    monkeypatch.setattr(publisher.shelters, "fill", broken)
    publish(site)
    assert re.findall(r'"(/assets/site-[^"]+\.css)"', client.get("/zh/").text) != [old]
    assert client.get("/zh/shelters/").status_code == 200
    assert client.get(old).status_code == 200


def test_a_past_warning_that_can_no_longer_be_rendered_holds_no_other_back(site: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with site.app_context():
        record("20251101-01", issued=utcnow() - timedelta(days=300))
    publish(site)
    client = site.test_client()
    before = client.get("/zh/warnings/20251101-01/").data
    whole = publisher.Renderer.warning

    def picky(self: publisher.Renderer, story: publisher.Story, language: str, path: str) -> bytes:
        if story.warning.number in broken:
            raise KeyError("a word that this version no longer knows")
        return whole(self, story, language, path)

    asked: list[str] = []

    def lost(self: publisher.Renderer, story: publisher.Story, language: str, path: str) -> bytes:
        asked.append(story.warning.number)
        raise OperationalError("select", {}, Exception("the server closed the connection"))

    broken = {"20251101-01"}
    monkeypatch.setattr(publisher.Renderer, "warning", picky)
    monkeypatch.setattr(publisher, "code_version", lambda: "an upgrade")
    with site.app_context():
        record("20261125-01", tier="red")
    publish(site)
    assert client.get("/zh/warnings/20251101-01/").data == before
    assert client.get("/api/v1/warnings/20251101-01").status_code == 200
    assert client.get("/zh/warnings/20261125-01/").status_code == 200
    assert "/zh/warnings/20261125-01/" in client.get("/zh/").text
    with site.test_request_context():
        found = standing.look(site.extensions["anlan"], utcnow())
        assert (found.trouble, found.broken) == (standing.BROKEN, ("20251101-01",))
        assert "20251101-01" in standing.words(found, site.extensions["anlan"])[0]
    monkeypatch.setattr(publisher.Renderer, "warning", lost)
    with pytest.raises(OperationalError):  # not this warning: none is asked for after it, and none is called broken
        publish(site)
    assert asked == ["20251101-01"]
    monkeypatch.setattr(publisher.Renderer, "warning", picky)
    broken.clear()
    publish(site)
    assert standing.look(site.extensions["anlan"], utcnow()).trouble == ""
    broken.add("20261125-01")  # in force: nobody may believe that it is out
    with pytest.raises(KeyError):
        publish(site, everything=True)
    assert client.get("/zh/warnings/20261125-01/").status_code == 200


def test_a_number_that_changed_is_not_taken_over(site: Flask) -> None:
    publish(site)
    site.extensions["anlan"] = site.extensions["anlan"].model_copy(update={"twilio_from": "+15005550006"})
    publish(site)
    assert "sms:+15005550006" in site.test_client().get("/zh/subscribe/").text
