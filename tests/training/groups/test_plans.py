"""The gradebook's one statement on both databases: along an index, and no more rows than are shown, whatever is stored."""

from __future__ import annotations

import json
import uuid
from datetime import timedelta

from sqlalchemy import Integer, LargeBinary, String, Uuid, case, cast, func, insert, literal, null, select, text

from portal.core.clock import utcnow
from portal.core.db import Json, UtcDateTime, db, transaction
from portal.regions import lookup
from portal.training import courses_store
from portal.training.group_models import Cohort, CohortMember
from portal.training.groups import gradebook
from portal.training.groups.gradebook import ENDED, LACKS, UNKNOWN, View
from portal.training.models import Enrolment, Learner
from portal.training.practical_models import Assessment, PracticalSession
from tests.district import DISTRICT, KENGZI

MANY, FEW, IN_COHORT = 40_000, 1500, 500


class Crowd:
    """A district full of learners, each in a cohort and seen by an assessor; written by the database itself."""

    def __init__(self, trainer, people):
        version, self.course = courses_store.current("sample")
        self.cohort, session_id, now = uuid.uuid4(), uuid.uuid4(), utcnow()
        cohorts = [self.cohort, *(uuid.uuid4() for _n in range(people // IN_COHORT))]
        numbers = select(literal(1, Integer).label("i")).cte("numbers", recursive=True)
        numbers = numbers.union_all(select(numbers.c.i + 1).where(numbers.c.i < people))
        i, places = numbers.c.i, lookup.communities_under([DISTRICT])
        region = case(*((i % (len(places) + 1) == n, literal(code)) for n, code in enumerate(places)), else_=null())
        index = (func.decode(func.lpad(func.to_hex(i), 32, "0"), "hex") if db.engine.dialect.name == "postgresql"
                 else cast(func.printf("%016d", i), LargeBinary))
        ended = case((i % 6 != 1, null()), (i % 600 == 1, null()), (i % 7 == 1, literal(now - timedelta(days=1), UtcDateTime)),
                     else_=literal(now + timedelta(days=9), UtcDateTime))
        moment, passed = literal(now, UtcDateTime), i % 6 == 1
        with transaction() as session:
            self._fill(session, Learner, numbers, id=i, phone_sealed=literal(b"p"), phone_index=index, tail=literal("0000"),
                       language=literal("zh"), region_code=region, joined_at=moment, seen_at=moment)
            for slug in ("sample", "other"):
                self._fill(session, Enrolment, numbers, learner_id=i, slug=literal(slug), version_id=literal(version),
                           started_at=moment, at=moment, region_code=region, lessons_done=i % 3, attempts=i % 2,
                           theory_at=case((i % 3 > 0, moment), else_=null()), practical_at=case((passed, moment), else_=null()),
                           certified_until=ended)
            session.add_all([Cohort(id=one, name="c", kind="school", region_code=KENGZI, slug="sample", made_at=now)
                             for one in cohorts])
            session.add(PracticalSession(id=session_id, slug="sample", skills=["cpr"], place="p", region_code=KENGZI,
                                         starts_at=now, ends_at=now, seats=9, trainer_id=trainer.id, secret_sealed=b"s",
                                         made_at=now))
            session.flush()
            of = case(*((i % len(cohorts) == n, literal(one, Uuid)) for n, one in enumerate(cohorts[1:], 1)),
                      else_=literal(self.cohort, Uuid))
            self._fill(session, CohortMember, numbers, cohort_id=of, learner_id=i, number=cast(i, String), added_at=moment)
            self._fill(session, Assessment, numbers, ref=cast(i, String), session_id=literal(session_id, Uuid), learner_id=i,
                       slug=literal("sample"), skill=literal("cpr"), version_id=literal(version),
                       assessor_id=literal(trainer.id, Uuid), steps=literal({}, Json), passed=passed, settles=literal(False),
                       note=literal(""), seen_at=moment, received_at=moment)
        with db.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text("ANALYZE"))

    @staticmethod
    def _fill(session, table, numbers, **columns):
        session.execute(insert(table).from_select(list(columns), select(*columns.values()).select_from(numbers)))

    def views(self):
        community = lookup.communities_under([DISTRICT])[0]
        for lacks in ("", *LACKS):
            yield View(self.course, self.cohort, lacks=lacks)
            yield from (View(self.course, region_code=region, lacks=lacks)
                        for region in (community, KENGZI, DISTRICT, UNKNOWN))


def plan(view, after=""):
    """(each access of a table as the database words it, most rows that one of them read)."""
    asked = gradebook.statement(view, utcnow(), after=after, limit=51)
    sql = str(asked.compile(db.engine, compile_kwargs={"literal_binds": True}))
    if db.engine.dialect.name == "sqlite":
        rows = db.session.execute(text("EXPLAIN QUERY PLAN " + sql.replace(":", "\\:"))).all()
        return [row.detail for row in rows], None
    tree = db.session.execute(text("EXPLAIN (ANALYZE, FORMAT JSON) " + sql.replace(":", "\\:"))).scalar_one()
    tree = json.loads(tree) if isinstance(tree, str) else tree
    found, most, nodes = [], 0, [tree[0]["Plan"]]
    while nodes:
        node = nodes.pop()
        nodes += node.get("Plans", [])
        if "Relation Name" in node:
            found.append(f"{node['Node Type']} {node['Relation Name']} {node.get('Index Name', '')}")
            most = max(most, node["Actual Loops"] * (node["Actual Rows"] + node.get("Rows Removed by Filter", 0)))
    return found, most


def test_every_page_is_one_statement_along_an_index_and_reads_no_more_than_it_needs(trainer, statements):
    crowd = Crowd(trainer, MANY)
    for view in crowd.views():
        accesses, most = plan(view)
        told = (view.region_code or "cohort", view.lacks, accesses)
        if db.engine.dialect.name == "sqlite":
            assert not [one for one in accesses if one.startswith("SCAN") and one not in ("SCAN people",)], told
            assert not [one for one in accesses if "AUTOMATIC" in one], told
        else:
            assert not [one for one in accesses if one.startswith("Seq Scan")], told
            # whose certificate has ended is looked for among those who have one, a sixth of all
            assert most <= (MANY // 6 if view.lacks == ENDED and view.region_code else IN_COHORT), told
    del statements[:]
    db.session.rollback()
    found = gradebook.page(View(crowd.course, crowd.cohort), utcnow())
    assert len(found.lines) == gradebook.PAGE
    assert len([one for one in statements if one.startswith("SELECT")]) == 1


def test_pages_follow_each_other_without_gap_or_repetition_and_filters_agree_with_what_is_shown(trainer):
    crowd, now = Crowd(trainer, FEW), utcnow()
    for view in crowd.views():
        if view.region_code == DISTRICT and view.lacks:
            continue
        seen, after = [], ""
        while True:
            found = gradebook.page(view, now, after=after, limit=97)
            seen += found.lines
            if not (after := found.after):
                break
        ids = [one.learner_id for one in seen]
        assert len(set(ids)) == len(ids)
        everybody = list(gradebook.everybody(View(view.course, view.cohort_id, view.region_code), now))
        wanted = [one.learner_id for one in everybody if lacks(view.lacks, one, now)]
        assert ids == wanted, (view.region_code, view.lacks)
        assert all(one.skills["cpr"].state == ("passed" if one.learner_id % 6 == 1 else "not_yet") for one in everybody)


def lacks(what, line, now):
    ended = line.certified_until is not None and line.certified_until <= now
    return {"": True, "lessons": line.lessons_done < 2, "theory": line.theory_at is None,
            "practical": line.theory_at is not None and line.practical_at is None,
            "certificate": line.theory_at is not None and line.practical_at is not None and line.certified_until is None,
            "ended": ended}[what]
