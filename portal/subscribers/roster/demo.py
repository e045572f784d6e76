"""Lists of the demonstration: one that came in, with a few rows that could not be taken, and one that was thrown away."""

from __future__ import annotations

import io
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager

from sqlalchemy import select

from portal import current_settings
from portal.core import audit
from portal.core.db import db
from portal.regions import lookup
from portal.subscribers import demo
from portal.subscribers.models import RosterImport
from portal.subscribers.roster import batches, running, staging, taking
from portal.subscribers.roster.columns import HEADS
from portal.subscribers.roster.rows import Said

Step = Callable[[str, str], AbstractContextManager[None]]
_PUPILS, _WORKERS = 60, 12
#: Beyond those of the other subscribers of the demonstration.
_FIRST = 2_000_000


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds it there."""
    communities = [node for code in lookup.communities_under([current_settings().district]) if (node := lookup.get(code))]
    if not communities or db.session.execute(select(RosterImport.id).limit(1)).first() is not None:
        return
    with step("一份学校名单已导入", "a school's list of subscribers came in"):
        rows = [(demo.number(_FIRST + n).removeprefix("+86"), communities[n % 3].name_zh, "学校", "") for n in range(_PUPILS)]
        rows += [("1.29E+10", communities[0].name_zh, "学校", ""), ("12900", communities[0].name_zh, "学校", ""),
                 (demo.number(_FIRST + 900).removeprefix("+86"), "月亮社区", "学校", "")]
        school = _read("实验学校家长.csv", "2026 年秋季入学登记表，短信通知一栏（演示）", rows)
        taking.ask(None, school, skip_bad=True)
        taking.take_in(school)
        site = _read("工地人员.csv", "工地安全交底签字表（演示）", [
            (demo.number(_FIRST + 100 + n).removeprefix("+86"), communities[3].name_zh, "建筑工地", "") for n in range(_WORKERS)])
        running.drop(site, audit.SYSTEM)


def _read(name: str, basis: str, rows: Sequence[tuple[str, ...]]) -> str:
    text = "\n".join(",".join(row) for row in (HEADS["zh"], *rows))
    return staging.stage(batches.begin(None, name=name, basis=basis).id, io.BytesIO(text.encode()), Said()).id
