"""The demonstration shows what the pages are for: questions to look at, communities with too few and with enough."""

import shutil
from contextlib import nullcontext

from sqlalchemy import func, select

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.training import courses_store
from portal.training.certificate_models import Certificate
from portal.training.certificates import serial
from portal.training.figures import audience, demo, measures, question_list, responders
from portal.training.models import Learner
from tests import district
from tests.training.conftest import CONTENT, link_the_rest


def test_it_comes_in_once_and_shows_every_state(tmp_path, sqlite_template):
    content = tmp_path / "content"
    (content / "courses").mkdir(parents=True)
    (content / "courses" / demo.COURSE).symlink_to(CONTENT / "courses" / demo.COURSE)
    link_the_rest(content)
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    app = create_app(Settings(instance=tmp_path, public_url="http://localhost", content=content, demo=True))
    with app.app_context():
        district.settle_regions()
        courses_store.sync()
        demo.seed(lambda _zh, _en: nullcontext())
        rows = question_list.rows(courses_store.current(demo.COURSE)[1])
        marks = [mark for row in rows for mark in row.marks]
        assert set(marks) == set(measures.MARKS)
        judged = [row for row in rows if row.asked and row.sums.n >= measures.FEWEST]
        assert sum(bool(row.marks) for row in judged) < len(judged) / 5, "most questions are fine"
        found = responders.overview(district.DISTRICT, 200)
        assert {one.verdict for one in found.communities} == {"met", "near", "below", "none"}
        assert found.district.ending
        assert sum(n > 0 for n in found.kinds.values()) >= 5
        serials = db.session.execute(select(Certificate.serial)).scalars().all()
        assert all(serial.is_whole(one) for one in serials)
        assert audience.refresh_all(app)
        before = db.session.scalar(select(func.count()).select_from(Learner))
        demo.seed(lambda _zh, _en: nullcontext())
        assert db.session.scalar(select(func.count()).select_from(Learner)) == before
        assert question_list.rows(courses_store.current(demo.COURSE)[1]) == rows
        db.engine.dispose()
