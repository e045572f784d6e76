"""`/api/v1/obstructions`: what cuts or slows ways, as GeoJSON, for other systems. See docs/api.md."""

from __future__ import annotations

import uuid
from typing import Any

from flask import Blueprint, Response, abort, request
from flask_babel import gettext as _
from sqlalchemy.orm import Session

from portal.api import answers, public, shelters
from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid, Problem
from portal.identity.limits import limiter
from portal.identity.models import Account
from portal.identity.rights import SHELTERS, has_role
from portal.regions.codes import is_code
from portal.shelters.models import Obstruction
from portal.shelters.roads import obstruction_geojson, obstruction_values, obstructions
from portal.shelters.roads.obstruction_kinds import KINDS
from portal.web import csrf

#: Features of one answer, and of one request.
LISTED, SENT = 1000, 200
FURTHEST = 10**6


def make_blueprint() -> Blueprint:
    blueprint = Blueprint("api", __name__, url_prefix="/api/v1")
    csrf.exempt(blueprint)  # a token in a header says who calls; no cookie counts here
    answers.handle_errors(blueprint)
    rule, one = blueprint.add_url_rule, "/obstructions/<uuid:obstruction_id>"
    rule("/obstructions", "obstructions", limiter.limit(answers.READS)(listed))
    rule("/obstructions", "obstructions_send", limiter.limit(answers.WRITES)(send), methods=["POST"])
    rule(one, "obstruction", limiter.limit(answers.READS)(single))
    rule(one, "obstruction_change", limiter.limit(answers.WRITES)(change), methods=["PATCH"])
    rule(one, "obstruction_end", limiter.limit(answers.WRITES)(end), methods=["DELETE"])
    shelters.add_routes(blueprint)
    public.add_routes(blueprint)
    return blueprint


def listed() -> Response:
    """Without a token: what is in force now, as anybody may know it. With one: also what is not, and what the office keeps."""
    account, now, args = answers.bearer(), utcnow(), request.args
    inside = account is not None and has_role(account, SHELTERS)
    state = args.get("state", "now")
    if state not in ("all", "past", *obstructions.STATE_LABELS):
        raise Invalid.one("state", _("Choose one of: %(names)s.", names=", ".join(["all", "past", *obstructions.STATE_LABELS])))
    if state != "now" and not inside:
        raise answers.Unauthorised(_("Only what is in force now can be read without a token."))
    region = args.get("region", "")
    if "region" in args and not is_code(region):
        raise Invalid.one("region", _("This is not a 12-digit region code."))
    if "kind" in args and args["kind"] not in KINDS:
        raise Invalid.one("kind", _("Choose one of: %(names)s.", names=", ".join(KINDS)))
    offset = args.get("offset", "0")
    if not (offset.isascii() and offset.isdigit() and len(offset) <= 7 and int(offset) <= FURTHEST):
        raise Invalid.one("offset", _("Write a number from 0 to %(most)s.", most=FURTHEST))
    if external := args.get("external_id", ""):
        if not inside:
            raise answers.Unauthorised(_("This needs a token: send it as “Authorization: Bearer …”."))
        row = obstructions.by_external(external[:120])
        rows, total = ([row], 1) if row else ([], 0)
    else:
        found = obstructions.listing(now, state="" if state == "all" else state, kind=args.get("kind", ""),
                                     region_codes=[region] if region else None, limit=LISTED,
                                     offset=int(offset))
        rows, total = found.rows, found.total
    value = {"type": "FeatureCollection", "total": total, "left_out": total - len(rows),
             "features": [obstruction_geojson.feature_of(row, now, inside=inside) for row in rows]}
    return answers.answer(value, answers.GEOJSON) if inside else answers.fresh(value, answers.GEOJSON, 10)


def single(obstruction_id: uuid.UUID) -> Response:
    account, now = answers.bearer(), utcnow()
    inside = account is not None and has_role(account, SHELTERS)
    row = obstructions.get(obstruction_id)
    if row is None or not (inside or obstructions.state_of(row, now) == "now"):
        abort(404)
    return _one(row, inside=inside)


def send() -> Response:
    """One feature, or a collection of which all are taken or none. Sent again with the same external id, it changes the
    obstruction that is there; what the same system had ended is taken up again."""
    account, sent = answers.required(), answers.body()
    if isinstance(sent, dict) and sent.get("type") == "FeatureCollection":
        return _send_many(account, sent.get("features"))
    rows = _put(account, [obstruction_geojson.values_of(sent)])
    return _one(rows[0][0], status=201 if rows[0][1] else 200)


def _send_many(account: Account, features: Any) -> Response:
    if not isinstance(features, list) or not 1 <= len(features) <= SENT:
        raise Invalid.one("features", _("Send between 1 and %(n)s features at once.", n=SENT))
    wanted, problems = [], []
    for number, feature in enumerate(features):
        try:
            values = obstruction_geojson.values_of(feature)
            obstruction_values.check(_whole(values))
            wanted.append(values)
        except Invalid as error:
            problems += [Problem(f"features.{number}{'.' if p.field else ''}{p.field}", p.message) for p in error.problems]
    if problems:
        raise Invalid(problems)
    rows, now = _put(account, wanted), utcnow()
    return answers.answer({"type": "FeatureCollection",
                           "features": [obstruction_geojson.feature_of(row, now, inside=True) for row, _new in rows]},
                          answers.GEOJSON)


def _whole(values: dict[str, Any]) -> dict[str, Any]:
    """What is said, over what is known already of the obstruction with this external id."""
    there = obstructions.by_external(str(values["external_id"])[:120]) if values.get("external_id") else None
    return obstruction_values.of(there) | values if there else values


def _put(account: Account, wanted: list[dict[str, Any]]) -> list[tuple[Obstruction, bool]]:
    """Each made or changed, in one transaction; whether it is new."""
    done: list[tuple[Obstruction, bool]] = []
    changed = False
    with transaction() as session:
        audit.serialise(session)
        obstructions.require_room(session, sum(1 for values in wanted if _whole(values) is values))
        for values in wanted:
            columns = obstruction_values.check(_whole(values)).columns
            there = obstructions.by_external(columns["external_id"]) if columns["external_id"] else None
            if there is None:
                done.append((obstructions.put(session, account, columns, source="api"), True))
                changed = True
                continue
            obstructions.require(account, there.region_codes)
            changed |= obstructions.change(session, account, there, columns)
            if there.ended_at is not None:
                _take_up(session, account, there)
                changed = True
            done.append((there, False))
        if changed:
            obstructions.wish(session)
    return done


def _take_up(session: Session, account: Account, row: Obstruction) -> None:
    """A feed may take back its own end, not somebody else's: whoever ended it may have been standing there."""
    if row.ended_by != account.display_name:
        raise Conflict(_("%(name)s was ended here by somebody else: take it up again at the desk, or send it as another one.",
                         name=row.name_zh))
    obstructions.revive(session, account, row)


def change(obstruction_id: uuid.UUID) -> Response:
    """What the feature names is replaced, the rest stays. `If-Match: "<version>"` refuses when somebody was quicker."""
    account, sent = answers.required(), answers.body()
    if isinstance(sent, dict):
        sent = {"type": "Feature", **sent}
    values = obstruction_geojson.values_of(sent)
    values.pop("external_id", None)  # it is the obstruction's identity, not something said of it
    row = obstructions.get(obstruction_id) or abort(404)
    return _one(obstructions.edit(account, obstruction_id, _version(row), values))


def end(obstruction_id: uuid.UUID) -> Response:
    """It counts no longer. Ending what is ended is no error."""
    account = answers.required()
    row = obstructions.get(obstruction_id) or abort(404)
    obstructions.end(account, obstruction_id, _version(row))
    return Response(status=204)


def _version(row: Obstruction) -> int:
    wanted = request.headers.get("If-Match", "").strip().removeprefix("W/").strip('"')
    if wanted in ("", "*"):
        return row.version
    if not wanted.isdigit() or int(wanted) != row.version:
        raise Conflict(_("It is at version %(n)s now: read it again.", n=row.version))
    return row.version


def _one(row: Obstruction, *, inside: bool = True, status: int = 200) -> Response:
    response = answers.answer(obstruction_geojson.feature_of(row, utcnow(), inside=inside), answers.GEOJSON, status)
    response.headers["ETag"] = f'"{row.version}"'
    if status == 201:
        response.headers["Location"] = f"/api/v1/obstructions/{row.id}"
    return response
