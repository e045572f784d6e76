"""What a resident wrote and photographed, sealed; each thing for its own place, so that moved elsewhere it does not open."""

from __future__ import annotations

import uuid

from flask import current_app

from portal import current_settings
from portal.core import keys
from portal.core.phones import PhoneBook
from portal.core.sealing import TextSeal
from portal.reports.models import DangerReport, ReportEvent, ReportPhoto

PURPOSE = "danger report"


def _seal() -> TextSeal:
    extensions = current_app.extensions
    if "report_seal" not in extensions:
        extensions["report_seal"] = TextSeal(keys.phone_key(current_settings()), PURPOSE)
    return extensions["report_seal"]


def book() -> PhoneBook:
    return current_app.extensions["phones"]


def words(report_id: uuid.UUID, text: str) -> bytes:
    return _seal().seal(text, f"danger_report.words.{report_id}")


def place(report_id: uuid.UUID, text: str) -> bytes | None:
    return _seal().seal(text, f"danger_report.place.{report_id}") if text else None


def event(report_id: uuid.UUID, text: str) -> bytes | None:
    return _seal().seal(text, f"danger_report_event.{report_id}") if text else None


def photo(report_id: uuid.UUID, position: int, body: bytes, *, small: bool) -> bytes:
    return _seal().seal_bytes(body, _photo(report_id, position, small))


def _photo(report_id: uuid.UUID, position: int, small: bool) -> str:
    return f"danger_report_photo.{report_id}.{position}.{'small' if small else 'whole'}"


# -- opening: empty for what was erased ------------------------------------------------------------------------
def words_of(report: DangerReport) -> str:
    return _seal().open(report.words_sealed, f"danger_report.words.{report.id}") if report.words_sealed else ""


def place_of(report: DangerReport) -> str:
    return _seal().open(report.place_sealed, f"danger_report.place.{report.id}") if report.place_sealed else ""


def event_of(row: ReportEvent) -> str:
    return _seal().open(row.words_sealed, f"danger_report_event.{row.report_id}") if row.words_sealed else ""


def phone_of(report: DangerReport) -> str:
    """The number (E.164); empty without one."""
    return book().open(report.phone_sealed) if report.phone_sealed else ""


def photo_of(row: ReportPhoto, *, small: bool) -> bytes:
    return _seal().open_bytes(row.small_sealed if small else row.body_sealed, _photo(row.report_id, row.position, small))
