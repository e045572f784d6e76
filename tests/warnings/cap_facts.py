"""Facts of one alert, and where the schemas and samples of CAP are when they are there."""

from __future__ import annotations

from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from portal.warnings import cap

FACTS = Path(__file__).resolve().parents[3] / "shared" / "cap"
SAMPLES = sorted((FACTS / "samples").glob("*")) if FACTS.exists() else []
ABSENT = pytest.mark.skipif(
    not FACTS.exists(), reason="the CAP schemas and samples lie outside the repository and are absent"
)
CHINA = timezone(timedelta(hours=8))
SENT = datetime(2026, 11, 22, 8, 30, 5, tzinfo=CHINA)
RING = [[114.30, 22.66], [114.36, 22.66], [114.36, 22.71], [114.30, 22.71]]
WORDS = {
    "zh": {
        "headline": "暴雨红色预警",
        "description": "大雨 & <危险>",
        "instruction": "避险",
        "sms": "短信",
        "speaker": "喇叭",
    },
    "en": {
        "headline": "Red rainstorm",
        "description": "Heavy rain",
        "instruction": "Take shelter",
        "sms": "SMS",
        "speaker": "Horn",
    },
}


def alert(**changes: Any) -> cap.CapAlert:
    values: dict[str, Any] = {
        "identifier": "44031041600000_20261122083005",
        "sender": "warning@pingshan.example",
        "sent_local": SENT,
        "kind": "alert",
        "exercise": False,
        "references": [],
        "tier": "red",
        "words": WORDS,
        "hazard": {"code": "11B03", "zh": "暴雨", "en": "Rainstorm", "category": "Met"},
        "areas": [{"code": "440310001000", "zh": "坪山街道", "en": "Pingshan Street"}],
        "polygons": [RING],
        "codes": ["440310001000"],
        "authority": {"zh": "应急管理局", "en": "Emergency Bureau"},
        "onset_local": SENT,
        "expires_local": SENT + timedelta(hours=6),
        "web_urls": {"zh": "https://warn.example/zh/warnings/20261122-01/"},
    }
    return cap.alert_for(**(values | changes))
