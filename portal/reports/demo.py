"""Reports of the demonstration: dangers as residents may have told of them, each in another state. All of it is invented."""

from __future__ import annotations

import io
import random
import uuid
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta

from sqlalchemy import select, update

from portal import current_settings
from portal.config import TIERS
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import db, transaction
from portal.core.phones import DEMONSTRATION_PREFIX
from portal.identity.listing import holders
from portal.identity.models import Account
from portal.identity.rights import DRAFTER
from portal.regions import lookup
from portal.reports import taking, triage
from portal.reports.models import ACCEPTED, ACTING, RESOLVED, DangerReport, ReportEvent

Step = Callable[[str, str], AbstractContextManager[None]]

#: The act in the trail that says that all of it is there.
FILLED = "demo.reports"
_REFS = uuid.UUID("0b7f6b1a-3f0e-4d5c-9a63-58d0f1c2a7e4")
#: Kind, community, road, words, language, hours ago, photo.
REPORTS = (
    ("water", "440310001001", "中山大道下穿通道", "下穿通道积水到膝盖，两辆车熄火停在里面，水还在涨。", "zh", 2, True),
    ("water", "440310001001", "中山大道与行政一路交叉口", "路口下面的通道全是水，公交车绕行了。", "zh", 1, True),
    ("tree", "440310001002", "公园南门", "一棵大榕树倒在人行道上，压住了路灯的电线。", "zh", 5, True),
    ("slope", "440310005001", "后山步道",
     "Small stones keep falling onto the footpath behind the school, and there is a new crack above it.", "en", 7, False),
    ("fire", "440310002001", "", "三栋一楼楼梯间停了十几辆电动车在充电，把疏散通道堵死了。", "zh", 30, False),
    ("road", "440310003001", "东纵路", "路中间的井盖不见了，晚上没有灯，很危险。", "zh", 52, False),
)
#: What staff did with them, by their place above: the state and a word to the reporter.
STEPS = {2: (ACCEPTED, "已通知园林抢险队，请绕行，勿靠近电线。"), 4: (ACTING, "消防网格员已到场，正在清理。"),
         5: (RESOLVED, "井盖已补装，谢谢您。")}


def seed(step: Step) -> None:
    """Bring in what is missing; a second start finds all of it there and is quick."""
    if db.session.execute(select(audit.AuditEntry.seq).where(audit.AuditEntry.action == FILLED)).first() is not None:
        return
    with step(f"{len(REPORTS)} 条居民隐患上报", f"{len(REPORTS)} reports of residents"):
        officer = _officer()
        for place in range(len(REPORTS)):
            _report(place, officer)
        with transaction() as session:
            audit.append(session, audit.SYSTEM, FILLED, f"region:{current_settings().district}")


def _officer() -> Account | None:
    return next(iter(holders(DRAFTER, [current_settings().district], TIERS[0])), None)


def _report(place: int, officer: Account | None) -> None:
    kind, community, road, words, language, hours, pictured = REPORTS[place]
    at = utcnow() - timedelta(hours=hours)
    point = _point(community) if pictured else ""
    made = taking.take(taking.Typed(
        ref=str(_ref(place)), kind=kind, words=words, community=community, point=point, place=road, language=language,
        seconds=90.0,
        phone=f"{DEMONSTRATION_PREFIX}000009{place:02d}" if place % 2 == 0 else "", observed_at=at.isoformat()),
        [_picture(place)] if pictured else [])
    with transaction() as session:
        row = session.get(DangerReport, made.report.id)
        if row is not None and not row.demonstration:
            row.demonstration, row.received_at, row.state_at = True, at, at
            if place % 2 == 0:
                row.phone_proved_at = at
            session.execute(update(ReportEvent).where(ReportEvent.report_id == row.id).values(at=at))
    if officer is not None and place in STEPS and not made.again:
        triage.move(officer, made.report.id, 1, *STEPS[place])


def _point(community: str) -> str:
    """Somewhere within the community."""
    shape = lookup.current().geometries([community]).get(community)
    if shape is None:
        return ""
    at = shape.representative_point()
    return f"{at.x:.6f},{at.y:.6f}"


def _ref(place: int) -> uuid.UUID:
    """The same at each start, so that one that was broken off doubles nothing."""
    return uuid.UUID(bytes=uuid.uuid5(_REFS, str(place)).bytes, version=4)


def _picture(place: int) -> bytes:
    """A drawn street in the rain: no photo of a real place or person."""
    from PIL import Image, ImageDraw

    chance = random.Random(place)  # noqa: S311 - a picture, not a secret
    image = Image.new("RGB", (960, 720), (150, 163, 172))
    draw = ImageDraw.Draw(image)
    for n in range(5):
        left = n * 200 - chance.randint(0, 60)
        draw.rectangle((left, chance.randint(80, 220), left + 150, 460), fill=(chance.randint(90, 130),) * 3)
    draw.rectangle((0, 440, 960, 720), fill=(98, 92, 78))
    for _n in range(60):
        x, y = chance.randint(0, 960), chance.randint(460, 715)
        draw.line((x, y, x + chance.randint(30, 120), y + 4), fill=(132, 126, 110), width=3)
    for _n in range(220):
        x, y = chance.randint(0, 960), chance.randint(0, 700)
        draw.line((x, y, x - 8, y + 28), fill=(198, 206, 212), width=1)
    draw.rounded_rectangle((380, 470, 640, 590), 28, fill=(40, 52, 66))
    draw.polygon(((430, 475), (470, 410), (560, 410), (610, 475)), fill=(60, 74, 90))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=70)
    return out.getvalue()
