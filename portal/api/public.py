"""`/api/v1/…` for everybody: the published files, and questions that are answered from them. See docs/api.md.

Requests without a question are answered before this by the files themselves, where the residents' site is served too."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, abort, current_app, redirect, request
from flask_babel import gettext as _

from portal import current_settings
from portal.api import answers
from portal.api.openapi import MOST, POINT, USUAL
from portal.api.published import Files, Unpublished
from portal.api.records import BASE
from portal.config import TIERS
from portal.core.clock import utcnow
from portal.core.errors import Invalid, Problem
from portal.core.i18n import LANGUAGES, select_language
from portal.identity.limits import limiter
from portal.regions import codes

STATES = ("in_force", "past", "all")
SECONDS = 10
_NUMBER, _HAZARD = re.compile(r"[0-9]{8}-[0-9]{2,4}"), re.compile(r"[0-9A-Z]{5}")
_POINT = re.compile(POINT)
#: Single records are files of their own, by these names below `/api/v1/`.
_FILE = re.compile(r"(warnings/[0-9]{8}-[0-9]{2,4}|archive|archive/[0-9]{4}-[0-9]{2}/[1-9][0-9]{0,3}|regions|guides"
                   r"|guides/[a-z0-9-]{1,60}|feeds|openapi|openapi-zh|warnings)(\.json)?|regions\.geojson", re.ASCII)


def add_routes(blueprint: Blueprint) -> None:
    read = limiter.limit(answers.READS)
    blueprint.add_url_rule("/", "reference", reference)
    blueprint.add_url_rule("/warnings", "warnings", read(warnings))
    blueprint.add_url_rule("/regions", "regions", read(regions))
    blueprint.add_url_rule("/regions/<code>", "region", read(region))
    blueprint.add_url_rule("/<path:name>", "file", read(file))
    blueprint.before_app_request(_no_such_address)

    @blueprint.errorhandler(Unpublished)
    def unpublished(_error: Unpublished) -> Response:
        if (current_settings().instance / "public" / "current").exists():
            return answers.problem(404, _("There is no such thing here."))
        return answers.problem(503, _("Nothing has been published yet. Try again in a minute."), headers={"Retry-After": "30"})


def _no_such_address() -> Response | None:
    """What no address of the API is, or cannot be done there, is refused as a problem too, not with a page."""
    error = request.routing_exception
    if error is None or not request.path.startswith(f"{BASE}/") or error.code is None or error.code < 400:
        return None
    words = _("This cannot be done here.") if error.code == 405 else _("There is no such thing here.")
    return answers.problem(error.code, words, headers={name: value for name, value in error.get_headers() if name == "Allow"})


def reference() -> Any:
    language = select_language()
    return redirect(f"/{language if language in LANGUAGES else LANGUAGES[0]}/api/")


def file(name: str) -> Response:
    """A published file, with or without its ending."""
    if _FILE.fullmatch(name) is None:
        abort(404)
    whole = name if name.endswith("json") else f"{name}.json"
    kind = answers.GEOJSON if whole.endswith(".geojson") else answers.JSON
    return answers.fresh_bytes(_files().bytes(whole), kind, SECONDS)


def regions() -> Response:
    point, problems = _point()
    _refuse(problems)
    if point is None:
        return file("regions")
    inside = set(_files().at(*point))
    found = [one for one in _files().value("regions.json")["regions"] if one["code"] in inside]
    return answers.fresh({"regions": found}, answers.JSON, SECONDS)


def region(code: str) -> Response:
    code = code.removesuffix(".json")
    found = next((one for one in _files().value("regions.json")["regions"] if one["code"] == code), None)
    if found is None:
        abort(404)
    return answers.fresh(found, answers.JSON, SECONDS)


def warnings() -> Response:
    if not request.args:
        return file("warnings")
    args, (point, problems) = request.args, _point()
    state, tier, hazard = args.get("state", "in_force"), args.get("tier", TIERS[0]), args.get("hazard", "")
    for name, value, known in (("state", state, STATES), ("tier", tier, TIERS)):
        if value not in known:
            problems.append(Problem(name, _("Choose one of: %(names)s.", names=", ".join(known))))
    if "hazard" in args and not _HAZARD.fullmatch(hazard):
        problems.append(Problem("hazard", _("An event code has five digits or capital letters, as 11B03.")))
    if "region" in args and not codes.is_code(args["region"]):
        problems.append(Problem("region", _("This is not a 12-digit region code.")))
    after = args.get("after", "")
    if "after" in args and not _NUMBER.fullmatch(after):
        problems.append(Problem("after", _("Write the number of a warning, as 20261122-01.")))
    limit = args.get("limit", str(USUAL))
    if not (limit.isascii() and limit.isdigit() and len(limit) < 5 and 1 <= int(limit) <= MOST):
        problems.append(Problem("limit", _("Write a number from 1 to %(most)s.", most=MOST)))
    _refuse(problems)
    places = _files().at(*point) if point else []
    wanted = [[args["region"]]] if "region" in args else []
    if point:
        wanted.append(_smallest(places))
    lowest = TIERS.index(tier)
    rows = (row for row in _rows(state) if TIERS.index(row["tier"]) >= lowest and (not hazard or row["hazard"]["code"] == hazard)
            and all(_touches(row, some) for some in wanted))
    return answers.fresh(_part(rows, int(limit), after, places), answers.JSON, SECONDS)


def _part(rows: Iterator[dict[str, Any]], limit: int, after: str, places: list[str]) -> dict[str, Any]:
    """At most `limit` rows, those that come after the warning `after`; nothing where it is not among them."""
    if after:
        for row in rows:
            if row["number"] == after:
                break
    found: list[dict[str, Any]] = []
    more = False
    for row in rows:
        if len(found) == limit:
            more = True
            break
        found.append(row)
    question = {name: value for name, value in request.args.items() if name != "after"}
    following = urlencode(question | {"after": found[-1]["number"]}) if more else ""
    return {"generated": _files().value("warnings.json")["generated"], "regions": places, "warnings": found,
            "next": f"{current_settings().base_url}{BASE}/warnings?{following}" if more else None}


def _rows(state: str) -> Iterator[dict[str, Any]]:
    """Warnings in the order of the answer: in force by severity, past ones newest first; all of them newest first. What has
    run out since the files were rendered is past, whatever they say."""
    now = utcnow()
    listed = _files().value("warnings.json")["warnings"]
    live = [row for row in listed if _when(row["expires"]) > now]
    if state == "in_force":
        yield from live
        return
    over = [row | {"state": "expired"} for row in listed if _when(row["expires"]) <= now]
    ahead = sorted((live if state == "all" else []) + over, key=_age)
    for row in _past():
        while ahead and _age(ahead[-1]) >= _age(row):
            yield ahead.pop()
        yield row
    yield from reversed(ahead)


def _past() -> Iterator[dict[str, Any]]:
    for month in _files().value("archive.json")["months"]:
        for number in range(len(month["parts"]), 0, -1):
            yield from reversed(_files().value(f"archive/{month['month']}/{number}.json")["warnings"])


def _when(text: str) -> datetime:
    return datetime.fromisoformat(text)


def _age(row: dict[str, Any]) -> tuple[datetime, str]:
    return _when(row["issued"]), row["number"]


def _smallest(places: list[str]) -> list[str]:
    """Those of the lowest level: one, or several on a common edge."""
    level = max((codes.LEVELS.index(codes.level_of(code)) for code in places), default=0)
    return [code for code in places if codes.LEVELS.index(codes.level_of(code)) == level]


def _touches(row: dict[str, Any], wanted: list[str]) -> bool:
    """Whether the warning is for one of the regions, for one above it or for a part of it."""
    return any(codes.contains(area["code"], code) or codes.contains(code, area["code"])
               for area in row["areas"] if codes.is_code(area["code"]) for code in wanted)


def _point() -> tuple[tuple[float, float] | None, list[Problem]]:
    """The point of the question, if it has one, and what is wrong with it."""
    text = request.args.get("at")
    if text is None:
        return None, []
    if not _POINT.fullmatch(text):
        return None, [Problem("at", _("Write longitude, comma, latitude in degrees, as 114.3441,22.7080."))]
    lon, lat = text.split(",")
    return (float(lon), float(lat)), []


def _refuse(problems: list[Problem]) -> None:
    if problems:
        raise Invalid(problems)


def _files() -> Files:
    """One for the application, so that what was read is kept."""
    found = current_app.extensions.get("api_files")
    if found is None:
        found = current_app.extensions.setdefault("api_files", Files(current_settings()))
    return found  # type: ignore[no-any-return]
