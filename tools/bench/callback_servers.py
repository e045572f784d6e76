"""Web servers that take carriers' callbacks: the portal's own, and what it is measured by.

`python -m tools.bench.callback_servers KIND SERVER PORT PROCESSES THREADS` serves until it is ended. Kinds: `portal`: `anlan web`
with the hooks alone; `form`: a Flask view that parses the form and keeps nothing; `bare`: the same without Flask; `orm`: a Flask
view that asks the SDK for the signature and updates one row through the ORM. Each gets its settings from the environment.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from typing import Any
from urllib.parse import parse_qsl

import waitress
from flask import Flask, request

from portal import create_app
from portal.config import Settings
from portal.granian_web import server as granian
from portal.run import server_options

KINDS = ("portal", "form", "bare", "orm")


def form() -> Flask:
    app = Flask(__name__, static_folder=None)

    @app.post("/hooks/sms/<name>/<int:batch_id>/<int:recipient_id>")
    def parsed(name: str, batch_id: int, recipient_id: int) -> tuple[str, int]:
        return "", 200 if request.form["MessageStatus"] else 400

    return app


def bare() -> Callable[..., Iterable[bytes]]:
    def parsed(environ: dict[str, Any], start: Callable[..., Any]) -> list[bytes]:
        body = environ["wsgi.input"].read(int(environ["CONTENT_LENGTH"])).decode()
        told = dict(parse_qsl(body, keep_blank_values=True))["MessageStatus"]
        start("200 OK" if told else "400 Bad Request", [("Content-Length", "0")])
        return []

    return parsed


def orm() -> Flask:
    from twilio.request_validator import RequestValidator

    from portal.core.db import db
    from portal.dispatch.models import Delivery

    app = create_app(Settings(surfaces=()))
    settings: Settings = app.extensions["anlan"]
    validator = RequestValidator(settings.twilio_auth_token.get_secret_value())

    @app.post("/hooks/sms/<name>/<int:batch_id>/<int:recipient_id>")
    def updated(name: str, batch_id: int, recipient_id: int) -> tuple[str, int]:
        url = settings.base_url + request.path
        if not validator.validate(url, request.form, request.headers.get("X-Twilio-Signature", "")):
            return "", 403
        row = db.session.get_one(Delivery, (batch_id, recipient_id))
        row.status = request.form["MessageStatus"]
        db.session.commit()
        return "", 200

    app.extensions["csrf"].exempt(updated)
    return app


def portal() -> Flask:
    return create_app(Settings(surfaces=("hooks",)))


def main() -> None:
    kind, server = sys.argv[1:3]
    port, processes, threads = map(int, sys.argv[3:6])
    settings = Settings(port=port, web_processes=processes, web_threads=threads)
    if server == "granian":
        made = granian(settings)
        made.target = f"tools.bench.callback_servers:{kind}"
        made.serve()
    else:
        application = {"portal": portal, "form": form, "bare": bare, "orm": orm}[kind]()
        waitress.create_server(application, host=settings.host, port=port, **server_options(settings)).run()


if __name__ == "__main__":
    main()
