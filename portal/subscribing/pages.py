"""The pages at /subscribe/: plain forms that work without a script."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from flask import Blueprint, Response, current_app, g, redirect, render_template, request, session, url_for
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal.channels.sms import kept as sms
from portal.channels.sms import notices
from portal.channels.sms.door_pages import DoorPages
from portal.core import audit
from portal.core.clock import local, utcnow
from portal.core.db import transaction
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.core.phones import mask
from portal.identity.limits import limiter
from portal.regions import codes
from portal.subscribers import audiences as groups
from portal.subscribers import kinds, own, wishes
from portal.subscribers.wishes import Wishes
from portal.subscribing import copy, door, form, words
from portal.subscribing.door import Holder
from portal.subscribing.form import Typed

#: Of one browser that proved a phone: what is sent by the form (names are looked up by it too), copies.
CHANGES, COPIES = "60 per 10 minutes; 300 per day", "20 per hour"
#: Events that the page shows; the copy has them all.
SHOWN_EVENTS = 20
#: How long a welcome is worth sending.
WELCOME_LASTS = timedelta(hours=6)
#: Fields that the form shows when more choices are asked for.
IN_MORE = ("language", "lowest_tier", "kinds", "quiet_from")
#: What is typed before everything is erased, in whichever language.
SURE = ("注销", "ERASE")


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("subscribing", __name__, url_prefix="/subscribe", template_folder="templates", static_folder="static",
                          static_url_path="/static")
    rule = blueprint.add_url_rule
    rule("/", "mine", door.required(mine))
    DOOR.register(blueprint)
    rule("/choose/", "choose", door.required(choose_page))
    rule("/choose/", "chosen", _limited(CHANGES)(door.required(chosen)), methods=["POST"])
    rule("/leave", "leave", _limited(CHANGES)(door.required(leave)), methods=["POST"])
    rule("/copy", "copy", _limited(COPIES)(door.required(copy_of_all)), methods=["POST"])
    rule("/erase/", "sure", door.required(sure_page))
    rule("/erase/", "erase", _limited(CHANGES)(door.required(erase)), methods=["POST"])
    rule("/erased/", "erased", erased)
    blueprint.before_request(_language)
    blueprint.context_processor(_header)
    return blueprint


def _browser() -> str:
    return door.PASS.key() or "none"


def _limited(limit: str) -> Any:
    return limiter.limit(limit, key_func=_browser)


def _language() -> None:
    if (asked := request.args.get("lang")) in LANGUAGES:
        g.language = session["language"] = asked


def _header() -> dict[str, Any]:
    here = door.holder() if request.endpoint != "subscribing.static" else None
    return {"holder": here, "masked": mask(here.number) if here else "",
            "label": lambda code: form.label(code, select_language()), "event_words": words.event, "source_words": words.source}


# -- the door ----------------------------------------------------------------------------------------------------------------
def _region() -> str | None:
    """A community that a link proposes."""
    asked = request.values.get("region", "")
    return asked if codes.is_code(asked) else None


def _home() -> str:
    return url_for("subscribing.choose", region=_region()) if _region() else url_for("subscribing.mine")


DOOR = DoorPages(door.PURPOSE, door.PASS, "subscribing/door.html", door.ask, door.enter, door.leave,
                 is_inside=lambda: door.holder() is not None, home=_home, more=lambda: {"region": _region()})


# -- what is kept ------------------------------------------------------------------------------------------------------------
def mine(holder: Holder) -> Any:
    kept = own.kept(holder.index)
    if kept is None:
        return redirect(url_for("subscribing.choose"))
    return render_template("subscribing/mine.html", kept=kept, told=wishes.told(kept.wishes), groups=groups.BY_KEY,
                           kinds=kinds.BY_KEY, story=own.story(kept.row.id, SHOWN_EVENTS + 1), most=SHOWN_EVENTS,
                           done=request.args.get("done", ""))


# -- what to be told ---------------------------------------------------------------------------------------------------------
def choose_page(holder: Holder) -> Any:
    kept = own.kept(holder.index)
    if kept is not None and kept.row.phone_sealed and kept.wishes.region_codes:
        typed = form.of_wishes(kept.wishes)
    else:
        typed = Typed(language=select_language())
    proposed = _region()
    return _form(holder, typed, tick=[proposed] if proposed and proposed not in form.below(typed.region_codes) else ())


def chosen(holder: Holder) -> Any:
    typed = form.read(request.form)
    do = request.form.get("do", "")
    if do == "here":
        code = form.at(request.form.get("longitude", "")[:20], request.form.get("latitude", "")[:20])
        if code is None:
            problem = Problem("region_codes", _("Your position is in none of the district's communities. Look for one by its"
                                                " name."))
            return _form(holder, typed, [problem], status=422)
        return _form(holder, typed, tick=[code])
    if do == "look" or (typed.name and typed.name != typed.looked and form.by_name(typed.name, select_language())):
        return _looked(holder, typed, is_saving=do != "look")
    try:
        said = wishes.check(typed.values())
    except Invalid as refusal:
        return _form(holder, typed, refusal.problems, status=422)
    return redirect(url_for("subscribing.mine", done=_save(holder, said)), 303)


def _looked(holder: Holder, typed: Typed, *, is_saving: bool) -> Any:
    """The page with what the typed name may mean; whoever was saving is told that it is not saved yet."""
    sure = form.the_one(typed.name)
    typed = replace(typed, looked=typed.name)
    problems = []
    if not form.by_name(typed.name, select_language()):
        problems = [Problem("name", _("No community is called that. Try another part of the name, or choose it by street."))]
    elif is_saving:
        problems = [Problem("found", _("Tick what you mean by “%(name)s”, then save once more.", name=typed.name))]
    already = form.below(typed.region_codes)
    return _form(holder, typed, problems, tick=[sure] if sure and sure not in already else (), status=422 if problems else 200)


def _form(holder: Holder, typed: Typed, problems: Sequence[Problem] = (), *, tick: Sequence[str] = (), status: int = 200) -> Any:
    kept = own.kept(holder.index)
    is_new = kept is None or not kept.is_told
    opened = not is_new or form.is_particular(typed) or any(problem.field in IN_MORE for problem in problems)
    return render_template(
        "subscribing/form.html", typed=typed, problems=problems, kinds=kinds.KINDS, is_new=is_new, opened=opened,
        groups=[groups.BY_KEY[key] for key in wishes.OFFERED], most=wishes.MOST_REGIONS, longest=form.LONGEST_NAME,
        places=form.offered(typed, select_language(), current_app.extensions["anlan"].district, tick=tick)), status


def _save(holder: Holder, said: Wishes) -> str:
    """Keep it, and welcome whoever is new or back; what the page says then."""
    with transaction() as writing:
        before = own.kept(holder.index)
        was_told = before is not None and before.is_told
        subscriber_id = wishes.choose(writing, holder.index, holder.sealed, said, "web")
        if not was_told:
            _welcome(writing, holder, subscriber_id, said)
    return "changed" if was_told else "new"


def _welcome(writing: Session, holder: Holder, subscriber_id: int, said: Wishes) -> None:
    """Once a day at most, however often somebody comes and goes."""
    settings, now = current_app.extensions["anlan"], utcnow()
    day = local(now, settings.timezone).date()
    body = words.welcome(said, f"{settings.base_url}/subscribe/")
    notices.queue(writing, f"welcome.{subscriber_id}.{day.isoformat()}", holder.sealed, body, now + WELCOME_LASTS)


# -- the way out -------------------------------------------------------------------------------------------------------------
def leave(holder: Holder) -> Any:
    wishes.leave(holder.index, "web", holder.sealed)
    return redirect(url_for("subscribing.mine", done="left"), 303)


def copy_of_all(holder: Holder) -> Any:
    kept = own.kept(holder.index)
    if kept is not None:
        with transaction() as writing:
            audit.append(writing, audit.Actor(None, f"subscriber {kept.row.id}"), "subscriber.download",
                         f"subscriber:{kept.row.id}")
    is_table = request.form.get("format") == "csv"
    body = (copy.as_csv if is_table else copy.as_json)(copy.of(holder, kept))
    return Response(body, content_type="text/csv; charset=utf-8" if is_table else "application/json; charset=utf-8", headers={
        "Content-Disposition": f'attachment; filename="anlan-subscriber.{"csv" if is_table else "json"}"',
        "Cache-Control": "no-store"})


def sure_page(holder: Holder, problems: Sequence[Problem] = (), status: int = 200) -> Any:
    return render_template("subscribing/sure.html", problems=problems, typed=request.form), status


def erase(holder: Holder) -> Any:
    if request.form.get("sure", "")[:20].strip().upper() not in SURE:
        return sure_page(holder, [Problem("sure", _("Type the word as it stands there, if you want to erase everything."))], 422)
    with transaction() as writing:
        audit.serialise(writing)
        row = wishes.find(holder.index)
        wishes.erase(holder.index, "web", keep_mark=request.form.get("forget") != "1", session=writing)
        if row is not None:  # after the subscriber, as whoever saves locks them
            notices.withdraw(writing, f"welcome.{row.id}.")
        sms.forget_answers(writing, holder.index)
    return door.PASS.hand_over(redirect(url_for("subscribing.erased"), 303), "")  # type: ignore[arg-type]


def erased() -> Any:
    return render_template("subscribing/erased.html")
