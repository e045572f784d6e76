"""Which carriers there are. A new one is a file beside this one with `make(settings)`, a line here, and
its name among the choices of `Settings.sms_provider`."""

from __future__ import annotations

from importlib import import_module

from portal.channels.sms.provider import Provider
from portal.config import Settings

MODULES = {"sandbox": "portal.channels.sms.sandbox", "twilio": "portal.channels.sms.twilio"}


def make_provider(settings: Settings) -> Provider:
    """The carrier that the settings name, for single texts; where they name a file of lines, these. It may hold threads and
    connections: make one and keep it."""
    if settings.sms_lines is not None:
        from portal.channels.sms.lines import registry, singly  # which in turn know carriers of this folder

        return singly.Singly(lambda: registry.make_lines(settings))
    return import_module(MODULES[settings.sms_provider]).make(settings)
