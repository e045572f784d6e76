"""Warnings with their bulletins and CAP bytes, put into the database as issuing them would."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from portal.core.clock import local, utcnow
from portal.core.db import transaction
from portal.warnings import cap
from portal.warnings.models import ALERT, CANCEL, CANCELLED, IN_FORCE, Bulletin, Warning

ZONE = "Asia/Shanghai"
SENDER = "warning@pingshan.example"
AUTHORITY = {"zh": "坪山区应急管理局", "en": "Pingshan Emergency Management Bureau"}
HAZARD = {"code": "11B03", "zh": "暴雨", "en": "Rainstorm", "category": "Met"}
AREAS = (
    {"code": "440310001000", "zh": "坪山街道", "en": "Pingshan Subdistrict"},
    {"code": "440310006000", "zh": "龙田街道", "en": "Longtian Subdistrict"},
)
RING = [[114.30, 22.66], [114.36, 22.66], [114.36, 22.71], [114.30, 22.71], [114.30, 22.66]]
WORDS = {
    "zh": {
        "headline": "坪山区发布暴雨红色预警信号",
        "description": "过去3小时降雨量已达100毫米以上且降雨将持续。\n低洼地带可能严重内涝。",
        "instruction": "1. 立即停止户外活动和作业。\n2. 停课停工，就近避险。\n3. 远离河道、边坡和积水路段。",
        "sms": "暴雨红色预警：立即停止户外活动，就近避险。",
        "speaker": "暴雨红色预警，请立即就近避险。",
    },
    "en": {
        "headline": "Red rainstorm warning for Pingshan",
        "description": "More than 100 mm fell in three hours and the rain goes on.",
        "instruction": "1. Stop all outdoor activity.\n2. Take shelter nearby.\n"
        "3. Keep away from rivers, slopes and flooded roads.",
        "sms": "Red rainstorm warning: take shelter.",
        "speaker": "Red rainstorm warning. Take shelter.",
    },
}
CLEAR = {
    "zh": {"headline": "坪山区解除暴雨预警信号", "description": "降雨已减弱。"},
    "en": {"headline": "Rainstorm warning lifted", "description": "The rain has eased."},
}


def record(
    number: str,
    *,
    tier: str = "red",
    exercise: bool = False,
    words: dict[str, Any] | None = None,
    issued: datetime | None = None,
    hours: float = 6,
    kinds: Sequence[str] = (ALERT,),
    areas: Sequence[dict[str, str]] = AREAS,
    polygons: Sequence[Any] = (RING,),
) -> Warning:
    """A warning with a bulletin for each of `kinds`, ten minutes apart."""
    issued = (issued or utcnow() - timedelta(hours=1)).astimezone(UTC).replace(microsecond=0)
    expires = issued + timedelta(hours=hours)
    cancelled = kinds[-1] == CANCEL
    sents = [issued + timedelta(minutes=10 * at) for at in range(len(kinds))]
    warning = Warning(
        number=number,
        exercise=exercise,
        hazard=HAZARD["code"],
        tier=tier,
        state=CANCELLED if cancelled else IN_FORCE,
        onset=issued,
        expires=expires,
        issued_at=issued,
        ended_at=sents[-1] if cancelled else None,
        region_codes=[a["code"] for a in areas],
    )
    with transaction() as session:
        session.add(warning)
        session.flush()
        references: list[tuple[str, str, str]] = []
        for position, (kind, sent) in enumerate(zip(kinds, sents, strict=True), 1):
            bulletin = _bulletin(
                warning,
                kind,
                position,
                sent,
                references,
                (CLEAR if kind == CANCEL else words or WORDS),
                areas,
                polygons,
            )
            session.add(bulletin)
            references.append((SENDER, bulletin.identifier, cap.stamp(local(sent, ZONE))))
    return warning


def _bulletin(
    warning: Warning,
    kind: str,
    position: int,
    sent: datetime,
    references: list[tuple[str, str, str]],
    words: dict[str, Any],
    areas: Sequence[dict[str, str]],
    polygons: Sequence[Any],
) -> Bulletin:
    identifier = f"44031041600000_{warning.number}_{position}"
    data = cap.render(
        cap.alert_for(
            identifier=identifier,
            sender=SENDER,
            sent_local=local(sent, ZONE),
            kind=kind,
            exercise=warning.exercise,
            references=references,
            hazard=HAZARD,
            tier=warning.tier,
            words=words,
            areas=areas,
            polygons=polygons,
            codes=warning.region_codes,
            authority=AUTHORITY,
            onset_local=local(warning.onset, ZONE),
            expires_local=local(warning.expires, ZONE),
            web_urls={},
        )
    )
    snapshot = {
        "hazard": {k: HAZARD[k] for k in ("code", "zh", "en")},
        "areas": list(areas),
        "polygons": list(polygons),
        "target": {},
        "words": words,
        "authority": AUTHORITY,
        "people": {"author": "Officer Seven", "submitter": "Officer Seven", "approver": "Officer Nine"},
    }
    return Bulletin(
        warning_id=warning.id,
        warning_number=warning.number,
        position=position,
        kind=kind,
        exercise=warning.exercise,
        identifier=identifier,
        sender=SENDER,
        hazard=warning.hazard,
        tier=warning.tier,
        region_codes=warning.region_codes,
        audiences=[],
        sent_at=sent,
        onset=warning.onset,
        expires=warning.expires,
        snapshot=snapshot,
        draft_hash="0" * 64,
        cap=data,
        cap_sha256=hashlib.sha256(data).hexdigest(),
    )
