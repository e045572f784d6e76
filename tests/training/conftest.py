"""A small whole course, copied for each test that breaks it; a site that shows it."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from flask import Flask

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.training.content import keys
from portal.training.content.lint import lint
from portal.training.content.reader import read

SAMPLE = Path(__file__).parent / "sample"
CONTENT = Path(__file__).resolve().parents[2] / "content"


@pytest.fixture(scope="session")
def keyed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The sample and its keys, made once. Who changes anything takes a copy."""
    directory = tmp_path_factory.mktemp("keyed") / "sample"
    shutil.copytree(SAMPLE, directory, ignore=shutil.ignore_patterns(keys.FILE))
    course = read(directory).course
    assert course is not None
    keys.write(directory, course)
    return directory


@pytest.fixture
def content(tmp_path: Path, keyed: Path) -> Path:
    """A directory of content that holds the sample and its keys."""
    shutil.copytree(keyed, tmp_path / "content" / "courses" / "sample")
    link_the_rest(tmp_path / "content")
    return tmp_path / "content"


def link_the_rest(content: Path) -> None:
    """What the portal needs besides courses stands in its own content."""
    for folder in CONTENT.iterdir():
        if folder.is_dir() and folder.name != "courses":
            (content / folder.name).symlink_to(folder)


@pytest.fixture
def course(content: Path) -> Path:
    return content / "courses" / "sample"


@pytest.fixture
def change(course: Path) -> Callable[..., None]:
    """Replaces one piece of a file of the course, which must stand there exactly once."""

    def replace(name: str, old: str, new: str) -> None:
        path = course / name
        text = path.read_text(encoding="utf-8")
        assert text.count(old) == 1, f"{old!r} stands {text.count(old)} times in {name}"
        path.write_text(text.replace(old, new), encoding="utf-8")

    return replace


@pytest.fixture
def faults(content: Path) -> Callable[[], list[str]]:
    """What lint says, in English, each as ``sample/file:line: advice``."""
    return lambda: [str(fault) for fault in lint(content)[1]]


@pytest.fixture
def site(tmp_path: Path, content: Path, sqlite_template: Path) -> Iterator[Flask]:
    shutil.copy(sqlite_template, tmp_path / "anlan.db")
    app = create_app(Settings(instance=tmp_path, surfaces="site", public_url="http://localhost", content=content))
    app.testing = True
    yield app
    with app.app_context():
        db.engine.dispose()
