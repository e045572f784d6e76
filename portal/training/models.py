"""Tables of training: who learns, what was loaded from files, how far somebody is, what was answered in practice."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from sqlalchemy import Boolean, Float, ForeignKey, Index, Integer, LargeBinary, String, UniqueConstraint, text
from sqlalchemy.orm import Mapped, deferred, mapped_column

from portal.core.db import Base, BigId, Json, UtcDateTime


class Learner(Base):
    """A person behind a proven phone. `phone_index` is the one of subscribers; `tail`: the last four digits, for lists.
    `name_sealed` is NULL until somebody gives a name; it is sealed for the place ``learner.<id>``. `on_call_at`: since when
    somebody who is certified may be called as a first responder; NULL where nobody agreed to that."""

    __tablename__ = "learner"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    phone_sealed: Mapped[bytes] = mapped_column(LargeBinary(64))
    phone_index: Mapped[bytes] = mapped_column(LargeBinary(16), unique=True)
    tail: Mapped[str] = mapped_column(String(4))
    name_sealed: Mapped[bytes | None] = mapped_column(LargeBinary(400))
    language: Mapped[str] = mapped_column(String(8))
    region_code: Mapped[str | None] = mapped_column(String(12), index=True)  # the community
    joined_at: Mapped[datetime] = mapped_column(UtcDateTime)
    seen_at: Mapped[datetime] = mapped_column(UtcDateTime)
    on_call_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    # The number of somebody who erased himself is never another's: it stands in the trail and in what waits on phones.
    __table_args__ = ({"sqlite_autoincrement": True},)


class LearnerSession(Base):
    """A phone that is signed in: the hash of the cookie's secret."""

    __tablename__ = "learner_session"
    token_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"), index=True)
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    expires_at: Mapped[datetime] = mapped_column(UtcDateTime, index=True)


class CourseVersion(Base):
    """A course as it was loaded: never changed afterwards. The newest row of a slug is the one that is current. `version` is
    what course.yaml says, `sha256` is of the course's files, `data` as :mod:`portal.training.course_codec` writes it."""

    __tablename__ = "course_version"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    slug: Mapped[str] = mapped_column(String(64))
    version: Mapped[str] = mapped_column(String(40))
    sha256: Mapped[str] = mapped_column(String(64))
    data: Mapped[dict[str, Any]] = deferred(mapped_column(Json))
    loaded_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_course_version_slug", "slug", "id"),)


class CourseMedium(Base):
    """A picture of any version of any course, by what is in it."""

    __tablename__ = "course_medium"
    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    body: Mapped[bytes] = mapped_column(LargeBinary)


class Enrolment(Base):
    """Somebody takes a course. `at_lesson`: the lesson that was opened last, to resume there. From `region_code` (the learner's)
    on: how somebody stands, kept by :mod:`portal.training.standing` so that lists of thousands are read and not worked out.
    `best_percent` of `attempts` ended exams; `theory_at`, `practical_at`: since when each part is passed; `certified_until`: the
    end of the certificate that holds (year 9999: without end), NULL for none."""

    __tablename__ = "enrolment"
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("course_version.id"))
    started_at: Mapped[datetime] = mapped_column(UtcDateTime)
    at_lesson: Mapped[str | None] = mapped_column(String(64))
    at: Mapped[datetime] = mapped_column(UtcDateTime)
    region_code: Mapped[str | None] = mapped_column(String(12))
    lessons_done: Mapped[int] = mapped_column(Integer, default=0)
    attempts: Mapped[int] = mapped_column(Integer, default=0)
    best_percent: Mapped[int | None] = mapped_column(Integer)
    theory_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    practical_at: Mapped[datetime | None] = mapped_column(UtcDateTime)
    certified_until: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_enrolment_slug", "slug", "learner_id"),
                      Index("ix_enrolment_region", "slug", "region_code", "learner_id"),
                      # Few among many, looked for by trainers: who waits for the practical part, for a certificate, who has one.
                      *(Index(f"ix_enrolment_{name}", "slug", "region_code", "learner_id", sqlite_where=text(those),
                              postgresql_where=text(those)) for name, those in (
                          ("practical", "theory_at IS NOT NULL AND practical_at IS NULL"),
                          ("uncertified", "practical_at IS NOT NULL AND certified_until IS NULL"),
                          ("certified", "certified_until IS NOT NULL"))))


class LessonProgress(Base):
    """A lesson that somebody has opened; `done_at` when it was marked as done."""

    __tablename__ = "lesson_progress"
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    lesson_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    opened_at: Mapped[datetime] = mapped_column(UtcDateTime)
    done_at: Mapped[datetime | None] = mapped_column(UtcDateTime)


class PracticeAnswer(Base):
    """One answer to a question of practice. `ref` is made where the question was shown: sent twice, it counts once. `rev` is
    the question's, `answer` as :mod:`portal.training.grading` takes it, `points` from 0 to 1."""

    __tablename__ = "practice_answer"
    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"))
    ref: Mapped[str] = mapped_column(String(36))
    slug: Mapped[str] = mapped_column(String(64))
    version_id: Mapped[int] = mapped_column(BigId, ForeignKey("course_version.id"))
    module_id: Mapped[str] = mapped_column(String(64))
    question_id: Mapped[str] = mapped_column(String(64))
    rev: Mapped[int] = mapped_column(Integer)
    answer: Mapped[Any] = mapped_column(Json)
    points: Mapped[float] = mapped_column(Float)
    right: Mapped[bool] = mapped_column(Boolean)
    answered_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (UniqueConstraint("learner_id", "ref"),
                      Index("ix_practice_answer_learner", "learner_id", "slug", "question_id", "id"))


class ReviewCard(Base):
    """A question that somebody got wrong, and when it comes again. `card` is what the scheduler keeps of it."""

    __tablename__ = "review_card"
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"), primary_key=True)
    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    question_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    card: Mapped[dict[str, Any]] = mapped_column(Json)
    due_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_review_card_due", "learner_id", "due_at"),)
