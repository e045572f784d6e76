"""Where a carrier hands on what phones write: `/hooks/sms/<provider>/inbound`. What it is answered with goes to the phone."""

from __future__ import annotations

from flask import Blueprint, Response, request

from portal import current_settings
from portal.channels.sms import inbound
from portal.dispatch.hooks import as_called, calling, carriers_only


def make_blueprint() -> Blueprint:
    """Answers 200 with the carrier's own form of an answer, 403 when it is not the carrier who calls, 400 for junk."""
    blueprint = Blueprint("inbound", __name__, url_prefix="/hooks")
    carriers_only(blueprint)

    @blueprint.post("/sms/<name>/inbound")
    def sms(name: str) -> Response:
        carrier = calling(name)
        text = carrier.parse_inbound(as_called(current_settings()), request.form, dict(request.headers))
        body, media_type = carrier.reply(inbound.receive(name, text) if text is not None else "")
        return Response(body, content_type=media_type)

    return blueprint
