"""The desk's first page of subscribers, and what all of them share."""

from __future__ import annotations

import uuid
from dataclasses import dataclass
from typing import Any

from flask import Blueprint, abort, render_template, request, url_for
from flask_babel import lazy_gettext as _l

from portal import current_settings
from portal.core.i18n import select_language
from portal.identity.guard import current_account, signed_in
from portal.identity.models import Account
from portal.identity.rights import SUBSCRIBERS, VIEWER, has_role, regions_for
from portal.regions import lookup
from portal.subscribers import audiences, kinds
from portal.subscribers.office import figures, words

#: Who sees figures, and who sees people.
FIGURES, PEOPLE = (SUBSCRIBERS, VIEWER), (SUBSCRIBERS,)


def make_blueprint() -> Blueprint:
    from portal.subscribers.office import export_pages, import_pages, person_pages

    blueprint = Blueprint("subscriber_office", __name__, url_prefix="/desk/subscribers", template_folder="templates",
                          static_folder="static")
    blueprint.add_url_rule("/", "overview", signed_in(*FIGURES)(overview))
    for pages in (person_pages, import_pages, export_pages):
        pages.add_routes(blueprint)
    blueprint.context_processor(lambda: {
        "region_name": region_name, "kind_words": kind_words, "audience_words": audience_words, "audience_label": audience_label,
        "language_label": language_label, "words": words,
        "office_items": items, "uuid_of": uuid.UUID})
    blueprint.app_context_processor(lambda: {"subscribers_item": first_item})
    return blueprint


@dataclass(frozen=True, slots=True)
class Item:
    """A link. `current`: "page" on the page itself, "true" on one below it, else empty."""

    path: str
    label: Any
    current: str


def items(account: Account | None) -> list[Item]:
    """The pages that the account may open."""
    found = []
    for endpoint, label, roles in (("overview", _l("Overview"), FIGURES), ("imports", _l("Lists"), PEOPLE),
                                   ("export", _l("Export"), PEOPLE)):
        if account is not None and has_role(account, *roles):
            path = url_for(f"subscriber_office.{endpoint}")
            below = endpoint != "overview" and request.path.startswith((path, "/desk/subscribers/import"))
            if endpoint == "export":
                below = request.path.startswith(path)
            found.append(Item(path, label, "page" if request.path == path else "true" if below else ""))
    return found


def first_item(account: Account | None) -> Item | None:
    """The link in the desk's head; None for those who may open nothing here."""
    if account is None or not has_role(account, *FIGURES):
        return None
    path = url_for("subscriber_office.overview")
    return Item(path, _l("Subscribers"), "page" if request.path == path else "true" if request.path.startswith(path) else "")


def overview() -> str:
    return show()


def show(problems: Any = (), typed: str = "") -> str:
    """Figures of the account's regions, and the form that looks a phone up."""
    account = account_here()
    scope = lookup.topmost([*regions_for(account, SUBSCRIBERS), *regions_for(account, VIEWER)])
    return render_template("subscriber_office/overview.html", found=figures.of(scope), scope=scope, problems=problems,
                           typed=typed, sees_people=has_role(account, SUBSCRIBERS), whole=is_whole(scope))


def account_here() -> Account:
    return current_account() or abort(401)


def is_whole(scope: list[str]) -> bool:
    """Whether the regions are the whole district, so that those who have no community belong to it too."""
    return current_settings().district in scope


def region_name(code: str) -> str:
    node = lookup.get(code) if code else None
    return node.name(select_language()) if node else code or "—"


def audience_words(mask: int) -> list[str]:
    return [str(one.label) for one in audiences.AUDIENCES if mask >> one.bit & 1]


def audience_label(key: str) -> Any:
    return audiences.BY_KEY[key].label


def language_label(key: str) -> Any:
    return words.LANGUAGES.get(key, key)


def kind_words(mask: int) -> list[str]:
    return [str(one.label) for one in kinds.KINDS if mask >> one.bit & 1]
