"""The public pages."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import gettext as _

from portal.config import Settings
from portal.core.clock import local, utcnow
from portal.doctor.findings import FAIL, NOTE, OK, Finding


def public_pages(settings: Settings) -> Iterator[Finding]:
    """The pages that residents read are of the last minutes, and new ones can be written."""
    if "site" not in settings.surfaces:
        return
    from portal.site import standing

    found = standing.look(settings, utcnow())
    message, mend = standing.words(found, settings)
    if message:
        yield Finding(FAIL, message, mend)
    elif found.rendered is None:
        yield Finding(NOTE, _("No public page has been rendered yet: the first start, or the first reader, does it."))
    else:
        yield Finding(OK, _("The public pages are of %(time)s.",
                            time=f"{local(found.rendered, settings.timezone):%Y-%m-%d %H:%M}"))
