"""Where a carrier hands on what phones write: `/hooks/sms/<provider>/inbound`. What it is answered with goes to the phone."""

from __future__ import annotations

from flask import Blueprint, Response, abort, request

from portal import current_settings
from portal.channels.sms import inbound
from portal.channels.sms.provider import Forged, Rejected
from portal.dispatch.hooks import LARGEST_CALLBACK, as_called, provider
from portal.web import csrf


def make_blueprint() -> Blueprint:
    """Answers 200 with the carrier's own form of an answer, 403 when it is not the carrier who calls, 400 for junk."""
    blueprint = Blueprint("inbound", __name__, url_prefix="/hooks")
    csrf.exempt(blueprint)  # the carrier's signature says who calls

    @blueprint.post("/sms/<name>/inbound")
    def sms(name: str) -> Response | tuple[str, int]:
        request.max_content_length = LARGEST_CALLBACK
        settings = current_settings()
        if name != settings.sms_provider:
            abort(404)
        carrier = provider()
        try:
            text = carrier.parse_inbound(as_called(settings), request.form, dict(request.headers))
        except Forged:
            return "", 403
        except Rejected:
            return "", 400
        body, media_type = carrier.reply(inbound.receive(name, text) if text is not None else "")
        return Response(body, content_type=media_type)

    return blueprint
