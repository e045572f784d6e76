"""The badge: a small drawing to show in public, with the credential baked in. It says what was learnt and until when, not by
whom."""

from __future__ import annotations

from datetime import date
from html import escape

from portal.training.certificates import serial as serials
from portal.training.certificates.carriers import baked
from portal.training.certificates.sheet import en_day, zh_day

_DRAWING = """<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 400 400" role="img" aria-label="{label}">
<path d="M200 14 372 62v142c0 92-70 150-172 182C98 354 28 296 28 204V62z" fill="#0b5876"/>
<path d="M200 30 357 74v130c0 83-62 134-157 164C105 338 43 287 43 204V74z" fill="none" stroke="#ffffff" stroke-width="3"/>
<path d="m158 118 30 30 56-58" fill="none" stroke="#ffffff" stroke-width="16" stroke-linecap="round" stroke-linejoin="round"/>
<g fill="#ffffff" text-anchor="middle" font-family="system-ui, 'Noto Sans SC', 'PingFang SC', 'Microsoft YaHei', sans-serif">
<text x="200" y="206" font-size="{zh_size}" font-weight="700">{zh}</text>
<text x="200" y="232" font-size="{en_size}">{en}</text>
<text x="200" y="268" font-size="14">{until}</text>
<text x="200" y="288" font-size="12">{until_en}</text>
<text x="200" y="322" font-size="14" letter-spacing="1">{serial}</text>
</g>
</svg>
"""


def svg(title_zh: str, title_en: str, serial: str, until: date | None, token: str) -> str:
    """The drawing with the credential `token` in it, as Open Badges 3.0 bake it (section 5.3.2)."""
    drawing = _DRAWING.format(
        label=escape(f"{title_zh} {title_en} {serials.shown(serial)}"), zh=escape(title_zh), en=escape(title_en),
        zh_size=_size(len(title_zh) * 1.0, 36, 300), en_size=_size(len(title_en) * 0.55, 17, 290), serial=serials.shown(serial),
        until=f"有效期至 {zh_day(until)}" if until else "长期有效",
        until_en=f"valid until {en_day(until)}" if until else "no end")
    return baked(drawing, token)


def _size(ems: float, size: float, room: float) -> str:
    return f"{min(size, room / max(ems, 1)):.1f}"
