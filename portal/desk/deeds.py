"""The audit trail in words: what was done, to what, and where that can be looked at."""

from __future__ import annotations

import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext as _l

from portal.core.audit import AuditEntry
from portal.core.i18n import select_language
from portal.desk import labels
from portal.regions import lookup
from portal.reports import states as reports
from portal.reports.kinds import KINDS as REPORTS
from portal.shelters.registry import words as shelters
from portal.shelters.registry.suitability import HAZARDS, families
from portal.shelters.roads.obstruction_kinds import KINDS as OBSTRUCTIONS
from portal.shelters.transfers import words as transfers
from portal.warnings import bulletins, hazards
from portal.web.show import TIER_LABELS

ACTS = {
    "draft.create": _l("wrote a draft"),
    "draft.revise": _l("changed a draft"),
    "draft.submit": _l("submitted a draft for approval"),
    "draft.withdraw": _l("withdrew a draft from approval"),
    "draft.return": _l("returned a draft"),
    "draft.reject": _l("rejected a draft"),
    "draft.discard": _l("discarded a draft"),
    "bulletin.issue": _l("approved and issued"),
    "demo.bulletin": _l("filed a demonstration warning"),
    "demo.filled": _l("filled in the demonstration"),
    "demo.shelters": _l("filled in the demonstration's shelters"),
    "warning.expire": _l("warning expired"),
    "dispatch.stop": _l("stopped what was unsent"),
    "identity.sign_in": _l("signed in"),
    "identity.sign_out": _l("signed out"),
    "identity.sign_in_failed": _l("sign-in failed"),
    "identity.lock": _l("account locked"),
    "identity.unlock": _l("unlocked an account"),
    "identity.create": _l("created an account"),
    "identity.deactivate": _l("deactivated an account"),
    "identity.reactivate": _l("reactivated an account"),
    "identity.duty_add": _l("gave a duty"),
    "identity.duty_remove": _l("took a duty away"),
    "identity.password_change": _l("changed the own password"),
    "identity.password_reset": _l("set a new password for an account"),
    "speakers.import": _l("imported loudspeakers"),
    "regions.import": _l("imported regions"),
    "shelter.create": _l("added a shelter"),
    "shelter.change": _l("changed a shelter"),
    "shelter.retire": _l("retired a shelter"),
    "shelter.restore": _l("brought a shelter back"),
    "shelters.import": _l("imported shelters"),
    "shelter.report": _l("reported a shelter's state"),
    "keeper.add": _l("let somebody report for a shelter"),
    "keeper.remove": _l("ended somebody's reporting for a shelter"),
    "keeper.sign_in": _l("signed in as shelter staff"),
    "opening.opened": _l("opened shelters"),
    "opening.declined": _l("opened no shelters"),
    "opening.closed": _l("told shelters to close"),
    "opening.texts_begin": _l("began to tell the shelters' staff"),
    "opening.texts": _l("told the shelters' staff"),
    "obstruction.create": _l("set an obstruction"),
    "obstruction.edit": _l("changed an obstruction"),
    "obstruction.end": _l("ended an obstruction"),
    "obstruction.resume": _l("took an obstruction up again"),
    "obstruction.extend": _l("put the end of an obstruction off"),
    "obstruction.import": _l("imported obstructions"),
    "course.load": _l("loaded a course"),
    "course.import": _l("took questions of another program as files"),
    "course.export": _l("took questions with what is right out"),
    "learner.join": _l("enrolled as a learner"),
    "learner.name": _l("gave a learner's name"),
    "learner.move": _l("chose the community of a learner"),
    "learner.language": _l("chose a learner's language"),
    "learner.on_call": _l("agreed to be called as a first responder"),
    "learner.off_call": _l("is no more to be called as a first responder"),
    "learner.sign_out_all": _l("signed out on all devices"),
    "learner.download": _l("downloaded what is kept of a learner"),
    "learner.erase": _l("erased a learner"),
    "learner.list": _l("looked at a list of learners"),
    "learner.look": _l("looked at a learner"),
    "subscriber.erase": _l("erased what is kept of a subscriber"),
    "subscriber.find": _l("looked a phone up"),
    "subscriber.look": _l("looked at a subscriber"),
    "subscriber.stop": _l("ended a subscriber's texts on request"),
    "subscriber.erased": _l("erased a subscriber on request"),
    "subscribers.take": _l("said yes to a list of subscribers"),
    "subscribers.done": _l("a list of subscribers came in"),
    "subscribers.drop": _l("threw a list of subscribers away"),
    "subscribers.cut_off": _l("a list of subscribers was cut off"),
    "subscribers.undo": _l("wanted a list of subscribers taken back"),
    "subscribers.undone": _l("a list of subscribers was taken back"),
    "subscribers.export": _l("took numbers of subscribers out"),
    "subscriber.download": _l("downloaded what is kept of a subscriber"),
    "cohort.create": _l("made a cohort"),
    "cohort.change": _l("changed a cohort"),
    "cohort.end": _l("ended a cohort"),
    "cohort.reopen": _l("took the end of a cohort back"),
    "cohort.take_out": _l("took a member out of a cohort"),
    "roster.import": _l("imported a list of learners"),
    "roster.undo": _l("took the import of a list of learners back"),
    "roster.export": _l("saved a list of learners as a file"),
    "gradebook.export": _l("saved a gradebook as a file"),
    "results.import": _l("imported practical results"),
    "exam.start": _l("began an exam"),
    "exam.end": _l("ended an exam"),
    "exam.more": _l("gave one more attempt at an exam"),
    "exam.unmarked": _l("handed in an exam that could not be marked"),
    "practical.publish": _l("published a practical session"),
    "practical.change": _l("changed a practical session"),
    "practical.cancel": _l("called a practical session off"),
    "practical.book": _l("took a seat at a session"),
    "practical.wait": _l("waits for a seat at a session"),
    "practical.leave": _l("gave a seat at a session back"),
    "practical.move_up": _l("moved up to a free seat"),
    "attendance.code": _l("checked in at a session"),
    "attendance.hand": _l("said whether somebody is at a session"),
    "attendance.walk_in": _l("took somebody into a session"),
    "attendance.absent": _l("noted who did not come"),
    "assessment.take": _l("took the list of a session along on a phone"),
    "assessment.record": _l("assessed a practical skill"),
    "assessment.settle": _l("settled a dispute about a skill"),
    "certificate.issue": _l("granted a certificate"),
    "certificate.renew": _l("renewed a certificate"),
    "certificate.revoke": _l("revoked a certificate"),
    "certificate.reinstate": _l("gave a revoked certificate back"),
    "certificate.reissue": _l("wrote a certificate anew under the corrected name"),
    "certificate.keys": _l("made a new key that signs certificates"),
    "field.recompute": _l("had the ways computed anew"),
    "roads.import": _l("imported roads"),
    "communities.import": _l("imported what is kept of communities"),
    "community.posts": _l("changed a community's posts"),
    "community.risks": _l("changed a community's risk points"),
    "community.ten": _l("changed a community's ten “haves”"),
    "paper.ask": _l("had paper made"),
    "paper.cancel": _l("stopped the making of paper"),
    "paper.card": _l("made a household card"),
    "token.create": _l("made a token for another system"),
    "token.revoke": _l("revoked a token"),
    "transfer.list": _l("looked at a transfer list"),
    "transfer.look": _l("looked at somebody who needs help to leave"),
    "transfer.print": _l("printed a transfer list"),
    "transfer.export": _l("saved a transfer list as a file"),
    "transfer.take": _l("took a transfer list along on a phone"),
    "transfer.add": _l("added somebody to a transfer list"),
    "transfer.change": _l("changed an entry of a transfer list"),
    "transfer.remove": _l("removed somebody from a transfer list"),
    "transfer.restore": _l("brought somebody back onto a transfer list"),
    "transfer.import": _l("imported transfer lists"),
    "transfer.state": _l("reported a step of a transfer"),
    "transfer.round_start": _l("started a transfer round"),
    "transfer.round_end": _l("ended a transfer round"),
    "transfer.wipe": _l("wiped who was removed from transfer lists"),
    "report.receive": _l("took in a resident's report"),
    "report.said": _l("the reporter added something"),
    "report.prove": _l("the reporter confirmed the telephone"),
    "report.forget_phone": _l("the reporter took the telephone away"),
    "report.withdraw": _l("the reporter withdrew the report"),
    "report.state": _l("decided about a resident's report"),
    "report.answer": _l("answered a resident's report"),
    "report.note": _l("noted something at a resident's report"),
    "report.merge": _l("merged a resident's report into another"),
    "report.region": _l("handed a resident's report to a community"),
    "report.reveal": _l("looked at the telephone of a resident's report"),
    "report.obstruction": _l("made an obstruction of a resident's report"),
    "report.draft": _l("began a draft with a resident's report"),
    "report.erase": _l("erased the words of an old report"),
    "report.delete": _l("deleted spam"),
}
#: Groups to filter by: the beginnings of their acts.
GROUPS = {
    "warnings": (_l("Issue, expiry, stop"), ("bulletin.", "warning.", "dispatch.", "demo.")),
    "drafts": (_l("Drafts"), ("draft.",)),
    "accounts": (_l("Accounts and sign-in"), ("identity.", "token.")),
    "imports": (_l("Imports"), ("speakers.", "regions.", "shelters.import")),
    "shelters": (_l("Shelters, communities, transfers"), ("shelter.", "shelters.", "keeper.", "communities.", "community.",
                                                           "transfer.", "transfers.", "paper.", "opening.")),
    "obstructions": (_l("Obstructions and roads"), ("obstruction.", "roads.", "field.")),
    "training": (_l("Courses and learners"), ("course.", "learner.", "exam.", "practical.", "attendance.", "assessment.",
                                           "certificate.", "cohort.", "roster.", "gradebook.", "results.")),
    "reports": (_l("Residents' reports"), ("report.",)),
    "subscribers": (_l("Subscribers"), ("subscriber.", "subscribers.")),
}
_SUBJECTS = {
    "draft": _l("draft"), "bulletin": _l("bulletin"), "warning": _l("warning"), "dispatch": _l("dispatch"),
    "account": _l("account"), "file": _l("file"), "regions": _l("regions"), "region": _l("region"),
    "obstruction": _l("obstruction"), "token": _l("token"), "shelter": _l("shelter"),
    "opening": _l("decision"), "transfer": _l("transfer"), "transfers": _l("transfer lists"), "round": _l("round"),
    "roads": _l("roads"), "paper": _l("paper"), "course": _l("course"), "learner": _l("learner"),
    "exam": _l("exam"), "practical": _l("practical session"), "certificate": _l("certificate"),
    "list": _l("list"), "cohort": _l("cohort"), "subscriber": _l("subscriber"), "report": _l("residents' report no."),
}
_DETAILS = {
    "version": _l("version"), "content": _l("content"), "reason": _l("reason"), "kind": _l("kind"), "exercise": _l("drill"),
    "tier": _l("tier"), "hazard": _l("hazard"), "regions": _l("regions"), "region": _l("region"), "region_code": _l("region"),
    "number": _l("number"), "identifier": _l("identifier"), "cap_sha256": _l("CAP hash"), "draft": _l("draft"),
    "bulletin": _l("bulletin"), "channel": _l("channel"), "address": _l("network address"), "minutes": _l("minutes"),
    "role": _l("role"), "highest_tier": _l("up to tier"), "rows": _l("rows"), "added": _l("added"), "changed": _l("changed"),
    "username": _l("user name"), "duties": _l("duties"), "sent": _l("sent"), "warning": _l("warning"), "hash": _l("hash"),
    "display_name": _l("office"), "demonstration": _l("demonstration"), "files": _l("files"), "created": _l("added"),
    "updated": _l("changed"), "boundaries": _l("boundaries"), "skipped": _l("skipped"),
    "name": _l("name"), "expires": _l("end"), "ended": _l("ended"), "resumed": _l("taken up again"),
    "status": _l("state"), "occupancy": _l("people"), "source": _l("source"), "applied": _l("became the state"),
    "conflict": _l("contradicts another report"), "post": _l("post"), "keeper": _l("keeper"), "failed": _l("not reached"),
    "left_out": _l("left out"),
    "version_id": _l("number of the version"), "faults": _l("faults"),
    "fields": _l("fields"), "before": _l("before"), "after": _l("after"), "unchanged": _l("unchanged"),
    "format": _l("format"), "codes": _l("codes"),
    "people": _l("people"),
    "hours": _l("hours"),
    "searched": _l("searched"),
    "offline": _l("offline"),
    "removed": _l("removed"),
    "family": _l("hazard family"),
    "deadline": _l("deadline"),
    "state": _l("state"),
    "outcome": _l("outcome"),
    "undone": _l("undone"),
    "nodes": _l("nodes"), "edges": _l("pieces of way"), "sheets": _l("sheets"), "kinds": _l("kinds"), "language": _l("language"),
    "posts": _l("posts"), "answers": _l("answers"), "course": _l("course"), "percent": _l("per cent"), "passed": _l("passed"),
    "serial": _l("serial"), "renews": _l("renews"), "replaces": _l("replaces"),
    "skill": _l("skill"), "bookings": _l("bookings"), "learner": _l("learner"), "begins": _l("begins"), "seats": _l("seats"),
    "bad": _l("bad rows"), "gained": _l("gained something"), "same": _l("as they were"), "left": _l("had left"),
    "taken_back": _l("taken back"), "kept": _l("left alone"), "way": _l("asked for by"), "purpose": _l("purpose"),
    "audience": _l("audience"), "was": _l("was"), "sha256": _l("hash"),
    "new": _l("new"), "joined": _l("joined"), "members": _l("members"), "gone": _l("deleted"), "lacks": _l("who lacks"),
    "danger": _l("kind"), "stands": _l("state"), "photos": _l("photos"), "doubtful": _l("doubtful"), "into": _l("into no."),
    "made": _l("number"),
}
_TELLING = ("exercise", "reason", "kind", "hazard", "tier", "regions", "username", "role", "region_code", "highest_tier",
            "channel")
_REASONS = {"password": _l("wrong password"), "refused": _l("not allowed to sign in"), "unknown": _l("no such account"),
            "real_round": _l("a real round began")}
_ROLES = {"drafter": _l("drafter"), "approver": _l("approver"), "administrator": _l("administrator"), "viewer": _l("viewer"),
          "shelters": _l("shelters"), "transfers": _l("transfers"), "subscribers": _l("subscribers")}
_FIELDS = HAZARDS | shelters.FIELDS | _DETAILS
_KINDS = labels.KINDS | {key: kind.label for key, kind in OBSTRUCTIONS.items()}
_HEX = re.compile(r"[0-9a-f]{40,64}|[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")


@dataclass(frozen=True)
class Detail:
    """`full` is what a shortened text stands for, else empty."""

    name: Any
    text: str
    full: str = ""


@dataclass(frozen=True)
class Deed:
    """One entry as people read it. `act` is the key itself where nobody knows words for it; `url` may be empty."""

    entry: AuditEntry
    act: Any
    known: bool
    subject: str
    subject_full: str
    url: str
    details: list[Detail]


def read(entry: AuditEntry, *, accounts_open: bool, account_names: Mapping[str, str]) -> Deed:
    """`accounts_open`: whether the reader may open the accounts' pages; `account_names`: user names by account id."""
    kind, _colon, key = entry.subject.partition(":")
    name = str(_SUBJECTS.get(kind, kind))
    short, full = _short(key)
    number, url = _warning_of(entry, kind, key)
    number = number or account_names.get(key, "") or (_word("region", key) if kind in ("region", "regions") else "")
    if kind == "draft" and _is_id(key):
        url = url_for("desk.draft", draft_id=key)
    elif kind == "session" and _is_id(key):
        url = url_for("training_sessions.show", session_id=key)
    elif kind == "report" and key.isdigit():
        url = url_for("reports_desk.single", number=int(key))
    elif kind == "account" and _is_id(key) and accounts_open:
        url = url_for("identity.account", account_id=key)
    return Deed(entry, ACTS.get(entry.action, entry.action), entry.action in ACTS, f"{name} {number or short}".strip(),
                entry.subject if full else "", url,
                [_detail(k, v) for k, v in sorted(entry.details.items(), key=_weight) if v not in (None, "", [], {})])


def _weight(detail: tuple[str, Any]) -> int:
    """What says most comes first, for only the first few are seen at once; that something is no drill comes last."""
    name, value = detail
    return len(_TELLING) + (value is False) if name not in _TELLING or value is False else _TELLING.index(name)


def _is_id(text: str) -> bool:
    try:
        uuid.UUID(text)
    except ValueError:
        return False
    return True


def _warning_of(entry: AuditEntry, kind: str, key: str) -> tuple[str, str]:
    """Number and page of the warning that a bulletin, a dispatch or a warning belongs to."""
    number = entry.details.get("number", "") if kind in ("bulletin", "warning") else ""
    if not number and kind == "warning" and _is_id(key):
        found = bulletins.warning(uuid.UUID(key))
        number = found.number if found else ""
    elif not number and kind in ("bulletin", "dispatch"):
        bulletin = key if kind == "bulletin" else str(entry.details.get("bulletin", ""))
        issued = bulletins.get(uuid.UUID(bulletin)) if _is_id(bulletin) else None
        number = issued.warning_number if issued else ""
    return number, url_for("desk.warning", number=number) if number else ""


def _short(text: str) -> tuple[str, str]:
    """Hashes and ids by their last eight signs (ids begin with their time, so their ends tell them apart)."""
    return (f"…{text[-8:]}", text) if _HEX.fullmatch(text) else (text, "")


def _detail(name: str, value: Any) -> Detail:
    label = _DETAILS.get(name, name)
    if isinstance(value, list):
        return Detail(label, _list(value, "fields" if name == "fields" else "region"))
    if isinstance(value, bool):
        return Detail(label, _("yes") if value else _("no"))
    if isinstance(value, dict):
        return Detail(label, _pairs(value), ", ".join(f"{k} {v}" for k, v in value.items()) if name == "files" else "")
    text = _word(name, str(value))
    return Detail(label, *_short(text))


def _pairs(value: dict[str, Any]) -> str:
    return str(_(", ")).join(f"{_FIELDS.get(k, k)} {_told(k, v)}" for k, v in value.items())


def _told(name: str, value: Any) -> str:
    if isinstance(value, dict):
        return f"({_pairs(value)})"
    if value is None or isinstance(value, bool):
        return str(shelters.yes_no_unknown(value))
    return _short(_word(name, str(value)))[0]


def _list(value: list[Any], kind: str = "region") -> str:
    return str(_("; ")).join(_pairs(v) if isinstance(v, dict) else _word(kind, str(v)) for v in value)


def _families() -> dict[str, str]:
    return {key: family.name(select_language()) for key, family in families().items()}


def _word(name: str, text: str) -> str:
    """What a key stands for, where people have a word for it."""
    if name in ("region", "region_code", "regions") and (node := lookup.get(text)):
        return node.name(select_language())
    if name == "hazard" and (hazard := hazards.catalogue().get(text)):
        return hazard.name(select_language())
    words = {"tier": TIER_LABELS, "highest_tier": TIER_LABELS, "kind": _KINDS,
             "channel": labels.CHANNELS, "role": _ROLES, "status": shelters.STATUSES, "reason": _REASONS,
             "fields": shelters.FIELDS, "state": transfers.STATES,
             "danger": {key: kind.label for key, kind in REPORTS.items()}, "stands": reports.LABELS,
             "outcome": transfers.OUTCOMES, "family": _families(),
             **{key: dict(choices) for key, choices in shelters.CHOICES.items()}}.get(name, {})
    return str(words.get(text, text))
