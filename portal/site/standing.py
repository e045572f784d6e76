"""Whether the public pages keep up: how old they are, and what keeps new ones from being written. The doctor and the desk
tell it.

What cannot be written down when a disk is full is seen by looking: at the age of the generation in force, and at the disk."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from flask_babel import gettext as _

from portal.config import Settings
from portal.core.clock import local
from portal.site import broken
from portal.site.generations import CURRENT, MANIFEST
from portal.site.publish import root_of

#: Pages are made afresh every five minutes; after three times that nobody does it, or it fails.
OLD = timedelta(minutes=15)
#: A generation of a district with some thousand warnings needs a few megabytes.
LEAST_FREE = 8 * 1024 * 1024
FULL, READ_ONLY, REFUSED, STUCK, BROKEN = "full", "read_only", "refused", "stuck", "broken"


@dataclass(frozen=True)
class Standing:
    """`rendered`: when the generation in force was made; None where there is none. `trouble` is empty where all is well.
    `broken`: numbers of past warnings whose pages could not be made again."""

    rendered: datetime | None
    trouble: str
    broken: tuple[str, ...] = ()


def look(settings: Settings, now: datetime) -> Standing:
    """How the pages stand. Nothing is written, and no manifest is read."""
    root = root_of(settings)
    try:
        rendered = datetime.fromtimestamp((root / CURRENT / MANIFEST).stat().st_mtime, UTC)
    except OSError:
        rendered = None
    trouble = ""
    try:
        disk = os.statvfs(root)
        if disk.f_flag & os.ST_RDONLY:
            trouble = READ_ONLY
        elif disk.f_bavail * disk.f_frsize < LEAST_FREE or (disk.f_files and not disk.f_favail):
            trouble = FULL
        elif not os.access(root, os.W_OK | os.X_OK):
            trouble = REFUSED
    except OSError:
        pass  # never published
    if not trouble and rendered is not None and now - rendered > OLD:
        trouble = STUCK
    unreadable = tuple(broken.numbers(root))
    return Standing(rendered, trouble or (BROKEN if unreadable else ""), unreadable)


def words(standing: Standing, settings: Settings) -> tuple[str, str]:
    """What is wrong, and how to mend it; both empty where all is well."""
    if not standing.trouble:
        return "", ""
    since = f"{local(standing.rendered, settings.timezone):%Y-%m-%d %H:%M}" if standing.rendered else "–"
    if standing.trouble == BROKEN:
        return (_("The pages of these past warnings could not be made again, and stay as they were: %(numbers)s.",
                  numbers=", ".join(standing.broken)), _("Nothing else waits for them. The log says what is wrong with them."))
    path = str(root_of(settings))
    mend = {
        FULL: _("The disk of %(path)s is full: free some space. It is tried again by itself.", path=path),
        READ_ONLY: _("The disk of %(path)s can only be read: look at its state and make it writable again.", path=path),
        REFUSED: _("The portal may not write to %(path)s: give it to the user that the portal runs as.", path=path),
        STUCK: _("Start anlan run or anlan scheduler. If it is at work, read its log."),
    }[standing.trouble]
    return _("The public pages do not keep up: residents read what stood at %(time)s.", time=since), mend
