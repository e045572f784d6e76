"""How a dispatch stands, as an officer reads it: what is in trouble, what still moves, and the parts of its bar."""

from __future__ import annotations

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from flask_babel import format_decimal, ngettext
from flask_babel import gettext as _

from portal import current_settings
from portal.desk import labels
from portal.dispatch import tallies
from portal.dispatch.models import PLANNING, PUSH, RUNNING, SMS, SPEAKERS, STOPPED, WEB
from portal.dispatch.progress import Progress

#: Stages that tell that the message came to its end, and those that tell that it will not.
REACHED, LOST = ("delivered", "finished", "playing"), ("undelivered", "failed", "refused", "preempted", "expired")
#: Seconds between two looks while something is being sent, and while only receipts are awaited.
QUICK, SLOW = 2, 10
#: Without an acceptance for so long, the rate until then says nothing about the rest.
HALTED_AFTER = timedelta(seconds=15)

#: Below this a duration is told in seconds.
IN_SECONDS = 100


@dataclass(frozen=True)
class Part:
    """A stretch of the bar: `x` and `width` in thousandths of all that is planned."""

    kind: str
    x: int
    width: int


def active(p: Progress) -> bool:
    return p.dispatch.state in (PLANNING, RUNNING)


def reached(p: Progress) -> int:
    """How many are known to have it: delivered, or speaking or spoken; for the page, published."""
    return p.accepted if p.dispatch.channel == WEB else sum(p.stages.get(s, 0) for s in REACHED)


def lost(p: Progress) -> int:
    """How many will not have it through this channel although they should."""
    ends = (tallies.FAILED, tallies.INVALID, tallies.UNCERTAIN)
    return sum(p.ends.get(e, 0) for e in ends) + sum(p.stages.get(s, 0) for s in LOST)


def left_out(p: Progress) -> int:
    """How many it was not sent to: opted out, or too late, or stopped."""
    return sum(p.ends.get(e, 0) for e in (tallies.OPTED_OUT, tallies.EXPIRED, tallies.STOPPED)) + p.stages.get("stopped", 0)


def silent(p: Progress, now: datetime) -> int:
    """Accepted long enough ago, and nothing was heard since."""
    if p.dispatch.channel in (WEB, PUSH):
        return 0
    return p.overdue if _awaited(p, now) else p.silent


def unfinished(p: Progress, now: datetime) -> int:
    """Sent on by the carrier long enough ago, and whether they arrived was never told."""
    if p.dispatch.channel != SMS:
        return 0
    return p.overdue_sent if _awaited(p, now) else p.stages.get("sent", 0)


def _awaited(p: Progress, now: datetime) -> bool:
    """Whether a receipt may still come in its ordinary time."""
    last = p.dispatch.last_at
    return last is not None and now - last < timedelta(minutes=current_settings().receipt_timeout_minutes)


def interval(p: Progress, now: datetime) -> int:
    """Seconds until it is worth looking again; 0 when nothing moves any more."""
    if p.dispatch.ended_at is None:
        return SLOW if p.dispatch.state == RUNNING and p.quiet and p.pending == p.quiet else QUICK
    under_way = p.silent + p.stages.get("sent", 0) + p.stages.get("heard", 0) + p.stages.get("playing", 0)
    return SLOW if p.dispatch.channel not in (WEB, PUSH) and under_way and _awaited(p, now) else 0


def parts(p: Progress) -> list[Part]:
    """The bar: reached, taken, left out, lost, and what is still to be sent as the ground."""
    taken = max(0, p.ended - reached(p) - lost(p) - left_out(p))
    found, done, whole = [], 0, max(1, p.planned)
    for kind, n in (("good", reached(p)), ("some", taken), ("out", left_out(p)), ("bad", lost(p))):
        if n:
            start, end = done * 1000 // whole, (done + n) * 1000 // whole
            found.append(Part(kind, start, max(4, end - start)))  # one in twenty thousand is still to be seen
            done += n
    return found


def troubles(p: Progress, now: datetime) -> list[str]:
    """What an officer should know at once, in sentences; nothing when all is well."""
    found = []
    d = p.dispatch
    if d.last_error and active(p) and (n := p.pending - p.quiet):
        found.append(ngettext("%(number)s is not taken yet: %(error)s. It is tried again by itself until it expires.",
                              "%(number)s are not taken yet: %(error)s. They are tried again by themselves until it expires.",
                              n, number=format_decimal(n), error=labels.error(d.last_error)))
    if n := p.ends.get(tallies.UNCERTAIN, 0):
        found.append(ngettext("%(number)s is uncertain: a process ended while sending.",
                              "%(number)s are uncertain: a process ended while sending.", n, number=format_decimal(n)))
    if n := lost(p) - p.ends.get(tallies.UNCERTAIN, 0):
        number = format_decimal(n)
        found.append(ngettext("%(number)s horn failed or was interrupted.", "%(number)s horns failed or were interrupted.", n,
                              number=number)
                     if d.channel == SPEAKERS else
                     ngettext("%(number)s recipient could not be reached.", "%(number)s recipients could not be reached.", n,
                              number=number))
    if n := silent(p, now):
        found.append(ngettext("Nothing was heard of %(number)s that was taken.",
                              "Nothing was heard of %(number)s that were taken.", n, number=format_decimal(n)))
    if n := unfinished(p, now):
        found.append(ngettext("%(number)s was sent on by the carrier, and nothing final was heard of it.",
                              "%(number)s were sent on by the carrier, and nothing final was heard of them.", n,
                              number=format_decimal(n)))
    if n := p.ends.get(tallies.EXPIRED, 0):
        found.append(ngettext("%(number)s was not sent before the time was over.",
                              "%(number)s were not sent before the time was over.", n, number=format_decimal(n)))
    if d.state == STOPPED and (n := p.ends.get(tallies.STOPPED, 0)):
        found.append(ngettext("Stopped: %(number)s was not sent.", "Stopped: %(number)s were not sent.", n,
                              number=format_decimal(n)))
    if p.quiet and active(p) and p.quiet_until and p.quiet_until >= d.expires_at:
        found.append(_("Some have quiet hours beyond the end of this warning: they will not be told by SMS."))
    if d.channel != PUSH and d.state != PLANNING and not p.planned and d.ended_at is not None:
        found.append(_("There was nobody to send to."))
    return found


def seconds_left(p: Progress, now: datetime) -> float | None:
    """Until all is handed over, at the present rate; None when it has come to a halt or nothing can be said."""
    last = p.dispatch.last_at
    return p.seconds_left if active(p) and last and now - last < HALTED_AFTER else None


def summary(p: Progress) -> str:
    """One sentence for people who listen to the page."""
    return _("%(channel)s: %(n)s of %(all)s taken.", channel=labels.CHANNELS[p.dispatch.channel], n=format_decimal(p.accepted),
             all=format_decimal(p.planned))


def time_left(expires: datetime, now: datetime) -> str:
    """“2 h 14 min”, by the minute; rounded up, so that it says 0 only when the time is over."""
    return _minutes(max(0, -int(-(expires - now).total_seconds() // 60)))


def to_come(seconds: float) -> str:
    """“12 s”, or “9 min”, rounded up: nobody reckons with 528 seconds."""
    return _("%(n)d s", n=math.ceil(seconds)) if seconds < IN_SECONDS else _minutes(math.ceil(seconds / 60))


def took(seconds: float) -> str:
    """“0.4 s”, “8 min 15 s”, “2 h 14 min”."""
    if seconds < IN_SECONDS:
        return _("%(n).1f s", n=seconds)
    minutes, rest = divmod(round(seconds), 60)
    return _("%(m)d min %(s)d s", m=minutes, s=rest) if rest and minutes < 60 else _minutes(minutes)


def _minutes(minutes: int) -> str:
    hours, minutes = divmod(minutes, 60)
    if not hours:
        return _("%(m)d min", m=minutes)
    if not minutes:
        return _("%(h)d h", h=hours)
    return _("%(h)d h %(m)d min", h=hours, m=minutes)
