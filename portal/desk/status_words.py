"""How the sending stands, in sentences that need no knowledge of how it is done."""

from __future__ import annotations

import math

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.channels.sms.lines.line import CLOSED, OPEN, TRYING
from portal.desk import labels
from portal.dispatch.models import PLANNING, SMS
from portal.dispatch.watch import said
from portal.dispatch.watch.journal import LATELY
from portal.dispatch.watch.outlook import Outlook
from portal.dispatch.watch.said import Line, Process

#: The state of a line: its word, and how it looks.
CIRCUITS = {CLOSED: _l("takes messages"), TRYING: _l("is being tried again"), OPEN: _l("takes none")}
KINDS = {said.WORKER: _l("sends"), said.SCHEDULER: _l("keeps the time"), said.RUN: _l("sends and keeps the time"),
         said.WEB: _l("answers pages")}
#: So many restarts of a keeper within LATELY are told of: once may be chance, or somebody's hand.
OFTEN = 3
LINE_KINDS = {"sandbox": _l("sandbox, no carrier")}


def outlook(o: Outlook) -> str:
    """“The carrier accepts about 40 a second; all sent in about 7 minutes.”"""
    dispatch = o.progress.dispatch
    if dispatch.state == PLANNING and not o.progress.planned:
        return _("The recipients are being determined.")
    if not o.moving:
        return _("All that may be sent now is sent; the others have quiet hours.") if o.progress.quiet else _("All is sent.")
    if not o.rate:
        if o.why:
            return _("Nothing is taken at present: %(why)s. It is tried again by itself.", why=labels.error(o.why))
        return _("It begins.") if dispatch.first_at is None else _("Nothing is taken at present. It is tried again by itself.")
    taken = _taken(dispatch.channel, o.rate)
    if o.seconds is None:
        return _("%(taken)s.", taken=taken)
    return _("%(taken)s; all sent in %(time)s.", taken=taken, time=about(o.seconds))


def _taken(channel: str, rate: float) -> str:
    if channel != SMS:
        return _("About %(n)s a second are taken", n=rounded(rate)) if rate >= 1 \
            else _("About %(n)s a minute are taken", n=rounded(rate * 60))
    if rate >= 1:
        return _("The carrier accepts about %(n)s a second", n=rounded(rate))
    return _("The carrier accepts about %(n)s a minute", n=rounded(rate * 60))


def about(seconds: float) -> str:
    """A time to come, no finer than it can be known; never too short."""
    if seconds < 60:
        return _("less than a minute")
    minutes = math.ceil(seconds / 60)
    if minutes < 100:
        return ngettext("about %(num)d minute", "about %(num)d minutes", minutes)
    hours, tens = divmod(math.ceil(minutes / 10) * 10, 60)
    if hours >= 48:
        return ngettext("about %(num)d day", "about %(num)d days", math.ceil(seconds / 86400))
    return _("about %(h)d h %(m)d min", h=hours, m=tens) if tens else _("about %(h)d h", h=hours)


def rounded(value: float) -> str:
    """Two figures that count: 43,217 is shown as 43,000."""
    if value <= 0:
        return "0"
    unit = 10 ** max(0, math.floor(math.log10(value)) - 1)
    return format_decimal(max(1, round(value / unit) * unit))


def line_state(line: Line) -> str:
    """“takes none, tries again in 12 s” and how many processes that concerns."""
    text = str(CIRCUITS[line.circuit])
    if line.circuit == OPEN and line.pause:
        text = _("%(state)s, tries again in %(n)d s", state=text, n=math.ceil(line.pause))
    elif line.pause:
        text = _("%(state)s, pauses for %(n)d s", state=text, n=math.ceil(line.pause))
    if line.shut and line.shut < line.users:
        text = _("%(state)s (not in %(n)d of %(all)d processes)", state=text, n=line.shut, all=line.users)
    return text


def line_kind(kind: str) -> str:
    return str(LINE_KINDS.get(kind, {"twilio": "Twilio", "smpp": "SMPP"}.get(kind, kind)))


def process_kind(process: Process) -> str:
    text = str(KINDS.get(process.kind, process.kind))
    return _("%(what)s, stands by", what=text) if process.kind == said.SCHEDULER and not process.leading else text


def keeper_ends(process: Process) -> str:
    """Said where the process beside a worker ends again and again; empty where it does not."""
    if process.keeper_lately < OFTEN:
        return ""
    minutes = LATELY.total_seconds() // 60
    return _(
        "Beside %(name)s, the process that reads and writes the database for it ended %(n)d times within %(minutes)d minutes.",
        name=process.name, n=process.keeper_lately, minutes=minutes)


def latency(seconds: float) -> str:
    if not seconds:
        return "—"
    return _("%(n)d ms", n=round(seconds * 1000)) if seconds < 1 else _("%(n).1f s", n=seconds)


def per_second(rate: float) -> str:
    return rounded(rate) if rate >= 10 or not rate else format_decimal(round(rate, 1))
