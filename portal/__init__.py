"""Anlan 安澜: a public warning and training portal for a city district."""

from __future__ import annotations

import atexit
import gc
from importlib import import_module
from inspect import iscoroutinefunction

from flask import Flask, current_app
from werkzeug.middleware.proxy_fix import ProxyFix

from portal.config import DATABASE_FILE, Settings

# What a start makes, a million small things, stays as long as the process: to look through all of it for rubbish as often as
# Python does by itself, and once more at the end, took a quarter of the time of each command.
gc.set_threshold(10_000, 10, 10)
atexit.register(gc.freeze)

#: What each surface serves: modules with a `make_blueprint()`, in the order in which they are registered.
SURFACE_MODULES = {
    "site": ("portal.site.pages", "portal.subscribing.pages", "portal.channels.push.pages",
             "portal.shelters.living.pages", "portal.shelters.paper.public_pages",
             "portal.guides.pages", "portal.training.learners.pages", "portal.training.exams.pages",
             "portal.training.practicals.pages", "portal.training.assessing.learner_pages",
             "portal.training.certificates.learner_pages", "portal.training.certificates.public_pages",
             "portal.training.offline.pages", "portal.training.me.pages", "portal.training.touch.pages",
             "portal.reports.pages"),
    "desk": (
        "portal.identity.pages",
        "portal.channels.sms.pages",
        "portal.desk",
        "portal.subscribers.office.pages",
        "portal.shelters.living.desk_pages",
        "portal.shelters.office.pages",
        "portal.shelters.communities.pages",
        "portal.shelters.paper.pages",
        "portal.shelters.transfers.pages",
        "portal.training.assessing.attendance_pages",
        "portal.training.assessing.assessing_pages",
        "portal.training.office.pages",
        "portal.training.office.overview_pages",
        "portal.training.groups.cohort_pages",
        "portal.training.groups.gradebook_pages",
        "portal.training.certificates.desk_pages",
        "portal.training.practicals.desk_pages",
        "portal.training.figures.question_pages",
        "portal.training.figures.responder_pages",
        "portal.training.exchange.desk_pages",
        "portal.reports.desk_pages",
    ),
    "api": ("portal.api.obstructions",),
    "hooks": ("portal.dispatch.hooks", "portal.dispatch.inbound_hooks"),
}


def create_app(settings: Settings | None = None) -> Flask:
    """The application of one process: the surfaces that `settings` names over the one database."""
    from portal import identity, models, web  # noqa: F401  (models: every table is known before the first query)
    from portal.core import i18n, keys
    from portal.core.db import db, engine_options, tune
    from portal.core.phones import PhoneBook
    from portal.shelters.public import by_text  # noqa: F401  (a word that phones may write)
    from portal.training import hooks  # noqa: F401  (certificates are granted wherever a gate opens)

    settings = settings or Settings()
    settings.instance.mkdir(parents=True, exist_ok=True)
    if not settings.database_url:
        keys.private(settings.instance / DATABASE_FILE)  # SQLite's other files take its permissions
    app = Flask(__name__, instance_path=str(settings.instance.resolve()), static_folder=None, template_folder=None)
    app.config.update(
        SECRET_KEY=keys.secret_key(settings),
        SQLALCHEMY_ENGINES={"default": engine_options(settings.sqlalchemy_url)},
        MAX_CONTENT_LENGTH=2 * 1024 * 1024,
        MAX_FORM_MEMORY_SIZE=1024 * 1024,
        MAX_FORM_PARTS=2000,
    )
    app.extensions["anlan"] = settings
    app.extensions["phones"] = PhoneBook(keys.phone_key(settings))
    db.init_app(app)
    # None of our sessions is asynchronous; to close none of them would take an event loop of its own at the end of each request.
    app.teardown_appcontext_funcs = [act for act in app.teardown_appcontext_funcs if not iscoroutinefunction(act)]
    with app.app_context():
        tune(db.engine)
    i18n.init_app(app, settings.timezone)
    web.init_app(app)
    identity.init_app(app)
    if settings.broker_url:
        from portal.dispatch.many.ringer import Ringer

        app.extensions["ringer"] = Ringer(settings.broker_url)
        app.extensions["ringer"].listen()
    for surface in settings.surfaces:
        for name in SURFACE_MODULES[surface]:
            app.register_blueprint(import_module(name).make_blueprint())
    if count := settings.trusted_proxies:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]
    return app


def current_settings() -> Settings:
    """The settings of the application at work."""
    return current_app.extensions["anlan"]
