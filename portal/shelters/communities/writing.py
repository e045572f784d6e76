"""Bringing the rows of a community into a wanted state, with as few changes as possible. Inside a caller's transaction."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from portal.shelters.models import CommunityPost, Preparedness, RiskPoint

#: Columns that a wanted state gives.
POST = ("post_zh", "post_en", "task_zh", "task_en", "phone")
RISK = ("kind", "name_zh", "name_en", "longitude", "latitude", "people", "note_zh", "note_en", "checked_at")
HAVE = ("there", "note_zh", "note_en", "checked_at")


@dataclass
class Rows:
    """A wanted state: posts in their order, risk points with their `code`, the ten by item."""

    code: str
    posts: list[dict[str, Any]] = field(default_factory=list)
    risks: list[dict[str, Any]] = field(default_factory=list)
    ten: dict[str, dict[str, Any]] = field(default_factory=dict)
    demonstration: bool = False


@dataclass
class Outcome:
    """Rows that were written or removed, and rows that were left because they are real and the wanted ones are not."""

    changed: int = 0
    left: int = 0


def replace(session: Session, rows: Rows) -> Outcome:
    """Make the community what `rows` say. Demonstration rows never replace real ones."""
    outcome = Outcome()
    _posts(session, rows, outcome)
    set_risks(session, rows, outcome)
    _ten(session, rows, outcome)
    return outcome


def set_posts(session: Session, code: str, posts: list[dict[str, Any]], *, demonstration: bool = False) -> None:
    """Replace the posts of a community, in this order."""
    session.execute(delete(CommunityPost).where(CommunityPost.region_code == code))
    session.add_all(CommunityPost(region_code=code, position=n, demonstration=demonstration, **post)
                    for n, post in enumerate(posts, start=1))
    session.flush()


def set_haves(session: Session, code: str, haves: dict[str, dict[str, Any]]) -> None:
    """Write some of the ten; what was a demonstration is one no longer."""
    query = select(Preparedness).where(Preparedness.region_code == code)
    there = {have.item: have for have in session.execute(query).scalars()}
    for item, values in haves.items():
        row = there.get(item)
        if row is None:
            row = Preparedness(region_code=code, item=item)
            session.add(row)
        for name, value in (values | {"demonstration": False}).items():
            setattr(row, name, value)
    session.flush()


def _posts(session: Session, rows: Rows, outcome: Outcome) -> None:
    query = select(CommunityPost).where(CommunityPost.region_code == rows.code).order_by(CommunityPost.position)
    there = list(session.execute(query).scalars())
    if rows.demonstration and any(not post.demonstration for post in there):
        outcome.left += len(there)
        return
    wanted = [(*(post[name] for name in POST), rows.demonstration) for post in rows.posts]
    if [(*(getattr(post, name) for name in POST), post.demonstration) for post in there] != wanted:
        set_posts(session, rows.code, rows.posts, demonstration=rows.demonstration)
        outcome.changed += max(len(there), len(wanted))


def set_risks(session: Session, rows: Rows, outcome: Outcome) -> None:
    """Make the risk points of a community what `rows` say."""
    wanted = {risk["code"]: risk for risk in rows.risks}
    mine = select(RiskPoint).where((RiskPoint.region_code == rows.code) | RiskPoint.code.in_(list(wanted)))
    there = {risk.code: risk for risk in session.execute(mine).scalars()}
    for code, row in there.items():
        if code in wanted:
            continue
        if rows.demonstration and not row.demonstration:
            outcome.left += 1
            continue
        session.delete(row)
        outcome.changed += 1
    for code, risk in wanted.items():
        old = there.get(code)
        if old is None:
            session.add(RiskPoint(region_code=rows.code, demonstration=rows.demonstration, **risk))
            session.flush()  # in the order of the file
            outcome.changed += 1
        elif rows.demonstration and not old.demonstration:
            outcome.left += 1
        else:
            values = {name: risk[name] for name in RISK} | {"region_code": rows.code, "demonstration": rows.demonstration}
            outcome.changed += _assign(old, values)


def _ten(session: Session, rows: Rows, outcome: Outcome) -> None:
    query = select(Preparedness).where(Preparedness.region_code == rows.code)
    there = {have.item: have for have in session.execute(query).scalars()}
    for item, row in there.items():
        if item not in rows.ten:
            if rows.demonstration and not row.demonstration:
                outcome.left += 1
                continue
            session.delete(row)
            outcome.changed += 1
    for item, have in rows.ten.items():
        old = there.get(item)
        if old is None:
            session.add(Preparedness(region_code=rows.code, item=item, demonstration=rows.demonstration, **have))
            outcome.changed += 1
        elif rows.demonstration and not old.demonstration:
            outcome.left += 1
        else:
            outcome.changed += _assign(old, have | {"demonstration": rows.demonstration})
    session.flush()


def _assign(row: Any, values: dict[str, Any]) -> int:
    """Set what differs; 1 if anything did."""
    different = {name: value for name, value in values.items() if getattr(row, name) != value}
    for name, value in different.items():
        setattr(row, name, value)
    return int(bool(different))
