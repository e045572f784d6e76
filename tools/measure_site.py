"""Measure how fast past warnings become the public site: all of it at first, and one warning more.

    .venv/bin/python tools/measure_site.py [--warnings 1000]

Beside it, in the same run, what that work is made of: the same pages of warnings rendered by their templates alone, compressed
like all files, and all files copied to the disk by themselves.
"""

from __future__ import annotations

import argparse
import gzip
import os
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from flask import Flask  # noqa: E402

from portal import create_app  # noqa: E402
from portal.config import Settings  # noqa: E402
from portal.core.clock import utcnow  # noqa: E402
from portal.core.db import db  # noqa: E402
from portal.core.i18n import LANGUAGES  # noqa: E402
from portal.models import Base  # noqa: E402
from portal.site import assets  # noqa: E402
from portal.site.generations import brotlied  # noqa: E402
from portal.site.publish import publish, root_of  # noqa: E402
from portal.site.render import Renderer  # noqa: E402
from portal.site.stories import Story  # noqa: E402
from portal.warnings import archive  # noqa: E402
from portal.warnings.models import ALERT, CANCEL, CANCELLED, UPDATE  # noqa: E402
from tests import district  # noqa: E402
from tests.site.records import record  # noqa: E402

FIRST = datetime(2021, 1, 1, 4, tzinfo=UTC)
Pages = list[tuple[str, bytes]]


@contextmanager
def timed(what: str, count: int = 0) -> Iterator[None]:
    clock, processor = time.monotonic(), time.process_time()
    yield
    clock, processor = time.monotonic() - clock, time.process_time() - processor
    each = f"{clock / count * 1000:>8.2f} ms each" if count else ""
    print(f"{what:<62} {clock:>7.2f} s {processor:>7.2f} s of the processor {each}", flush=True)


def filled(folder: Path, count: int) -> Flask:
    """A district with `count` past warnings over some years, of one to three bulletins each."""
    app = create_app(Settings(instance=folder / "instance"))
    chains = ((ALERT, CANCEL), (ALERT,), (ALERT, UPDATE, CANCEL))
    with app.app_context():
        Base.metadata.create_all(db.engine)
        district.settle_regions()
        for n in range(count):
            issued = FIRST + timedelta(days=1.5 * n)
            tier = ("blue", "yellow", "orange", "red")[n % 4]
            record(f"{issued:%Y%m%d}-{n % 90 + 10}", tier=tier, issued=issued, kinds=chains[n % 3])
    return app


def rendered(app: Flask) -> Pages:
    """The pages of all warnings by their templates alone."""
    settings, pages = app.extensions["anlan"], []
    with app.app_context():
        stories = [Story(w, archive.bulletins_of(w.id), CANCELLED) for w in archive.public_warnings()]
        render = Renderer(settings, utcnow(), assets.paths())
        with timed("the pages of warnings by their templates alone", len(stories) * len(LANGUAGES)):
            for story in stories:
                for language in LANGUAGES:
                    path = f"/{language}/warnings/{story.warning.number}/"
                    pages.append((path, render.warning(story, language, path)))
    return pages


def compressed(pages: Pages) -> None:
    with timed("the same pages compressed, gzip and brotli", len(pages)):
        for _path, page in pages:
            gzip.compress(page, 9, mtime=0)
            brotlied(page)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("--warnings", type=int, default=1000)
    count = options.parse_args().warnings
    with tempfile.TemporaryDirectory(prefix="anlan-site-") as name:
        folder = Path(name)
        app = filled(folder, count)
        load = f"Load of the machine: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores."
        print(f"{count:,} past warnings in two languages. {load}")
        compressed(rendered(app))
        with timed("publishing for the first time, all that the site has"):
            done = publish(app)
        print(f"    {done.rendered:,} files, each also as gzip and brotli where that is smaller")
        current = (root_of(app.extensions["anlan"]) / "current").resolve()
        with timed("    the same files copied and on the disk"):
            shutil.copytree(current, folder / "copy")
            os.sync()
        with app.app_context():
            record("20261122-01")
        with timed("publishing one warning more"):
            done = publish(app)
        print(f"    {done.rendered:,} files rendered, {done.unchanged:,} taken over")
        with timed("publishing when nothing changed"):
            done = publish(app)
        print(f"    {done.rendered:,} files rendered (they say how old they are), {done.unchanged:,} taken over")


if __name__ == "__main__":
    main()
