"""A site with the committed guides, and a small folder of guides that tests break."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask
from flask_babel import force_locale

from portal import create_app
from portal.config import Settings
from portal.core import i18n
from portal.core.db import db, transaction
from portal.guides import reader
from portal.site.course_pages import publish_courses
from portal.site.publish import publish
from portal.warnings import hazards
from tests.district import LIULIAN, PINGSHAN, settle_regions
from tests.shelters.places import make_shelter
from tests.site.records import record

CONTENT = Path(__file__).resolve().parents[2] / "content"


@pytest.fixture
def content(tmp_path: Path) -> Path:
    """A directory of content with two guides."""
    folder = tmp_path / "content" / "guides"
    (folder / "media").mkdir(parents=True)
    for name in ("typhoon", "emergency-kit"):
        for language in ("zh", "en"):
            shutil.copy(CONTENT / "guides" / f"{name}.{language}.md", folder)
    for name in ("typhoon-balcony.svg", "kit-bag.svg"):
        shutil.copy(CONTENT / "guides" / "media" / name, folder / "media")
    return tmp_path / "content"


@pytest.fixture
def faults(content: Path) -> Callable[[], list[str]]:
    """What the lint says, in English, each as ``guides/file:line: advice``."""
    words = Flask(__name__)
    i18n.init_app(words, "Asia/Shanghai")

    def found() -> list[str]:
        with words.app_context(), force_locale("en"):
            return [str(fault) for fault in reader.read(content, hazards.load(CONTENT).hazards).faults]

    return found


@pytest.fixture
def change(content: Path) -> Callable[[str, str, str], None]:
    def replace(name: str, old: str, new: str) -> None:
        path = content / "guides" / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{old!r} is not in {name}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return replace


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, sqlite_template: Path) -> Iterator[Flask]:
    """The residents' site with the committed guides, a rainstorm warning in force and two shelters, published."""
    folder = tmp_path_factory.mktemp("guides")
    shutil.copy(sqlite_template, folder / "anlan.db")
    content = folder / "content"
    content.mkdir()
    for name in ("guides", "hazards", "regions", "shelters"):
        (content / name).symlink_to(CONTENT / name)
    app = create_app(Settings(instance=folder, surfaces="site", public_url="https://anlan.example", district=PINGSHAN,
                              content=content))
    app.testing = True
    with app.app_context():
        settle_regions()
        record("20261122-01")
        with transaction() as session:
            make_shelter(session, code="SCHOOL", region_code=LIULIAN, name_zh="六联小学", name_en="Liulian School",
                         address_zh="六联路5号", address_en="5 Liulian Road")
            make_shelter(session, code="EVIL", region_code=LIULIAN, name_zh="<b>礼堂</b>&", name_en="<b>Hall</b>&")
    publish(app)
    publish_courses(app)
    publish(app)
    yield app
    with app.app_context():
        db.engine.dispose()
