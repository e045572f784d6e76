"""Where carriers report what became of a message: `/hooks/sms/<provider>/<batch>/<recipient>`.

The address holds our own ids, so nothing has to be looked up; the carrier's signature covers it, so nobody can
change them. A report is on disk before the carrier is told that we have it, and may come twice or out of order.
"""

from __future__ import annotations

import threading

from flask import Blueprint, Flask, abort, current_app, request

from portal import current_settings
from portal.channels.sms.provider import Forged, Provider, Rejected
from portal.channels.sms.registry import make_provider
from portal.config import Settings
from portal.dispatch import receipts
from portal.subscribers import store
from portal.web import csrf

LARGEST_CALLBACK = 16 * 1024  # bytes; a carrier's form is a tenth of that
_ID = "int(min=1, max=9223372036854775807)"
_making = threading.Lock()


def make_blueprint() -> Blueprint:
    """Answers 204 when the report is kept (or tells nothing new), 403 when it is not the carrier's, 400 for junk."""
    blueprint = Blueprint("hooks", __name__, url_prefix="/hooks")
    carriers_only(blueprint)
    together = receipts.Together()

    @blueprint.post(f"/sms/<name>/<{_ID}:batch_id>/<{_ID}:recipient_id>")
    def sms(name: str, batch_id: int, recipient_id: int) -> tuple[str, int]:
        carrier = calling(name)
        receipt = carrier.parse_callback(as_called(current_settings()), request.form, dict(request.headers))
        if receipt is not None:
            together.record([(batch_id, recipient_id, receipt.status, receipt.code)])
            if receipt.code in carrier.opt_out_codes:
                store.opt_out(recipient_id, name)
        return "", 204

    return blueprint


def carriers_only(blueprint: Blueprint) -> None:
    """The carrier's signature says who calls: no token is asked for, and who cannot sign is refused."""
    csrf.exempt(blueprint)
    blueprint.register_error_handler(Forged, lambda _error: ("", 403))
    blueprint.register_error_handler(Rejected, lambda _error: ("", 400))


def calling(name: str) -> Provider:
    """The provider that this request is for; 404 where it is not ours."""
    request.max_content_length = LARGEST_CALLBACK
    if name != current_settings().sms_provider:
        abort(404)
    return provider()


def as_called(settings: Settings) -> str:
    """The address as the carrier was told it: what a proxy in front made of it does not count."""
    query = request.query_string.decode("latin-1")
    return settings.base_url + request.path + (f"?{query}" if query else "")


def provider() -> Provider:
    """This application's provider, for reading callbacks; made at the first of them."""
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    with _making:
        if "sms_callbacks" not in app.extensions:
            app.extensions["sms_callbacks"] = make_provider(app.extensions["anlan"])
        return app.extensions["sms_callbacks"]
