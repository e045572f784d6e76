"""Tables for trainers and the district: groups of learners, how each stands, and figures that are kept, not recounted."""

from __future__ import annotations

import uuid
from datetime import datetime

from sqlalchemy import Float, ForeignKey, Index, Integer, String
from sqlalchemy.orm import Mapped, mapped_column

from portal.core.db import Base, BigId, UtcDateTime, uuid7

#: What a cohort is: the kinds of place that the district must have responders in.
KINDS = ("school", "enterprise", "community", "mall", "metro", "other")


class Cohort(Base):
    """People who learn together: a class, a company's shift, a village's volunteers. `ended_at`: it is kept, and no longer
    listed among those at work."""

    __tablename__ = "cohort"
    id: Mapped[uuid.UUID] = mapped_column(primary_key=True, default=uuid7)
    name: Mapped[str] = mapped_column(String(120))
    kind: Mapped[str] = mapped_column(String(12))
    region_code: Mapped[str] = mapped_column(String(12))
    slug: Mapped[str] = mapped_column(String(64))
    version: Mapped[int] = mapped_column(Integer, default=1)
    made_at: Mapped[datetime] = mapped_column(UtcDateTime)
    ended_at: Mapped[datetime | None] = mapped_column(UtcDateTime)

    __table_args__ = (Index("ix_cohort_region", "region_code", "id"),)


class CohortMember(Base):
    """`number`: what the school or company calls the person (a pupil's or staff number), unique within the cohort if given."""

    __tablename__ = "cohort_member"
    cohort_id: Mapped[uuid.UUID] = mapped_column(ForeignKey("cohort.id", ondelete="CASCADE"), primary_key=True)
    learner_id: Mapped[int] = mapped_column(BigId, ForeignKey("learner.id", ondelete="CASCADE"), primary_key=True)
    number: Mapped[str | None] = mapped_column(String(40))
    added_at: Mapped[datetime] = mapped_column(UtcDateTime)

    __table_args__ = (Index("uq_cohort_member_number", "cohort_id", "number", unique=True),
                      Index("ix_cohort_member_learner", "learner_id"))


class QuestionFigure(Base):
    """How a question did in exams, over all ended attempts that were counted and in which anything was answered: `n` answers (0
    points for none), `blank` of them empty; the sums of its points x and of the share y that was won of all other questions of
    the same attempt. `xx`, `yy`, `xy` are sums of products of differences from the means of x and y, not of the values: so what
    is small beside n is not lost, however many answers there are."""

    __tablename__ = "question_figure"
    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    question_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    rev: Mapped[int] = mapped_column(Integer, primary_key=True)
    n: Mapped[int] = mapped_column(Integer)
    blank: Mapped[int] = mapped_column(Integer)
    x: Mapped[float] = mapped_column(Float)
    y: Mapped[float] = mapped_column(Float)
    xx: Mapped[float] = mapped_column(Float)
    yy: Mapped[float] = mapped_column(Float)
    xy: Mapped[float] = mapped_column(Float)


class QuestionChoice(Base):
    """How often an option (or an area of a picture) was chosen in the answers that :class:`QuestionFigure` counts. `choice` is
    its place in the bank, from 0."""

    __tablename__ = "question_choice"
    slug: Mapped[str] = mapped_column(String(64), primary_key=True)
    question_id: Mapped[str] = mapped_column(String(64), primary_key=True)
    rev: Mapped[int] = mapped_column(Integer, primary_key=True)
    choice: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    n: Mapped[int] = mapped_column(Integer)


class ResponderFigure(Base):
    """Certified responders of a community, by kind of place; `kind` is empty for all of them and ``ending`` for those whose
    certificate ends soon. Kept by a job, so that a page reads a few rows per community. An empty `region_code`: those whose
    community is not known."""

    __tablename__ = "responder_figure"
    region_code: Mapped[str] = mapped_column(String(12), primary_key=True)
    kind: Mapped[str] = mapped_column(String(12), primary_key=True)
    responders: Mapped[int] = mapped_column(Integer)
    at: Mapped[datetime] = mapped_column(UtcDateTime)
