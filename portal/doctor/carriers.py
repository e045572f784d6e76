"""Lines to several carriers: whether their file can be used, and, when asked, whether those that speak SMPP let us in."""

from __future__ import annotations

from collections.abc import Iterator

from flask_babel import gettext as _

from portal.channels.sms.lines.registry import Unusable, configured
from portal.channels.sms.lines.smpp_options import SmppOptions
from portal.channels.sms.lines.smpp_probe import probe
from portal.config import Settings
from portal.doctor.findings import FAIL, OK, WARN, Finding


def lines(settings: Settings) -> Iterator[Finding]:
    """The file of lines can be read, and holds a carrier that really sends."""
    if settings.sms_lines is None:
        return
    try:
        found = configured(settings)
    except Unusable as error:
        for words in str(error).splitlines():
            yield Finding(FAIL, _("The file of lines cannot be used: %(reason)s.", reason=words.rstrip(".")),
                          _("Correct it; docs/carriers.md says what it may hold."))
        return
    names = ", ".join(line.name for line in found)
    sandboxes = ", ".join(line.name for line in found if line.kind == "sandbox")
    if sandboxes and not settings.demo:
        yield Finding(
            WARN,
            _("Sandboxes are among the lines (%(names)s): what goes over them reaches no phone.", names=sandboxes),
            _("Take them out of the file of lines, or set a carrier in it."),
        )
    else:
        yield Finding(OK, _("Text messages are shared out between lines: %(names)s.", names=names))


def binds(settings: Settings) -> Iterator[Finding]:
    """Carriers that speak SMPP let us bind (asks them; sends nothing)."""
    if settings.sms_lines is None:
        return
    try:
        found = configured(settings)
    except Unusable:
        return  # said already
    for line in found:
        if isinstance(line, SmppOptions):
            if reason := probe(line):
                yield Finding(
                    FAIL,
                    _("The carrier of line %(name)s does not let us bind (%(reason)s).", name=line.name, reason=reason),
                    _("Check host, port, tls, system_id and password, and how many binds the carrier allows."),
                )
            else:
                yield Finding(OK, _("The carrier of line %(name)s lets us bind.", name=line.name))
