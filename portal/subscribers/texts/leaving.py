"""退订 STOP: somebody wants to be left in peace, at once; 退订 and a place: there only; 删除 ERASE: nothing is to be kept."""

from __future__ import annotations

from dataclasses import replace

from flask import current_app
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal.core.phones import PhoneBook
from portal.subscribers import wishes
from portal.subscribers.models import ACTIVE
from portal.subscribers.texts import places
from portal.subscribers.texts.commands import Asked, Command, register, words

SOURCE = "sms"


def leave(asked: Asked, session: Session) -> str:
    """No more texts from now on; where a place follows that is one of several, no more of that place."""
    row = wishes.find(asked.phone_index)
    if asked.rest and row is not None and row.status == ACTIVE:
        chosen = wishes.of(row)
        gone = places.communities(places.meant(asked.rest).codes) & set(chosen.region_codes)
        left = tuple(sorted(set(chosen.region_codes) - gone))
        if gone and left:
            wishes.choose(session, asked.phone_index, row.phone_sealed, replace(chosen, region_codes=left), SOURCE)
            return _("No more warnings for %(gone)s. You still get those for %(left)s. Text STOP to leave altogether.",
                     gone=places.named(gone), left=places.named(left))
    wishes.leave(asked.phone_index, SOURCE, session=session)
    return _("You have left and get no more warnings by text message. To come back, text SUB and a place.")


def erase(asked: Asked, session: Session) -> str:
    """Number and choices are deleted."""
    wishes.erase(asked.phone_index, SOURCE, session=session)
    return _("Your number and what you chose are erased. A mark that tells no number stays, so that no list brings you back.")


def seal(phone: str) -> bytes:
    """The number as it is kept."""
    book: PhoneBook = current_app.extensions["phones"]
    return book.seal(phone)


register(Command("leave", words("取消订阅,取消定阅,退订,退定,停发,拒收", "unsubscribe,unsub,stopall,stop", "tuiding,td")
                 + words("取消,停止,退出,停", "cancel,end,quit,revoke,optout", "t", alone=True), leave,
                 lambda _place: _("STOP: leave"), changes=True, takes_place=True, place=4))
register(Command("erase", words("删除,注销,删除我的信息", "erase,delete", alone=True), erase, changes=True, trail=True))
