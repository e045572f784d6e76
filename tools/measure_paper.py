"""How long the paper of a whole district takes: 25 communities, three kinds of sheet, with the demonstration's streets,
shelters and ways, and beside it a bare page of the library with the same typeface.

`python tools/measure_paper.py` prints a table. The reference draws as many pages of plain text in the same two weights into
one file: what embedding the typeface costs, and no more. Nothing is asserted: machines differ.
"""

from __future__ import annotations

import io
import resource
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from flask import Flask
from reportlab.pdfgen.canvas import Canvas

from portal import create_app
from portal.config import Settings
from portal.core.db import db
from portal.models import Base
from portal.regions import demo as regions
from portal.regions import lookup
from portal.shelters import demo as shelters
from portal.shelters.field import recompute
from portal.shelters.paper import documents, jobs
from portal.shelters.paper.facts import Facts
from portal.shelters.paper.sheet import HEIGHT, WIDTH
from portal.shelters.paper.source import Source, family_or_main
from portal.web import fonts

LIMIT = 60.0


@contextmanager
def _step(_zh: str, _en: str) -> Iterator[None]:
    yield


def district(folder: Path) -> Flask:
    """The demonstration, ways computed, on a new database."""
    app = create_app(Settings(instance=folder, demo=True, surfaces=("hooks",), secret_key="measure " * 6,  # type: ignore[arg-type]
                              phone_key="ab" * 32, public_url="http://localhost"))  # type: ignore[arg-type]
    with app.app_context():
        Base.metadata.create_all(db.engine)
        regions.seed()
        shelters.seed(_step)
        recompute.now("measure")
    return app


def reference(sheets: list[Facts]) -> tuple[float, int]:
    """Seconds and bytes of one plain page per sheet: its names, in both weights, as the library draws them."""
    begun = time.perf_counter()
    target = io.BytesIO()
    canvas = Canvas(target, pagesize=(WIDTH, HEIGHT), invariant=1, pageCompression=1)
    for facts in sheets:
        for n, text in enumerate([facts.name.zh, *(g.name.zh for g in facts.goals), *(s.name.zh for s in facts.streets)][:60]):
            canvas.setFont(fonts.BOLD if n % 5 == 0 else fonts.REGULAR, 10)
            canvas.drawString(40, HEIGHT - 40 - n * 12, text)
        canvas.showPage()
    canvas.save()
    return time.perf_counter() - begun, len(target.getvalue())


def line(name: str, seconds: float, sheets: int, size: int) -> None:
    print(f"{name:<44}{seconds:>8.2f} s{seconds / max(1, sheets) * 1000:>9.1f} ms a sheet{size / 1024:>9.0f} KB")


def measure(app: Flask) -> None:
    with app.app_context():
        codes = lookup.communities_under([app.extensions["anlan"].district])
        begun = time.perf_counter()
        fonts.ready()
        print(f"{'both weights of the typeface read, once':<44}{time.perf_counter() - begun:>8.2f} s")
        begun = time.perf_counter()
        sheets = list(Source(codes, family_or_main(None)))
        print(f"{f'facts of {len(codes)} communities read':<44}{time.perf_counter() - begun:>8.2f} s")
        for language in ("zh", "en"):
            for kind in documents.KINDS:
                begun = time.perf_counter()
                made = [documents.make(kind, facts, language).pdf for facts in sheets]
                line(f"{kind}, {language}: a file for each", time.perf_counter() - begun, len(made), sum(map(len, made)))
        _one_file(app, codes)
        seconds, size = reference(sheets * len(documents.KINDS))
        line("reference: plain pages, same typeface", seconds, len(sheets) * len(documents.KINDS), size)
    print(f"memory, at most: {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _one_file(app: Flask, codes: list[str]) -> None:
    """As the desk has it made: through the queue, all in one file."""
    from portal.identity import demo as accounts
    from portal.identity.models import Account

    accounts.seed()
    account = db.session.query(Account).filter_by(username="shelters").one()
    for language in ("zh", "en"):
        job_id = jobs.ask(account, list(documents.KINDS), codes, language).id
        begun = time.perf_counter()
        jobs.run_next(app)
        seconds = time.perf_counter() - begun
        job = jobs.get(job_id)
        if job is None or job.state != jobs.DONE or jobs.failures(job):
            sys.exit(f"the job did not succeed: {job and job.state}, {job and jobs.failures(job)}")
        line(f"a district's job, {language}: {job.total} sheets, one file", seconds, job.total, job.size or 0)
        print(f"{'':<44}{'within' if seconds < LIMIT else 'BEYOND'} the {LIMIT:.0f} s that were asked for")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        measure(district(Path(where) / "instance"))
