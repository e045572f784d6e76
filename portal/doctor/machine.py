"""What this machine has: time, room, a voice, and the files that were built."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from flask_babel import gettext as _

from portal.config import Settings
from portal.core import i18n
from portal.core.clock import utcnow
from portal.doctor.findings import FAIL, NOTE, OK, WARN, Finding

LOW_DISK, NO_DISK = 2 * 1024**3, 200 * 1024**2  # bytes
BUILT = datetime(2026, 11, 1, tzinfo=UTC)  # no honest clock is before this
VENDOR_FILES = (
    "leaflet/leaflet.js",
    "leaflet-geoman/leaflet-geoman.min.js",
    "htmx/htmx.min.js",
    "uplot/uPlot.iife.min.js",
    "noto-sans-sc/NotoSansSC_400Regular.ttf",
    "noto-sans-sc/NotoSansSC_700Bold.ttf",
)


def clock(settings: Settings) -> Iterator[Finding]:
    """The clock can be right."""
    here = utcnow().astimezone(ZoneInfo(settings.timezone))
    if utcnow() < BUILT:
        yield Finding(
            FAIL,
            _("The clock says %(time)s, which cannot be.", time=f"{here:%Y-%m-%d %H:%M}"),
            _("Set the clock and run a time service: warnings would expire at the wrong time."),
        )
    else:
        yield Finding(
            OK,
            _(
                "The clock says %(time)s (%(name)s).",
                time=f"{here:%Y-%m-%d %H:%M}",
                name=settings.timezone,
            ),
        )


def instance_directory(settings: Settings) -> Iterator[Finding]:
    """The directory of database, keys and pages can be written and has room."""
    try:
        settings.instance.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=settings.instance):
            pass
    except OSError as error:
        yield Finding(
            FAIL,
            _(
                "The instance directory %(path)s cannot be written: %(reason)s.",
                path=settings.instance,
                reason=error.strerror,
            ),
            _("Give the user that runs this the right to write there, or set ANLAN_INSTANCE."),
        )
        return
    free = shutil.disk_usage(settings.instance).free
    size = f"{free / 1024**3:.1f}"
    if free < LOW_DISK:
        yield Finding(
            FAIL if free < NO_DISK else WARN,
            _("Only %(size)s GB are free where the instance directory is.", size=size),
            _("Make room: a full disk stops warnings from being recorded and sent."),
        )
    else:
        yield Finding(OK, _("The instance directory can be written; %(size)s GB are free.", size=size))


def speech(settings: Settings) -> Iterator[Finding]:
    """Horns can be heard here before they are heard outside."""
    if shutil.which("espeak-ng"):
        yield Finding(OK, _("espeak-ng is installed: words for loudspeakers can be spoken."))
    else:
        yield Finding(
            NOTE,
            _("espeak-ng is not installed: a speaker on this machine only logs its words."),
            _("On Debian and Ubuntu: apt-get install espeak-ng"),
        )


def static_files(settings: Settings) -> Iterator[Finding]:
    """The pages' libraries are there."""
    from portal.web import STATIC

    if missing := [name for name in VENDOR_FILES if not (STATIC / "vendor" / name).exists()]:
        yield Finding(
            FAIL,
            _("Front-end files are missing: %(names)s.", names=", ".join(missing)),
            _("Run: make setup"),
        )
    else:
        yield Finding(OK, _("The front-end files are there."))


def catalogues(settings: Settings) -> Iterator[Finding]:
    """The pages speak both languages."""
    sources = [po for folder in i18n.catalogue_dirs() for po in folder.glob("*/LC_MESSAGES/messages.po")]
    stale = [
        po
        for po in sources
        if not (mo := po.with_suffix(".mo")).exists() or mo.stat().st_mtime < po.stat().st_mtime
    ]
    if stale:
        yield Finding(
            FAIL,
            _("%(count)s translation catalogues are not compiled.", count=len(stale)),
            _("Run: anlan messages compile"),
        )
    else:
        yield Finding(OK, _("The translations are compiled."))
