"""Keeping a list by hand: add, change, remove, bring back, and take the last change back.

An undo travels with the page that offers it, sealed: what stood there before, for whom, and until when. Nothing of it is
kept on the server, and it undoes only what nobody has changed since.
"""

from __future__ import annotations

import base64
import binascii
import json
import uuid
from collections.abc import Sequence
from dataclasses import asdict
from datetime import timedelta
from typing import Any

from cryptography.exceptions import InvalidTag
from flask_babel import gettext as _
from sqlalchemy import select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from portal.core import audit
from portal.core.clock import utcnow
from portal.core.db import transaction
from portal.core.errors import Conflict, Invalid
from portal.identity.models import Account
from portal.shelters.models import TransferPerson, TransferRound
from portal.shelters.transfers import looks, rights, rounds, vault
from portal.shelters.transfers.checks import Entry

#: How long an undo is offered; how long a removed person can be brought back is in `retention`.
UNDO = timedelta(minutes=15)


def add(account: Account, entry: Entry) -> TransferPerson:
    """Somebody new on the list. Raises Forbidden, and Invalid (`code`) when the code is taken."""
    rights.require(account, [entry.region_code])
    taken = Invalid.one("code", _("This code is taken. Choose another one, or look among those who were removed."))
    try:
        with transaction() as session:
            rounds.hold(session)
            if session.scalar(select(TransferPerson.id).where(TransferPerson.code == entry.code)) is not None:
                raise taken
            person = made(session, entry, "desk", account.username)
            audit.append(session, account.actor, "transfer.add", looks.subject(person), {"region_code": person.region_code})
            return person
    except IntegrityError as error:
        raise taken from error


def change(account: Account, person_id: uuid.UUID, version: int, entry: Entry, *, undone: bool = False) -> tuple[
        TransferPerson, str] | None:
    """Replace what the list says of somebody; the person and the undo of it (empty when nothing changed). None when there is
    nobody whom the account may see. Raises Forbidden for a community beyond the duty, Conflict on a stale version."""
    rights.require(account, [entry.region_code])
    try:
        with transaction() as session:
            rounds.hold(session)
            person = looks.visible(session, account, person_id, lock=True)
            if person is None:
                return None
            _fresh(person, version)
            before = of(person)
            changed = fill(person, entry)
            if not changed:
                return person, ""
            person.version, person.changed_at = person.version + 1, utcnow()
            rounds.join(session, person, account.username, person.changed_at)
            session.flush()
            audit.append(session, account.actor, "transfer.change", looks.subject(person), {
                "region_code": person.region_code, "fields": changed, **({"undone": True} if undone else {})})
            return person, _token(account, "change", person, before)
    except IntegrityError as error:
        raise Invalid.one("code", _("This code is taken. Choose another one, or look among those who were removed.")) from error


def remove(account: Account, person_id: uuid.UUID, version: int) -> TransferPerson | None:
    """Take somebody from the list. What is sealed is wiped later, see :mod:`retention`; until then it can be undone."""
    return _mark(account, person_id, version, removed=True)


def restore(account: Account, person_id: uuid.UUID, version: int) -> TransferPerson | None:
    """Bring somebody back onto the list. Raises Conflict when what was sealed is wiped."""
    return _mark(account, person_id, version, removed=False)


def undo_of_removal(account: Account, person: TransferPerson) -> str:
    return _token(account, "remove", person, None)


def undo_of_addition(account: Account, person: TransferPerson) -> str:
    return _token(account, "add", person, None)


def undo(account: Account, token: str) -> TransferPerson:
    """Take a change back. Raises Conflict when its time is over, when it is not this account's, or when somebody changed the
    person since."""
    said = _said(account, token)
    person_id, version = uuid.UUID(said["person"]), said["version"]
    done: TransferPerson | None
    if said["what"] == "change":
        before: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in said["before"].items()}
        answer = change(account, person_id, version, Entry(**before), undone=True)
        done = answer[0] if answer else None
    else:
        done = _mark(account, person_id, version, removed=said["what"] == "add")
    if done is None:
        raise _too_late()
    return done


def of(person: TransferPerson) -> Entry:
    """What the list says of somebody, opened: only after a look was written down, or inside a change of it."""
    plain = {name: getattr(person, name) for name in (
        "code", "region_code", "initials", "people", "longitude", "latitude", "means", "helper", "shelter_id", "note")}
    return Entry(**plain, needs=tuple(person.needs), families=tuple(person.families), **asdict(vault.opened(person)))


def made(session: Session, entry: Entry, source: str, account_name: str, *, demonstration: bool = False,
         among: Sequence[TransferRound] | None = None) -> TransferPerson:
    """A new row of the entry, in the caller's transaction, which holds the rounds (:func:`rounds.hold`); it joins the round
    under way."""
    now = utcnow()
    person = TransferPerson(id=uuid.uuid4(), source=source, changed_at=now, demonstration=demonstration, version=1,
                            **entry.open_values)
    vault.put(person, entry.secrets)
    session.add(person)
    session.flush()
    rounds.join(session, person, account_name, now, among)
    return person


def fill(person: TransferPerson, entry: Entry) -> list[str]:
    """Write the entry into the row where it differs; the names of what changed."""
    changed = [name for name, value in entry.open_values.items() if getattr(person, name) != value]
    for name in changed:
        setattr(person, name, entry.open_values[name])
    old = asdict(vault.opened(person))
    sealed = [name for name, value in asdict(entry.secrets).items() if old[name] != value]
    if sealed:
        vault.put(person, entry.secrets)
    return changed + sealed


def _mark(account: Account, person_id: uuid.UUID, version: int, *, removed: bool) -> TransferPerson | None:
    with transaction() as session:
        rounds.hold(session)
        person = looks.visible(session, account, person_id, lock=True)
        if person is None:
            return None
        _fresh(person, version)
        if (person.removed_at is not None) == removed:
            return person
        if not removed and person.initials == "":
            raise Conflict(_("What told who this was has been wiped; enter the person anew."))
        now = utcnow()
        person.removed_at = now if removed else None
        person.version, person.changed_at = person.version + 1, now
        if not removed:
            rounds.join(session, person, account.username, now)
        audit.append(session, account.actor, "transfer.remove" if removed else "transfer.restore", looks.subject(person),
                     {"region_code": person.region_code})
        return person


def _fresh(person: TransferPerson, version: int) -> None:
    if person.version != version:
        raise Conflict(_("Somebody changed this person while you had the page open. Nothing was saved; open it again."))


def _too_late() -> Conflict:
    return Conflict(_("This can no longer be undone: too much time has passed, or somebody changed the person since."))


def _token(account: Account, what: str, person: TransferPerson, before: Entry | None) -> str:
    said: dict[str, Any] = {"what": what, "person": str(person.id), "version": person.version,
                            "until": (utcnow() + UNDO).timestamp(), "before": asdict(before) if before else None}
    return base64.urlsafe_b64encode(vault.seal().seal(json.dumps(said), f"undo:{account.id}")).decode()


def _said(account: Account, token: str) -> dict[str, Any]:
    try:
        said = json.loads(vault.seal().open(base64.urlsafe_b64decode(token[:20_000]), f"undo:{account.id}"))
    except (InvalidTag, ValueError, binascii.Error) as error:
        raise _too_late() from error
    if said["until"] < utcnow().timestamp():
        raise _too_late()
    return said
