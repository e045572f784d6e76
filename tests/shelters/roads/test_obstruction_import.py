"""A file of obstructions: first what would happen, then all of it or nothing, and again without doubling."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from flask import Flask
from sqlalchemy import func, select

from portal.core.audit import AuditEntry
from portal.core.clock import utcnow
from portal.core.db import db
from portal.identity.rights import SHELTERS
from portal.shelters.field import wish
from portal.shelters.models import Obstruction
from portal.shelters.roads import obstruction_import as rules
from portal.shelters.roads import obstructions
from portal.shelters.roads.obstruction_commands import obstructions as group
from tests import district
from tests.district import DISTRICT, PINGSHAN
from tests.shelters.roads.obstacles import FAR, feature, middle, point


@pytest.fixture
def keeper(context: Flask):
    district.settle_regions()
    return district.office("keeper", (SHELTERS, DISTRICT, "white"))


@pytest.fixture
def file(tmp_path: Path):
    def write(*features: object, text: str | None = None) -> Path:
        path = tmp_path / "closed.geojson"
        path.write_text(text or json.dumps({"type": "FeatureCollection", "features": list(features)}), encoding="utf-8")
        return path
    return write


def count() -> int:
    return db.session.scalar(select(func.count()).select_from(Obstruction))


def test_a_check_changes_nothing_and_says_what_would_happen(keeper, file):
    lon, lat = middle()
    bow = {"type": "Polygon", "coordinates": [[[lon, lat], [lon + .001, lat + .001], [lon + .001, lat], [lon, lat + .001],
                                               [lon, lat]]]}
    path = file(feature(), feature(external_id="r-2", geometry=bow), feature(external_id="r-1"), feature(kind="flood"), 7)
    plan = rules.check(keeper, path)
    assert [i.fate for i in plan.items] == ["new", "new", "bad", "bad", "bad"]
    assert [i.number for i in plan.bad] == [3, 4, 5]
    assert "feature 1" in plan.bad[0].reason or "1" in plan.bad[0].reason
    assert any(item.number == 2 for item in plan.noted)
    assert count() == 0
    assert not rules.apply(keeper, path).written
    assert count() == 0
    assert rules.apply(keeper, path, skip_bad=True).written
    assert count() == 2


def test_importing_again_changes_what_changed_and_doubles_nothing(keeper, file):
    rules.apply(keeper, file(feature(), feature(external_id="r-2", name_zh="东门")))
    again = rules.apply(keeper, file(feature(), feature(external_id="r-2", name_zh="西门"), feature(external_id="r-3")))
    assert [i.fate for i in again.items] == ["same", "changed", "new"]
    district.forget()
    assert count() == 3
    assert obstructions.by_external("r-2").name_zh == "西门"
    assert (obstructions.by_external("r-1").version, obstructions.by_external("r-2").version) == (1, 2)


def test_what_somebody_ended_here_is_not_begun_again_by_a_file(keeper, file):
    path = file(feature())
    rules.apply(keeper, path)
    obstructions.end(keeper, obstructions.by_external("r-1").id, 1)
    assert [i.fate for i in rules.apply(keeper, path).items] == ["ended"]
    assert obstructions.in_force(utcnow()) == []


def test_a_feature_outside_the_duty_is_bad_and_named(keeper, file):
    street = district.office("street", (SHELTERS, PINGSHAN, "white"))
    plan = rules.check(street, file(feature(), feature(external_id="far", name_zh="坑梓路", geometry=point(FAR))))
    assert [(i.number, i.name, i.fate) for i in plan.items][1] == (2, "坑梓路", "bad")
    rules.apply(None, file(feature(external_id="far", geometry=point(FAR))))
    pulled = rules.check(street, file(feature(external_id="far")))  # nor can it pull another street's into its own
    assert [i.fate for i in pulled.items] == ["bad"]


@pytest.mark.parametrize("text", ["", "[]", '{"type": "FeatureCollection", "features": [{"type": "Feature"',
                                  '{"type":"FeatureCollection","features":' + "[" * 5000, "\ufeff\x00"])
def test_a_file_that_breaks_off_changes_nothing(keeper, file, text):
    plan = rules.apply(keeper, file(text=text or " "), skip_bad=True)
    assert plan.fatal
    assert not plan.written
    assert count() == 0


def test_too_many_features_are_refused_as_a_whole(keeper, file, monkeypatch):
    monkeypatch.setattr(rules, "MAX_FEATURES", 2)
    plan = rules.apply(keeper, file(*(feature(external_id=str(n)) for n in range(3))))
    assert plan.fatal
    assert count() == 0


def test_an_import_is_one_entry_of_the_trail_beside_those_of_its_obstructions(keeper, file):
    rules.apply(keeper, file(feature(), feature(external_id="r-2")))
    acts = list(db.session.scalars(select(AuditEntry.action).where(AuditEntry.action.startswith("obstruction."))))
    assert sorted(acts) == ["obstruction.create", "obstruction.create", "obstruction.import"]


def test_an_import_asks_for_new_ways_once_and_one_that_changes_nothing_does_not(keeper, file):
    def wanted() -> int:
        district.forget()
        row = wish.state()
        return row.wanted if row else 0

    began, path = wanted(), file(feature(), feature(external_id="r-2"))
    rules.check(keeper, path)
    assert wanted() == began
    for _ in range(2):
        rules.apply(keeper, path)
        assert wanted() == began + 1


def test_the_command_names_what_is_bad_and_ends_with_an_error(keeper, file, make_settings, monkeypatch):
    monkeypatch.setattr("portal.config.load_settings", make_settings)
    path = file(feature(), feature(external_id="r-2", name_zh="\x1b[31m红", radius=-4))
    runner = CliRunner()
    checked = runner.invoke(group, ["import", "--check", str(path)])
    assert checked.exit_code == 1
    assert "feature 2" in checked.output
    assert "nothing was changed: this was a check" in checked.output
    assert "\x1b" not in checked.output
    assert runner.invoke(group, ["import", str(path)]).exit_code == 1
    district.forget()
    assert count() == 0
    done = runner.invoke(group, ["import", "--skip-bad", str(path)])
    assert (done.exit_code, "1 new" in done.output) == (0, True)
