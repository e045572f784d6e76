"""A small district with shelters, roads and a field, published."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.db import db, transaction
from portal.site.publish import publish, root_of
from tests.district import LIULIAN, PINGSHAN, settle_regions
from tests.shelters.places import make_shelter


@pytest.fixture
def site(tmp_path: Path, sqlite_template: Path) -> Iterator[Flask]:
    """The residents' site of one street. What it asks of the database is asked by the registry, whose tests have both."""
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    app = create_app(Settings(instance=tmp_path, surfaces="site", public_url="http://localhost", district=PINGSHAN))
    app.testing = True
    with app.app_context():
        settle_regions()
    yield app
    with app.app_context():
        db.engine.dispose()


@pytest.fixture
def add(site: Flask) -> Callable[..., str]:
    """Makes a shelter and gives back its code."""

    def make(**values: object) -> str:
        with site.app_context(), transaction() as session:
            return make_shelter(session, **({"region_code": LIULIAN} | values)).code

    return make


@pytest.fixture
def read(site: Flask) -> Callable[[str], str]:
    """Publishes, and gives the text of a published file; what was published is read as any web server would."""

    def text(path: str, *, again: bool = True) -> str:
        if again:
            publish(site)
        file = root_of(site.extensions["anlan"]) / "current" / path.lstrip("/")
        return (file / "index.html" if path.endswith("/") else file).read_text(encoding="utf-8")

    return text


def files(app: Flask) -> dict[str, int]:
    """Path → inode of every plain file: an unchanged file is a link to the same one."""
    base = root_of(app.extensions["anlan"]) / "current"
    return {str(p.relative_to(base)): p.stat().st_ino for p in Path(base).rglob("*")
            if p.is_file() and p.suffix not in (".gz", ".br")}
