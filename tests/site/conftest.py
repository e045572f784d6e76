"""An application that serves only the residents' site."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from flask import Flask

from portal.site.pages import make_blueprint


@pytest.fixture
def site(make_app: Callable[..., Flask]) -> Flask:
    app = make_app(surfaces="site")
    if "site" not in app.blueprints:
        app.register_blueprint(make_blueprint())
    return app
