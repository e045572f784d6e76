"""What was chosen in the settings, and whether that is wise."""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from urllib.parse import urlsplit

from flask_babel import gettext as _

from portal.config import Settings
from portal.doctor.findings import FAIL, OK, WARN, Finding


def secrets(settings: Settings) -> Iterator[Finding]:
    """The keys of production are given, not made up and left on one disk."""
    if settings.demo:
        yield Finding(OK, _("Demonstration: the keys are made up and kept in the instance directory."))
        return
    keys = {
        "ANLAN_SECRET_KEY": settings.secret_key,
        "ANLAN_PHONE_KEY": settings.phone_key,
        "ANLAN_SPEAKER_KEY": settings.speaker_key,
    }
    if settings.push_services:
        keys["ANLAN_PUSH_KEY"] = settings.push_key
    made_up = [name for name, value in keys.items() if not value.get_secret_value()]
    if made_up:
        yield Finding(
            WARN,
            _("Made up and kept on this disk only: %(names)s.", names=", ".join(made_up)),
            _(
                "Set them from your store of secrets, the same on every machine, and keep a copy apart:"
                " without the phone key the numbers cannot be read any more."
            ),
        )
    else:
        yield Finding(OK, _("The keys are given."))


def two_people(settings: Settings) -> Iterator[Finding]:
    """Nobody issues the gravest warnings alone."""
    if settings.two_people_tiers:
        yield Finding(
            OK, _("Two people are needed for: %(tiers)s.", tiers=", ".join(settings.two_people_tiers))
        )
    else:
        yield Finding(
            WARN,
            _("One person alone can issue any warning."),
            _("Set ANLAN_TWO_PEOPLE_TIERS=orange,red"),
        )


def exposure(settings: Settings) -> Iterator[Finding]:
    """A demonstration, whose passwords are printed in its manual, is not open to the world."""
    if not settings.demo:
        return
    hosts = (settings.host, urlsplit(settings.public_url).hostname or "")
    open_hosts = [host for host in hosts if not _is_local(host)]
    if open_hosts:
        yield Finding(
            WARN,
            _(
                "Demonstration mode, its passwords known to all, and others can reach it (%(hosts)s).",
                hosts=", ".join(open_hosts),
            ),
            _("Set ANLAN_DEMO=0 for real use, or ANLAN_HOST=127.0.0.1."),
        )
    else:
        yield Finding(OK, _("Demonstration mode: only this machine can reach it."))


def _is_local(host: str) -> bool:
    if host in {"", "localhost"}:
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def public_address(settings: Settings) -> Iterator[Finding]:
    """Carriers can report back, and over an encrypted line."""
    if "twilio" not in settings.carriers.values():
        return
    if not settings.public_url:
        yield Finding(
            FAIL,
            _("ANLAN_PUBLIC_URL is not set: the carrier cannot report what was delivered."),
            _("Set it to the https address under which the carrier reaches this server."),
        )
    elif urlsplit(settings.public_url).scheme != "https":
        yield Finding(
            FAIL,
            _("ANLAN_PUBLIC_URL is not https: callbacks could be altered on the way."),
            _("Put a server with a certificate in front and set the https address."),
        )
    else:
        yield Finding(OK, _("The carrier reports to %(url)s.", url=settings.public_url))
