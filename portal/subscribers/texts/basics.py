"""查询 STATUS: what a phone is told of; 帮助 HELP: what can be written."""

from __future__ import annotations

from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal.config import TIERS
from portal.regions import match
from portal.subscribers import kinds, wishes
from portal.subscribers.models import ACTIVE
from portal.subscribers.texts import places
from portal.subscribers.texts.commands import COMMANDS, Asked, Command, register, words


def status(asked: Asked, _session: Session) -> str:
    """What this phone is told of."""
    row = wishes.find(asked.phone_index)
    chosen = wishes.of(row) if row is not None and row.status == ACTIVE else None
    if chosen is None or not chosen.region_codes:
        return _("This phone gets no warnings. Text SUB and a place, such as: SUB %(place)s", place=places.example())
    said = [_("You get warnings for %(places)s", places=places.named(chosen.region_codes))]
    if chosen.lowest_tier:
        tiers = {"blue": _("from blue up"), "yellow": _("from yellow up"), "orange": _("from orange up"), "red": _("only red")}
        said.append(tiers.get(TIERS[chosen.lowest_tier], ""))
    if chosen.muted_kinds:
        said.append(_("without %(count)s kinds of danger", count=len(kinds.keys_of(chosen.muted_kinds))))
    if chosen.quiet:
        said.append(_("quiet from %(start)s to %(end)s h except orange and red", start=chosen.quiet[0], end=chosen.quiet[1]))
    return _("; ").join(said) + _(". Text STOP to leave.")


def help_(_asked: Asked, _session: Session | None = None) -> str:
    """What can be written, and whom to call."""
    return _hints() + _(". Danger to life: call 119, 110 or 120.")


def _hints() -> str:
    place = places.example()
    hints = [str(one.hint(place)) for one in sorted(COMMANDS.values(), key=lambda one: (one.place, one.key)) if one.hint]
    return _("; ").join(hints)


def unknown(asked: Asked) -> str:
    """Words that are no command: a place alone is told what can be done with it. Whom to call comes first: it may be a cry for
    help."""
    one = match.the_one(match.find(asked.rest)) if asked.rest else None
    if one is None or one.how == match.INSIDE:
        return _("Not understood: this is an automatic answer. Danger to life: call 119, 110 or 120. You can text: %(hints)s.",
                 hints=_hints())
    name = one.name(places.language())
    said = _("To get warnings there, text: SUB %(place)s", place=name)
    return said + _(". Nearest open shelters: SHELTER %(place)s", place=name) if "shelter" in COMMANDS else said


register(Command("status", words("查询", "status", "chaxun,cx")  # who writes "my house is on fire" asks for something else
                 + words("查看,查看订阅,我的订阅,我的", "my,my subscription", alone=True), status,
                 lambda _place: _("STATUS: what you get"), place=3))
register(Command("help", words("帮助,说明,菜单,怎么用", "help,info,menu", "bangzhu,bz") + words(letters="h,?", alone=True),
                 help_))
