"""The same from the command line."""

from __future__ import annotations

import shutil

import pytest
from click.testing import CliRunner

from portal import create_app
from portal.cli import main
from portal.config import Settings
from portal.core import keys
from portal.core.db import db, transaction
from portal.identity.rights import TRAINER
from portal.training import courses_store
from portal.training.group_models import CohortMember
from portal.training.models import Enrolment, Learner
from tests import district
from tests.training.conftest import content, course  # noqa: F401  (fixtures)
from tests.training.groups.conftest import listed, made, people, phone
from tests.training.test_standing import attempt


@pytest.fixture
def cohort(tmp_path, sqlite_template, content, monkeypatch):  # noqa: F811
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    monkeypatch.setenv("ANLAN_INSTANCE", str(tmp_path))
    monkeypatch.setenv("ANLAN_CONTENT", str(content))
    monkeypatch.setenv("ANLAN_SURFACES", "hooks")
    app = create_app(Settings(instance=tmp_path, content=content, surfaces=("hooks",)))
    with app.app_context():
        courses_store.sync()
        district.settle_regions()
        yield made(district.office("trainer", (TRAINER, district.DISTRICT, "blue")))
        db.engine.dispose()
    assert keys.secret_key(app.extensions["anlan"])


def run(*arguments):
    db.session.rollback()
    found = CliRunner().invoke(main, ["training", *map(str, arguments)])
    db.session.rollback()
    return found


def test_a_list_goes_in_and_out_from_the_command_line(cohort, tmp_path):
    file = tmp_path / "list.csv"
    file.write_bytes(listed([*people(2), ("乙", "12", "", "")]).encode("gbk"))
    wrong = run("roster", "import", file, "--cohort", cohort.id)
    assert (wrong.exit_code, "line 4" in wrong.output, db.session.query(CohortMember).count()) == (1, True, 0)
    file.write_text(listed(people(2)), encoding="utf-8")
    assert run("roster", "import", file, "--cohort", cohort.id, "--check").exit_code == 0
    assert db.session.query(CohortMember).count() == 0
    assert run("roster", "import", file, "--cohort", cohort.id).exit_code == 0
    assert db.session.query(CohortMember).count() == 2
    assert str(cohort.id) in run("roster", "cohorts").output
    out = tmp_path / "out.csv"
    assert run("roster", "export", "--cohort", cohort.id, out).exit_code == 0
    assert out.read_text(encoding="utf-8-sig").splitlines()[1] == f"甲1,{phone(1)},S1,"
    again = run("roster", "import", out, "--cohort", cohort.id)
    assert "2 were members" in again.output
    for bad in (["import", file], ["export"]):
        assert run("roster", *bad, "--cohort", "01a213d1-5970-737a-877f-e830e220036f").exit_code == 1


def test_a_recount_mends_rows(cohort, tmp_path):
    file = tmp_path / "list.csv"
    file.write_text(listed(people(3)), encoding="utf-8")
    run("roster", "import", file, "--cohort", cohort.id)
    version = courses_store.current("sample")[0]
    with transaction() as session:
        for one in session.query(Learner):
            session.add(attempt(one.id, 1, 90, 5, passed=True))
            session.add(Enrolment(learner_id=one.id, slug="sample", version_id=version, started_at=one.joined_at,
                                  at=one.joined_at))
    assert run("recount").output.startswith("3 rows")
    assert [one.best_percent for one in db.session.query(Enrolment).populate_existing()] == [90] * 3
