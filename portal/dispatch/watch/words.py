"""Alarms in words: what stands still, and what to do about it."""

from __future__ import annotations

import uuid
from typing import Any

from flask_babel import force_locale
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.db import db
from portal.core.i18n import LANGUAGES
from portal.dispatch.models import PUSH, SMS, SPEAKERS, WEB, Alarm, Dispatch
from portal.dispatch.watch import rules
from portal.warnings import bulletins

WHAT = {
    rules.SENDING: _l("Nothing is being sent, although there is something to send"),
    rules.PLAN: _l("The recipients of a warning are not being determined"),
    rules.WORKERS: _l("No process that sends is running"),
    rules.SCHEDULERS: _l("No process that keeps the time is running"),
    rules.RECEIPTS: _l("Reports of carriers and devices are not being processed"),
    rules.BROKER: _l("The message broker cannot be reached"),
    rules.DATABASE: _l("The database does not answer"),
}
ADVICE = {
    rules.SENDING: _l("Look at the lines below: does the carrier take messages, and why not? Until then, use other channels."),
    rules.PLAN: _l("Look whether a process that sends is running, and at its log."),
    rules.WORKERS: _l("No text message, notification or loudspeaker is reached until one runs. Start “anlan worker”."),
    rules.SCHEDULERS: _l("Warnings do not expire by themselves, and pages are not made afresh. Start “anlan scheduler”."),
    rules.RECEIPTS: _l("Messages are sent all the same; only what became of them is not known. Look at the workers' logs."),
    rules.BROKER: _l("Messages are sent all the same, each up to a second later. Look at the broker."),
    rules.DATABASE: _l("Nothing can be issued or sent. Published pages stay as they are."),
}
_CHANNELS = {SMS: _l("Text messages"), SPEAKERS: _l("Loudspeakers"), PUSH: _l("Notifications on devices"),
             WEB: _l("Public page and feed")}


def subject(alarm: Alarm) -> tuple[str, str]:
    """Number of the warning and channel that an alarm is about; both empty where it is about the whole."""
    dispatch = _dispatch(alarm.subject) if alarm.kind in (rules.SENDING, rules.PLAN) else None
    bulletin = bulletins.get(dispatch.bulletin_id) if dispatch else None
    return (bulletin.warning_number, dispatch.channel) if dispatch and bulletin else ("", "")


def sentence(alarm: Alarm) -> str:
    """What stands still, of which warning and channel."""
    number, channel = subject(alarm)
    what = WHAT.get(alarm.kind, alarm.kind)
    return _("%(what)s: %(number)s, %(channel)s", what=what, number=number, channel=_CHANNELS[channel]) if number else str(what)


def payload(alarm: Alarm, event: str, process: str) -> dict[str, Any]:
    """What is posted of an alarm. `event`: raised or cleared. `text`: by language."""
    text = {}
    for language in LANGUAGES:
        with force_locale(language):
            text[language] = sentence(alarm)
    number, channel = subject(alarm)
    settings = current_settings()
    return {
        "event": event,
        "id": alarm.id,
        "kind": alarm.kind,
        "warning": number,
        "channel": channel,
        "text": text,
        "raised_at": alarm.raised_at.isoformat(),
        "cleared_at": alarm.cleared_at.isoformat() if alarm.cleared_at else None,
        "district": settings.district,
        "process": process,
        "page": f"{settings.base_url}/desk/status/",
    }


def _dispatch(text: str) -> Dispatch | None:
    try:
        return db.session.get(Dispatch, uuid.UUID(text))
    except ValueError:
        return None
