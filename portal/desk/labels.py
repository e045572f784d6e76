"""What the desk calls channels, states, ends and errors."""

from __future__ import annotations

import re
from typing import Any

from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.dispatch import tallies
from portal.dispatch.models import PUSH, SMS, SPEAKERS, WEB
from portal.dispatch.receipts import FAILED_LATER

CHANNELS = {
    SMS: _l("Text messages"),
    SPEAKERS: _l("Loudspeakers"),
    PUSH: _l("Notifications on devices"),
    WEB: _l("Public page and feed"),
}
STATES = {
    "planning": _l("planning"),
    "running": _l("sending"),
    "done": _l("done"),
    "stopped": _l("stopped"),
    "expired": _l("expired"),
}
ENDS = {
    tallies.ACCEPTED: _l("taken by the carrier"),
    tallies.FAILED: _l("refused by the carrier"),
    tallies.OPTED_OUT: _l("opted out"),
    tallies.INVALID: _l("no such number"),
    tallies.EXPIRED: _l("not sent: expired"),
    tallies.STOPPED: _l("not sent: stopped"),
    tallies.UNCERTAIN: _l("uncertain: a process ended while sending"),
}
STAGES = {
    "sent": _l("on the way"),
    "delivered": _l("delivered"),
    "undelivered": _l("not delivered"),
    "failed": _l("failed on the way"),
    "heard": _l("command taken"),
    "playing": _l("speaking"),
    "finished": _l("spoken to the end"),
    "preempted": _l("interrupted by a more urgent one"),
    "stopped": _l("stopped"),
    "expired": _l("too late, not spoken"),
    "refused": _l("refused the command"),
}
HORNS = ENDS | STAGES | {tallies.ACCEPTED: _l("command taken"), "failed": _l("failed"), "pending": _l("no answer yet")}
#: A push service says that it took a message, and nothing of the device.
DEVICE_ENDS = ENDS | {tallies.ACCEPTED: _l("taken by the push service"), tallies.OPTED_OUT: _l("turned off on the device"),
                      tallies.FAILED: _l("failed")}
#: Why text messages did not arrive: how the hand-over ended, or what was heard of it later.
MESSAGE_KINDS = ENDS | {"undelivered": STAGES["undelivered"], FAILED_LATER: STAGES["failed"]}
KINDS = {"alert": _l("Warning"), "update": _l("Update"), "cancel": _l("All-clear")}
WARNING_STATES = {"in_force": _l("in force"), "cancelled": _l("all-clear given"), "expired": _l("expired")}
DEVICES = {
    "online": _l("online"),
    "playing": _l("speaking"),
    "offline": _l("offline"),
    "silent": _l("gone silent"),
    "fault": _l("fault"),
    "unknown": _l("never heard of"),
}

#: What carriers, devices and our own channels say, in words. Numbers of three figures are what push services answer (HTTP), those
#: of five are Twilio's, see https://www.twilio.com/docs/api/errors; the others are words of our own.
ERRORS = {
    "broker": _l("no connection to the broker of the loudspeakers"),
    "offline": _l("devices are offline"),
    "silent": _l("devices do not answer"),
    "no bridge": _l("no bridge is set up for this kind of loudspeaker"),
    "halted": _l("interrupted; goes on by itself"),
    "expired": _l("its time is over"),
    "removed": _l("taken out of the registry"),
    "gone": _l("the browser does not take notifications any more"),
    "service": _l("its push service is not among those that the settings name"),
    "timeout": _l("the carrier does not answer in time"),
    "connection": _l("no connection to the carrier"),
    "unreadable": _l("the carrier's answer cannot be read"),
    "sdk": _l("the carrier's software failed"),
    "auth": _l("the carrier refuses our account: an administrator must check its key"),
    "worker": _l("a process ended while sending"),
    "address": _l("the device's address is wrong"),
    "clock": _l("the device's clock is wrong"),
    "old": _l("the device knows a newer command"),
    "busy": _l("the device has too many commands waiting"),
    "signature": _l("the device does not trust our signature"),
    "form": _l("the device cannot read the command"),
    "size": _l("the command is too long for the device"),
    "key": _l("the device's key was changed"),
    "restarted": _l("the device was started again"),
    "restarts": _l("the device broke down again and again"),
    "sound": _l("the device cannot play sound"),
    "amplifier": _l("the amplifier has a fault"),
    **dict.fromkeys(("401", "403"), _l("the carrier refuses our account: an administrator must check its key")),
    "429": _l("too many messages at once; the carrier asks us to slow down"),
    "500": _l("the carrier has a fault of its own"),
    **dict.fromkeys(("502", "503", "504"), _l("the carrier is not available")),
    "20003": _l("the carrier refuses our account: an administrator must check its key"),
    "20429": _l("too many messages at once; the carrier asks us to slow down"),
    "20500": _l("the carrier has a fault of its own"),
    "20503": _l("the carrier is not available"),
    "21211": _l("not a valid number"),
    "21214": _l("this number cannot be reached"),
    "21408": _l("the account may not send to this country"),
    "21606": _l("our sender number may not send messages"),
    "21610": _l("the person has told the carrier to stop"),
    "21611": _l("the carrier's queue is full"),
    "21612": _l("no route to this number"),
    "21614": _l("not a mobile number"),
    "30001": _l("the carrier's queue is full"),
    "30002": _l("the account is suspended"),
    "30003": _l("the phone is off or out of reach"),
    "30004": _l("the phone or its network blocks the message"),
    "30005": _l("the number is not in use"),
    "30006": _l("a landline, or a network that takes no messages"),
    "30007": _l("held back as spam by a network"),
    "30008": _l("failed on the way for an unknown reason"),
    # SMPP: the specification's names of errors, and of the states in receipts.
    **dict.fromkeys(("tls", "dns", "unbound"), _l("no connection to the carrier")),
    **dict.fromkeys(("ESME_RINVPASWD", "ESME_RINVSYSID", "ESME_RBINDFAIL", "ESME_RINVSYSTYP", "ESME_RALYBND"),
                    _l("the carrier refuses our account: an administrator must check its key")),
    **dict.fromkeys(("ESME_RINVSRCADR", "ESME_RINVSRCTON", "ESME_RINVSRCNPI"), _l("our sender number may not send messages")),
    "ESME_RTHROTTLED": _l("too many messages at once; the carrier asks us to slow down"),
    "ESME_RMSGQFUL": _l("the carrier's queue is full"),
    **dict.fromkeys(("ESME_RSYSERR", "ESME_RUNKNOWNERR", "ESME_RSUBMITFAIL"), _l("the carrier has a fault of its own")),
    "ESME_RINVDSTADR": _l("not a valid number"),
    **dict.fromkeys(("ESME_RX_T_APPN", "ESME_RX_P_APPN", "ESME_RX_R_APPN"), _l("the carrier cannot take the request")),
    "EXPIRED": _l("the phone is off or out of reach"),
    "UNDELIV": _l("this number cannot be reached"),
    "REJECTD": _l("the phone or its network blocks the message"),
    "DELETED": _l("failed on the way for an unknown reason"),
}
_HTTP = {
    "403": _l("the carrier refuses our account: an administrator must check its key"),
    "408": _l("the carrier does not answer in time"),
    "429": _l("too many messages at once; the carrier asks us to slow down"),
}
_STATUS = re.compile(r"(?:http_)?([1-5]\d\d)")


def error(code: str) -> str:
    """A code in words, the code itself behind them; one that nobody knows as it is."""
    head, _colon, rest = code.partition(":")
    said = _said(code, head, rest.strip())
    return _("%(words)s (%(code)s)", words=said, code=code) if said else code


def _said(code: str, head: str, rest: str) -> Any:
    if code in ERRORS:
        return ERRORS[code]
    if (state := code.partition(".")[0]) in ERRORS:  # behind the point is the carrier's own number of the cause
        return ERRORS[state]
    if head == "refused":
        return _("devices refuse the command: %(why)s", why=ERRORS.get(rest, rest))
    if head == "publish":
        return _("the public pages cannot be written")
    if head == "internal":
        return _("a fault in this portal; it is written in its log")
    if status := _STATUS.fullmatch(code):
        number = status.group(1)
        return _HTTP.get(number) or (_("the carrier has a fault of its own") if number >= "500"
                                     else _("the carrier cannot take the request"))
    return None
