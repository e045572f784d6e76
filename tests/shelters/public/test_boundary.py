"""Whatever happens to the pages of shelters, warnings are published."""

from __future__ import annotations

import threading

import pytest
import sqlalchemy

from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.shelters.models import Shelter
from portal.shelters.public import fill, lists, one, press, standing
from portal.site import publish as publisher
from portal.site.publish import publish, root_of
from tests.shelters.public.conftest import files
from tests.site.records import record


def note(site):
    return standing.read(root_of(site.extensions["anlan"]))


def test_a_failing_part_leaves_the_warnings_published_and_the_last_pages_of_shelters(site, add, read, monkeypatch):
    code = add(name_en="Steady Hall")
    publish(site)
    before = files(site)
    with site.app_context():
        record("20261122-01")

    def broken(*_args):
        raise RuntimeError("no shelters today")

    monkeypatch.setattr(lists, "put", broken)
    publish(site)
    assert "20261122-01" in read("/zh/", again=False)
    after = files(site)
    own = {name for name in before if fill.is_own("/" + name.removesuffix("index.html"))}
    assert f"en/shelters/{code}/index.html" in own
    assert {name: after.get(name) for name in own} == {name: before[name] for name in own}
    said = note(site)
    assert (said.trouble, said.kept) == ("RuntimeError", len(own))


def test_the_trouble_is_noted_with_its_beginning_and_forgotten_when_it_is_over(site, monkeypatch):
    publish(site)
    assert note(site).trouble == ""
    with monkeypatch.context() as patched:
        patched.setattr(lists, "put", lambda *_args: 1 / 0)
        publish(site)
        first = note(site)
        publish(site)
        assert (note(site).trouble, note(site).since) == ("ZeroDivisionError", first.since)
    publish(site)
    assert (note(site).trouble, note(site).since) == ("", "")


def test_one_page_that_cannot_be_rendered_keeps_its_last_form_and_the_others_go_on(site, add, read, monkeypatch):
    bad, good = add(name_en="Odd Hall"), add(name_en="Even Hall")
    publish(site)
    with site.app_context(), transaction() as session:
        for shelter in session.query(Shelter):
            shelter.status, shelter.status_at = "open", utcnow()
    whole = one._context

    def context(press_, source, place, language):
        if place.shelter.code == bad:
            raise ValueError("cannot be drawn")
        return whole(press_, source, place, language)

    monkeypatch.setattr(one, "_context", context)
    assert "State unknown" in read(f"/en/shelters/{bad}/")
    assert "State unknown" not in read(f"/en/shelters/{good}/", again=False)
    assert (note(site).trouble, note(site).kept) == ("ValueError", 2)


def test_when_time_is_over_warnings_are_out_first_and_the_rest_follows(site, add, read, monkeypatch):
    code = add(name_en="Late Hall")
    publish(site)
    with site.app_context():
        record("20261122-01")
        with transaction() as session:
            shelter = session.query(Shelter).one()
            shelter.status, shelter.status_at = "open", utcnow()
    # The first round finds its time over at once; what it leaves is counted, and the next one has time again.
    monkeypatch.setattr(publisher, "ROUNDS", (-1.0, 60.0, 60.0))
    seen = []
    fill_shelters = publisher.Publishing.fill_shelters

    def watched(self, longest):
        behind = fill_shelters(self, longest)
        seen.append((behind, "/zh/warnings/20261122-01/" in self.building.entries))
        return behind

    monkeypatch.setattr(publisher.Publishing, "fill_shelters", watched)
    publish(site)
    assert seen[0][0] > 0
    assert seen[0][1], "the warning is in the first generation"
    assert seen[-1][0] == 0
    assert len(seen) == 2
    assert "Open" in read(f"/en/shelters/{code}/", again=False)


def test_pages_that_never_were_do_not_hold_a_warning_back_either(site, add, monkeypatch):
    publish(site)
    code = add(name_en="New Hall")
    with site.app_context():
        record("20261122-01")
    monkeypatch.setattr(publisher, "ROUNDS", (-1.0,))
    publish(site)
    assert (root_of(site.extensions["anlan"]) / "current/zh/warnings/20261122-01/index.html").exists()
    assert f"en/shelters/{code}/index.html" not in files(site)
    assert note(site).behind > 0
    monkeypatch.setattr(publisher, "ROUNDS", (60.0,))
    publish(site)
    assert f"en/shelters/{code}/index.html" in files(site)
    assert note(site).behind == 0


def test_what_every_page_leads_to_is_there_from_the_first_generation(site, monkeypatch):
    monkeypatch.setattr(publisher, "ROUNDS", (-1.0,))
    publish(site)
    there = files(site)
    for path in ("shelters/", "communities/", "route/", "offline/"):
        assert {f"{language}/{path}index.html" for language in ("zh", "en")} <= there.keys()
    assert {"sw.js", "manifest.webmanifest", "fields/shelters.json"} <= there.keys()


def test_a_long_round_ends_when_another_publisher_waits(site, add, monkeypatch):
    for number in range(4):
        add(name_en=f"Hall {number}")
    monkeypatch.setattr(press, "LEAST_SECONDS", -1.0)
    monkeypatch.setattr(publisher, "ROUNDS", (1e9,))
    second = threading.Thread(target=publish, args=(site,))
    whole, left = lists.put, []

    def put(press_, source):
        whole(press_, source)
        if threading.current_thread() is second:
            return
        second.start()
        while second.is_alive() and not press_.publishing.wanted():
            pass
        left.append(press_)

    monkeypatch.setattr(lists, "put", put)
    publish(site)
    second.join(60)
    assert left[0].behind > 0, "the first left its rest"
    assert note(site).behind == 0, "the second, for whom nobody waited, finished it"


def test_a_publishing_asks_the_database_as_often_for_twenty_shelters_as_for_two(site, add, monkeypatch):
    monkeypatch.setattr(publisher, "ROUNDS", (1e9,))  # all in one generation

    def asked():
        found = []
        with site.app_context():
            engine = db.engine
        sqlalchemy.event.listen(engine, "before_cursor_execute", listener := lambda *args: found.append(args[2]))
        try:
            publish(site, everything=True)
        finally:
            sqlalchemy.event.remove(engine, "before_cursor_execute", listener)
        return len(found)

    add(), add()
    publish(site)
    few = asked()
    for _number in range(18):
        add()
    assert asked() == few


def test_a_disk_that_fails_stops_the_whole_part_and_not_the_warnings(site, read, monkeypatch):
    publish(site)
    with site.app_context():
        record("20261122-01")

    def full(self, path, content_type, key, make, **_more):
        raise OSError("no space left")

    monkeypatch.setattr(press.Press, "put", full)
    publish(site)
    assert "20261122-01" in read("/zh/", again=False)
    assert note(site).trouble == "OSError"


@pytest.mark.parametrize(("path", "own"), [
    ("/zh/shelters/", True), ("/en/communities/440310001001/", True), ("/zh/route/", True), ("/fields/440310001001.json", True),
    ("/sw.js", True), ("/manifest.webmanifest", True), ("/feeds/shelters.geojson", True), ("/zh/offline/", True),
    ("/zh/", False), ("/zh/warnings/20261122-01/", False), ("/feeds/warnings.geojson", False),
    ("/assets/sw-0123456789.js", False), ("/desk/shelters/", False)])
def test_only_its_own_paths_are_kept(path, own):
    assert fill.is_own(path) is own
