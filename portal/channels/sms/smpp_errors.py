"""What an SMPP carrier's command_status means for us (SMPP 3.4, 5.1.3).

Four kinds: about this number or message (final for this recipient), about the moment, about pace, and about our own account,
sender or settings (no recipient may be failed for it). An answer with an error says that the message was not taken, so that it
may go another way at once, except where the carrier only says that it failed.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from smpplib import consts

from portal.channels.sms.lines.line import NOT_TAKEN
from portal.channels.sms.provider import ACCEPTED, FAILED, INVALID, OPTED_OUT, RETRY

#: What a carrier's own code may be said to mean in the settings.
Meaning = Literal["invalid", "failed", "opted_out", "passing", "throttled", "ours"]


@dataclass(frozen=True, slots=True)
class Answer:
    """`status` and `code` as a line tells them; `busy`: the carrier asks us to slow down; `ours`: nothing will be taken before
    somebody has mended our account or settings; `trouble`: a passing fault of the carrier's."""

    status: str
    code: str
    busy: bool = False
    ours: bool = False
    trouble: bool = False


_NAMES = {
    value: name.removeprefix("SMPP_")
    for name, value in vars(consts).items()
    if name.startswith("SMPP_ESME_") and isinstance(value, int)
}
_BUSY = {consts.SMPP_ESME_RTHROTTLED, consts.SMPP_ESME_RMSGQFUL}
_OURS = {
    consts.SMPP_ESME_RINVCMDLEN,
    consts.SMPP_ESME_RINVCMDID,
    consts.SMPP_ESME_RINVBNDSTS,
    consts.SMPP_ESME_RALYBND,
    consts.SMPP_ESME_RINVPRTFLG,
    consts.SMPP_ESME_RINVREGDLVFLG,
    consts.SMPP_ESME_RINVSRCADR,
    consts.SMPP_ESME_RBINDFAIL,
    consts.SMPP_ESME_RINVPASWD,
    consts.SMPP_ESME_RINVSYSID,
    consts.SMPP_ESME_RINVSERTYP,
    consts.SMPP_ESME_RINVESMCLASS,
    consts.SMPP_ESME_RINVSRCTON,
    consts.SMPP_ESME_RINVSRCNPI,
    consts.SMPP_ESME_RINVDSTTON,
    consts.SMPP_ESME_RINVDSTNPI,
    consts.SMPP_ESME_RINVSYSTYP,
    consts.SMPP_ESME_RINVSCHED,
    consts.SMPP_ESME_RINVOPTPARSTREAM,
    consts.SMPP_ESME_ROPTPARNOTALLWD,
    consts.SMPP_ESME_RINVPARLEN,
    consts.SMPP_ESME_RMISSINGOPTPARAM,
    consts.SMPP_ESME_RINVOPTPARAMVAL,
}
_FINAL = {
    consts.SMPP_ESME_RINVMSGLEN,
    consts.SMPP_ESME_RX_P_APPN,
    consts.SMPP_ESME_RX_R_APPN,
    consts.SMPP_ESME_RDELIVERYFAILURE,
    consts.SMPP_ESME_RINVNUMDESTS,
    consts.SMPP_ESME_RINVDESTFLAG,
}


def name_of(status: int) -> str:
    """The specification's word for a command_status, or its number where it has none."""
    return _NAMES.get(status, f"smpp_0x{status:x}")


def classify(status: int, meanings: Mapping[int, Meaning] | None = None) -> Answer:
    """What an answer with this command_status is to us; `meanings`: what the settings say of codes. An error that nobody knows
    is taken for a passing one: it may be about our account as well as about the number."""
    if status == consts.SMPP_ESME_ROK:
        return Answer(ACCEPTED, "")
    return _of(_meaning(status, meanings or {}), name_of(status), certain=status != consts.SMPP_ESME_RSUBMITFAIL)


def _meaning(status: int, meanings: Mapping[int, Meaning]) -> Meaning:
    if status in meanings:
        return meanings[status]
    if status == consts.SMPP_ESME_RINVDSTADR:
        return "invalid"
    if status in _BUSY:
        return "throttled"
    if status in _OURS:
        return "ours"
    return "failed" if status in _FINAL else "passing"


def _of(meaning: Meaning, code: str, *, certain: bool) -> Answer:
    if meaning == "invalid":
        return Answer(INVALID, code)
    if meaning == "failed":
        return Answer(FAILED, code)
    if meaning == "opted_out":
        return Answer(OPTED_OUT, code)
    if meaning == "throttled":
        return Answer(NOT_TAKEN, code, busy=True)
    if meaning == "ours":
        return Answer(NOT_TAKEN, code, ours=True)
    return Answer(NOT_TAKEN if certain and code in _ELSEWHERE else RETRY, code, trouble=True)


#: Passing faults of the carrier as a whole: another carrier may well take the message now.
_ELSEWHERE = {name_of(consts.SMPP_ESME_RSYSERR), name_of(consts.SMPP_ESME_RX_T_APPN)}
