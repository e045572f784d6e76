"""订阅 SUB: somebody wants to be told of warnings in a place, or again; 只订 ONLY: there and nowhere else."""

from __future__ import annotations

from dataclasses import replace

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal.core.errors import Invalid
from portal.regions import lookup
from portal.subscribers import audiences, wishes
from portal.subscribers.models import ACTIVE, Subscriber
from portal.subscribers.texts import places
from portal.subscribers.texts.commands import Asked, Command, register, words
from portal.subscribers.texts.leaving import seal

SOURCE = "sms"


def join(asked: Asked, session: Session) -> str:
    """Told of one place more, or again of what was chosen before leaving."""
    row = wishes.find(asked.phone_index)
    if not asked.rest:
        return _again(asked, session, row)
    return _choose(asked, session, row, only=False)


def only(asked: Asked, session: Session) -> str:
    """Told of these places and of no other."""
    if not asked.rest:
        return _where(asked)
    return _choose(asked, session, wishes.find(asked.phone_index), only=True)


def _again(asked: Asked, session: Session, row: Subscriber | None) -> str:
    before = wishes.of(row) if row is not None else None
    if row is None or before is None or not before.region_codes:
        return _where(asked)
    if row.status == ACTIVE:
        return _("You get warnings for %(places)s. Text SUB and a place for more, STOP to leave.",
                 places=places.named(before.region_codes))
    wishes.choose(session, asked.phone_index, seal(asked.phone), _whole(before), SOURCE)
    return _("Welcome back. You get warnings for %(places)s again. Text STOP to leave, HELP for help.",
             places=places.named(before.region_codes))


def _where(asked: Asked) -> str:
    return _("Text SUB and the name of a community or street, such as: SUB %(place)s", place=places.example())


def _choose(asked: Asked, session: Session, row: Subscriber | None, *, only: bool) -> str:
    found = places.meant(asked.rest)
    if found.choices:
        word = _("SUB")
        return _("Which place? Text: %(choices)s", choices=places.choices(found.choices, word))
    if not found.codes:
        return _("No such place was found. Text SUB and the name of a community or street, such as: SUB %(place)s",
                 place=places.example())
    before = wishes.of(row) if row is not None and row.status == ACTIVE else None
    kept = {code for code in before.region_codes if lookup.get(code)} if before is not None else set[str]()  # the tree changes
    wanted = places.communities(found.codes)
    try:
        wished = wishes.check({"region_codes": sorted(wanted if only else wanted | kept), "language": asked.language})
    except Invalid as refusal:
        return str(refusal.problems[0].message)
    if row is not None:  # what they chose on the web stays, such as quiet hours
        language = row.language if before is not None else asked.language
        wished = _whole(replace(wishes.of(row), region_codes=wished.region_codes, language=language))
    wishes.choose(session, asked.phone_index, seal(asked.phone), wished, SOURCE)
    if not only and wanted < kept:
        return _("You get these warnings already, with those for %(places)s. For fewer, text: ONLY %(place)s",
                 places=places.named(kept), place=places.named(wanted))
    told = _("You will get warnings for %(places)s. Text STOP to leave, HELP for help.", places=places.named(wished.region_codes))
    if found.narrower is None or only:
        return told
    return told + _(" For the community alone, text: ONLY %(place)s", place=found.narrower.name(places.language()))


def _whole(wished: wishes.Wishes) -> wishes.Wishes:
    """Somebody who left before anything was chosen is told as a resident."""
    return wished if wished.audiences else replace(wished, audiences=audiences.mask_of(["residents"]))


register(Command("join", words("订阅,定阅,订约,关注,加入", "subscribe,sub,join,start", "dingyue,dy")
                 + words("恢复,恢复订阅", "yes,unstop,resume", alone=True), join,
                 lambda place: _("SUB %(place)s: get warnings", place=place), changes=True, takes_place=True, place=1))
register(Command("only", words("只订阅,仅订阅,只订,仅订", "only"), only, changes=True, takes_place=True))
