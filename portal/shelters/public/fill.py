"""Fills the public files with what residents read of shelters: lists, shelters, communities, the way, the files for phones.

The most needed comes first, because the publisher gives only so much time when a warning is waiting (see `press`).
"""

from __future__ import annotations

import re

from portal.core.i18n import LANGUAGES
from portal.shelters.public import community, files, lists, offline, one, way
from portal.shelters.public.press import Press, Publishing
from portal.shelters.public.source import Source

_OWN = re.compile(rf"/(?:(?:{'|'.join(LANGUAGES)})/(?:shelters|communities|route|offline)/|fields/|feeds/shelters\.geojson$"
                  r"|sw\.js$|manifest\.webmanifest$)")


def is_own(path: str) -> bool:
    """Whether a published path is one of those that are filled here."""
    return _OWN.match(path) is not None


def fill(publishing: Publishing, until: float) -> Press:
    """Put all files of shelters. `until`: the moment (time.monotonic) after which what is in force stays as it is. The press
    that it gives back knows how many were left so, and what went wrong. Whatever it raises, the publisher keeps the files of
    the generation before."""
    press = Press(publishing, until)
    source = Source(publishing.now, publishing.settings.district)
    lists.put(press, source)
    files.put(press, source)
    community.put(press, source)
    one.put(press, source)
    way.put(press, source)
    offline.put(press)
    return press
